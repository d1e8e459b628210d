"""Files of the repository that a chore writes anew: only where nobody's own edits are lost."""

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path


class Edited(Exception):
    """The user's edits would be overwritten."""


def require_unedited(root, path):
    """Raises `Edited` unless the file is as it was committed, or as a chore wrote it, or does not exist."""
    name = path.relative_to(root).as_posix()
    if path.exists() and digest(path.read_bytes()) not in (written(root).get(name), committed(root, name)):
        raise Edited(f"{name} was edited, and this would overwrite the edits: commit them, or move the file away "
                     f"(`mv {name} {path.stem}-mine{path.suffix}`), then run the same command again")


def write(root, path, text):
    """Writes the file in one step, and remembers that a chore wrote it."""
    # Asked once more: it may have been edited while the chore ran.
    require_unedited(root, path)
    replace(path, text)
    name = path.relative_to(root).as_posix()
    replace(record(root), json.dumps(written(root) | {name: digest(text.encode())}, indent=1))


def replace(path, text):
    """Whoever reads the file meanwhile sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        new = Path(folder) / path.name
        new.write_text(text, encoding="utf-8", newline="\n")
        os.replace(new, path)


def record(root):
    return root / ".nchw" / "written.json"


def written(root):
    """What chores wrote: {file: SHA-256}."""
    try:
        return json.loads(record(root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def committed(root, name):
    """The SHA-256 of the file as git has it; None without git."""
    try:
        done = subprocess.run(["git", "cat-file", "-p", f"HEAD:{name}"], cwd=root, capture_output=True, check=False)
    except OSError:
        return None
    return digest(done.stdout) if done.returncode == 0 else None


def digest(data):
    return hashlib.sha256(data).hexdigest()
