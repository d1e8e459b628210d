"""Runs the mistakes in mistakes.toml in a kernel, checks the messages, and writes docs/mistakes.md.

With --check, docs/mistakes.md is only compared with mistakes.toml.
"""

import argparse
import itertools
import re
import sys
import time
import tomllib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import generated
from common import FIRST_CELL, ROOT, Failure, temporary_progress
from kernel import Kernel

# Seconds for one cell; the slowest cell looks for a package on the network.
LIMIT = 120
HEAD = """# Common mistakes and their messages

Everybody makes these mistakes. Each cell below was run in a notebook, and the message is shown as it appeared. After each mistake, the kernel still works. (`cargo xtask mistakes` generates this page from `crates/xtask/python/mistakes.toml`.) The notebook [common-mistakes](../notebooks/common-mistakes.ipynb) explains some of them in detail.
"""


def run(kernel, code, interrupt_after=None):
    """Runs a cell and returns its output as text."""
    try:
        return kernel.run(code, LIMIT, interrupt_after).text.strip()
    except Failure as failure:
        return str(failure).strip()


def perform(kernel, mistake):
    """Makes the mistake; returns the message, and what is wrong with it (None if nothing is)."""
    message, complaint = run(kernel, mistake["cell"].strip("\n"), mistake.get("interrupt")), None
    if mistake.get("restarts"):
        # The reason may be shown only by the next cell. This cell uses the crate, so that it is
        # loaded again, as in any notebook.
        message += run(kernel, FIRST_CELL + "\ndrop(conv(8, 3));")
        if again := run(kernel, FIRST_CELL):
            complaint = f"the first cell does not run again:\n{again}"
    missing = [words for words in mistake["says"] if words.lower() not in message.lower()]
    if missing:
        complaint = f"the message does not contain {missing}:\n{message}"
    if "backtrace" in message.lower():
        complaint = f"the message contains a backtrace:\n{message}"
    answer = run(kernel, "1 + 1")
    if answer != "2":
        complaint = f"after it, the kernel answers {answer!r} to 1 + 1"
    return message, complaint


def shorten(message, folder, max_lines=14):
    """The message for docs/mistakes.md: at most so many lines, and without the path of the clone."""
    lines = [line.rstrip() for line in message.replace(str(folder), "…").splitlines() if line.strip()]
    return "\n".join(lines[:max_lines] + (["…"] if len(lines) > max_lines else []))


def section(number, mistake, message, folder):
    """The section of docs/mistakes.md about one mistake."""
    return "\n".join([f"## {number}. {mistake['title']}\n", f"```rust\n{mistake['cell'].strip()}\n```\n",
                      f"```text\n{shorten(message, folder)}\n```\n", f"{mistake['why']}\n"])


def without_messages(page):
    """What must be up to date in the page: titles, cells and causes. The messages depend on the compiler's version."""
    return re.sub(r"```text\n.*?\n```\n", "", page, flags=re.S)


def perform_some(mistakes, folder):
    """Makes these mistakes in one kernel; returns their messages and what is wrong with each of them (mostly None)."""
    with temporary_progress(), Kernel(folder=folder) as kernel:
        run(kernel, FIRST_CELL)
        return [perform(kernel, mistake) for mistake in mistakes]


def perform_all(mistakes, folder):
    """Makes all the mistakes; returns their messages and how many of them failed the check."""
    # Two kernels at once, because each of them mostly waits for one compiler.
    with ProcessPoolExecutor(2) as pool:
        halves = list(pool.map(perform_some, [mistakes[0::2], mistakes[1::2]], itertools.repeat(folder)))
    outcomes = [outcome for pair in itertools.zip_longest(*halves) for outcome in pair if outcome]
    failed = [(mistake["title"], complaint) for mistake, (_, complaint) in zip(mistakes, outcomes) if complaint]
    for title, complaint in failed:
        print(f"  FAIL  {title}: {complaint}", flush=True)
    return [message for message, _ in outcomes], len(failed)


def main():
    parser = argparse.ArgumentParser(prog="cargo xtask mistakes")
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    with open(Path(__file__).with_name("mistakes.toml"), "rb") as file:
        mistakes = tomllib.load(file)["mistake"]
    page, start = ROOT / "docs" / "mistakes.md", time.monotonic()
    try:
        if not check:
            generated.require_unedited(ROOT, page)
        messages, failed = perform_all(mistakes, ROOT / "notebooks")
        print(f"  {len(mistakes) - failed} of {len(mistakes)} mistakes have a helpful message, {time.monotonic() - start:.0f} s")
        sections = (section(number, *pair, ROOT) for number, pair in enumerate(zip(mistakes, messages), 1))
        text = "\n".join([HEAD, *sections])
        if not check and failed:
            print("  docs/mistakes.md was not rewritten")
        elif not check:
            generated.write(ROOT, page, text)
        elif without_messages(text) != without_messages(page.read_text(encoding="utf-8")):
            failed += 1
            print("  FAIL  docs/mistakes.md differs from mistakes.toml; update it: cargo xtask mistakes")
    except generated.Edited as edited:
        raise SystemExit(str(edited)) from None
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
