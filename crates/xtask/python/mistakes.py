"""Types what learners mistype (mistakes.toml) in a real kernel, and makes docs/mistakes.md of it.

    mistakes.py --root FOLDER           writes docs/mistakes.md
    mistakes.py --root FOLDER --check   compares it
"""

import argparse
import re
import sys
import threading
import time
import tomllib
from pathlib import Path
from queue import Empty

from jupyter_client.manager import KernelManager

import kept
import kernels

FIRST = ':dep nchw = { path = "../crates/nchw" }\nuse nchw::prelude::*;'
# Seconds for one cell; the longest compiles a package that is looked for on the network.
LIMIT = 120
HEAD = """# Mistakes, and what comes of them

Everybody types these. Each was typed in a notebook, by a program, and what came is shown as it came; afterwards the kernel answered. (Made of `crates/xtask/python/mistakes.toml` by `cargo xtask mistakes`.) The notebook [common-mistakes](../notebooks/common-mistakes.ipynb) tells more of some of them.
"""


def plain(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


class Kernel:
    """One kernel that a learner types into."""

    def __init__(self, folder):
        self.manager = KernelManager(kernel_name="nchw")
        self.manager.start_kernel(cwd=str(folder))
        self.group = kernels.group_of(self.manager)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=600)
        self.type(FIRST)

    def type(self, code, interrupt=None):
        """Runs a cell: everything that came of it, as one text."""
        came = []

        def hook(message):
            content = message["content"]
            if message["msg_type"] == "stream":
                came.append(content["text"])
            elif message["msg_type"] == "error":
                came.append("\n".join(content["traceback"]) + "\n")
            elif message["msg_type"] in ("execute_result", "display_data"):
                came.append(content["data"].get("text/plain", ""))

        timer = threading.Timer(interrupt or 0, self.manager.interrupt_kernel) if interrupt else None
        if timer:
            timer.start()
        try:
            self.client.execute_interactive(code, timeout=LIMIT, output_hook=hook, store_history=False)
        except (TimeoutError, Empty):
            came.append(f"nothing more came within {LIMIT} s")
        finally:
            if timer:
                timer.cancel()
        return plain("".join(came)).strip()

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        kernels.kill_group(self.group)


def perform(kernel, mistake):
    """What came of it, and what is wrong with that, or None."""
    came, complaint = kernel.type(mistake["cell"].strip("\n"), mistake.get("interrupt")), None
    if mistake.get("restarts"):
        # What is said of the end may come with the next cell; with something of the course in
        # it, so that the crate is loaded again, as in any notebook.
        came += kernel.type(FIRST + "\ndrop(conv(8, 3));")
        again = kernel.type(FIRST)
        if again:
            complaint = f"the first cell does not run again:\n{again}"
    missing = [words for words in mistake["says"] if words.lower() not in came.lower()]
    if missing:
        complaint = f"does not say {missing}; it says:\n{came}"
    if "backtrace" in came.lower():
        complaint = f"shows a backtrace:\n{came}"
    answer = kernel.type("1 + 1")
    if answer != "2":
        complaint = f"afterwards 1 + 1 is answered by {answer!r}"
    return came, complaint


def shown(came, folder, most=14):
    """As docs/mistakes.md shows it: not too long, and without a path of this machine."""
    lines = came.replace(str(folder), "…").splitlines()
    lines = [line.rstrip() for line in lines if line.strip()]
    return "\n".join(lines[:most] + (["…"] if len(lines) > most else []))


def section(number, mistake, came, folder):
    """One mistake as docs/mistakes.md shows it."""
    return "\n".join([f"## {number}. {mistake['title']}\n", f"```rust\n{mistake['cell'].strip()}\n```\n",
                      f"```text\n{shown(came, folder)}\n```\n", f"{mistake['why']}\n"])


def headings(text):
    """What must be the same whatever the compiler's version: titles, cells and causes."""
    return re.sub(r"```text\n.*?\n```\n", "", text, flags=re.S)


def chosen(mistakes, only):
    """(number on the page, mistake): all, or those with `only` in their titles."""
    found = [(number, m) for number, m in enumerate(mistakes, 1) if (only or "").lower() in m["title"].lower()]
    if not found:
        raise SystemExit(f"no mistake has {only!r} in its title; the titles are in mistakes.toml")
    return found


def type_all(mistakes, folder):
    """What came of each mistake, and how many were not explained well."""
    results, failed = [], 0
    with kernels.own_progress():
        kernel = Kernel(folder)
        try:
            for _, mistake in mistakes:
                came, complaint = perform(kernel, mistake)
                results.append(came)
                if complaint:
                    failed += 1
                    print(f"  FAIL  {mistake['title']}: {complaint}", flush=True)
        finally:
            kernel.close()
    return results, failed


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask mistakes")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", help="a part of a title")
    arguments = parser.parse_args()
    with open(Path(__file__).with_name("mistakes.toml"), "rb") as file:
        mistakes = chosen(tomllib.load(file)["mistake"], arguments.only)
    root, file = arguments.root, arguments.root / "docs" / "mistakes.md"
    renew = not arguments.check and not arguments.only
    if renew:
        try:
            kept.require_unedited(root, file)
        except kept.Edited as edited:
            raise SystemExit(str(edited)) from None
    start = time.monotonic()
    results, failed = type_all(mistakes, root / "notebooks")
    print(f"  {len(mistakes) - failed} of {len(mistakes)} mistakes are told well, {time.monotonic() - start:.0f} s")
    sections = [section(number, mistake, came, root) for (number, mistake), came in zip(mistakes, results)]
    if renew:
        try:
            kept.write(root, file, "\n".join([HEAD, *sections]))
        except kept.Edited as edited:
            raise SystemExit(str(edited)) from None
    elif arguments.check and not is_current(sections, file.read_text(encoding="utf-8"), arguments.only):
        failed += 1
        print("  FAIL  docs/mistakes.md is another; renew it: cargo xtask mistakes")
    sys.exit(1 if failed else 0)


def is_current(sections, page, only):
    """Whether the page has these sections, and no others unless `only` some were looked at."""
    if only:
        return all(headings(section) in headings(page) for section in sections)
    return headings("\n".join([HEAD, *sections])) == headings(page)


if __name__ == "__main__":
    main()
