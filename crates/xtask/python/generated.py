"""Writes generated files of the repository, but never over a user's edits."""

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path


class Edited(Exception):
    """Writing the file would overwrite a user's edits."""


def require_unedited(root, path):
    """Raises `Edited` unless the file does not exist, is as it was committed, or is as `write` left it."""
    name = path.relative_to(root).as_posix()
    if path.exists() and sha256(path.read_bytes()) not in (recorded(root).get(name), committed(root, name)):
        raise Edited(f"{name} was edited, and this would overwrite the edits: commit them, or move the file away "
                     f"(`mv {name} {path.stem}-mine{path.suffix}`), then run the same command again")


def write(root, path, text):
    """Writes the file and records its hash."""
    # Checked again, because the file may have been edited while the command ran.
    require_unedited(root, path)
    replace(path, text)
    name = path.relative_to(root).as_posix()
    replace(record(root), json.dumps(recorded(root) | {name: sha256(text.encode())}, indent=1))


def replace(path, text):
    """Replaces the file in one step: a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        new = Path(folder) / path.name
        new.write_text(text, encoding="utf-8", newline="\n")
        os.replace(new, path)


def record(root):
    return root / ".nchw" / "written.json"


def recorded(root):
    """The files that `write` wrote: {name: SHA-256}."""
    try:
        return json.loads(record(root).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def committed(root, name):
    """The SHA-256 of the file in the last commit; None if there is none, or no git."""
    try:
        done = subprocess.run(["git", "cat-file", "-p", f"HEAD:{name}"], cwd=root, capture_output=True, check=False)
    except OSError:
        return None
    return sha256(done.stdout) if done.returncode == 0 else None


def sha256(data):
    return hashlib.sha256(data).hexdigest()
