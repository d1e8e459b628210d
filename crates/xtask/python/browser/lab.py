"""Opens a notebook in JupyterLab in a browser, and runs it with the mouse."""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path

from selenium.common.exceptions import (ElementClickInterceptedException, ElementNotInteractableException,
                                        NoSuchElementException, StaleElementReferenceException)
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from browser.chromium import chromium
from common import ROOT, Failure, JupyterLab, exit_on_sigterm, marked_environment, python_path, wait_until

ARTIFACTS = ROOT / "test-artifacts"
# The file with which `files.rs` marks folders that commands make.
MADE_BY_US = "made-by-nchw-setup"
KERNEL = "Rust (nchw)"
CELLS = ".jp-NotebookPanel .jp-Notebook .jp-Cell"
# Seconds until the page and the kernel are ready, and for a run of the notebook (about 60 without other load).
START_LIMIT, RUN_LIMIT = 120, 400
# If the kernel is idle for so many seconds while cells wait, JupyterLab has dropped them.
DROPPED_AFTER = 5
NEVER_RUN, RUNNING = "[ ]:", "[*]:"

# The state of all cells in one request, because the page changes all the time.
# A cell that JupyterLab has not drawn yet has no prompt: null.
STATE = """
// Not innerText, which is empty for a cell that is out of view.
const text = (root, selector) => [...root.querySelectorAll(selector)].map(e => e.textContent);
const panel = document.querySelector('.jp-NotebookPanel');
return {
  cells: [...panel.querySelectorAll('.jp-Notebook .jp-Cell')].map(cell => ({
    code: cell.classList.contains('jp-CodeCell'),
    prompt: cell.querySelector('.jp-InputPrompt')?.textContent.trim() ?? null,
    figures: [...cell.querySelectorAll('.jp-OutputArea img')].filter(i => i.complete && i.naturalWidth > 0).length,
    errors: text(cell, '[data-mime-type="application/vnd.jupyter.error"]'),
    stderr: text(cell, '[data-mime-type="application/vnd.jupyter.stderr"]'),
  })),
  kernel: panel.querySelector('.jp-KernelName')?.textContent.trim() ?? null,
  status: panel.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status ?? null,
};
"""


class Cell:
    """A cell of the notebook's file; `number` counts all cells from 1."""

    def __init__(self, number, raw):
        self.number = number
        self.is_code = raw["cell_type"] == "code"
        self.tags = set(raw["metadata"].get("tags", []))
        self.line = next((line for line in "".join(raw["source"]).splitlines() if line.strip()), "")

    def __str__(self):
        return f"cell {self.number} (`{self.line}`)"


def read_cells(notebook):
    raw = json.loads(notebook.read_text(encoding="utf-8"))
    return [Cell(number, cell) for number, cell in enumerate(raw["cells"], 1)]


def prepare_artifacts():
    """Makes the folder for screenshots. An existing folder is used only if a test made it (older ones have a log)."""
    if not ARTIFACTS.exists():
        ARTIFACTS.mkdir()
        (ARTIFACTS / MADE_BY_US).write_text("A test made this folder; `cargo xtask clean` removes it.\n", encoding="utf-8")
    elif not any((ARTIFACTS / name).exists() for name in (MADE_BY_US, "jupyterlab.log")):
        sys.exit(f"{ARTIFACTS} exists, but no test made it: move it away, then run the same command again")


def take_screenshot(browser, name):
    browser.save_screenshot(str(ARTIFACTS / f"{name}.png"))


def state(browser):
    return browser.execute_script(STATE)


def answer_dialogs(browser):
    """Answers the questions that JupyterLab is expected to ask; any other question is a failure."""
    # A dialog may disappear at any moment.
    with contextlib.suppress(StaleElementReferenceException, ElementNotInteractableException,
                             ElementClickInterceptedException, NoSuchElementException):
        for button in browser.find_elements(By.CSS_SELECTOR, ".jp-toast-button"):
            if button.text.strip() in ("No", "Dismiss", "Ignore"):
                button.click()
        for dialog in browser.find_elements(By.CSS_SELECTOR, ".jp-Dialog"):
            text = dialog.text
            if not text.startswith("Restart Kernel"):
                raise Failure(f"JupyterLab asks a question that it should not ask:\n{text}")
            dialog.find_element(By.CSS_SELECTOR, ".jp-mod-accept").click()


def open_notebook(browser, server, name, cells):
    """Opens the notebook and waits until all its cells are drawn; returns the seconds until its kernel was ready.

    JupyterLab draws the cells that are out of view one by one, while it has nothing else to do.
    """
    start, ready = time.monotonic(), None
    browser.get(f"http://{server.address}/lab/tree/{name}.ipynb?token={server.token}")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, CELLS), START_LIMIT,
               f"JupyterLab did not show the notebook within {START_LIMIT} s")

    def is_ready():
        nonlocal ready
        answer_dialogs(browser)
        seen = state(browser)
        if seen["kernel"] != KERNEL or seen["status"] != "idle":
            return False
        ready = ready or time.monotonic() - start
        return len(seen["cells"]) == len(cells)

    def message():
        seen = state(browser)
        return (f"after {START_LIMIT} s: expected {len(cells)} cells, the kernel \"{KERNEL}\" and \"idle\"; "
                f"found {len(seen['cells'])} cells, \"{seen['kernel']}\" and \"{seen['status']}\"")

    wait_until(is_ready, START_LIMIT, message)
    return ready


def click_run_all(browser, restart=False):
    """Clicks Run > Run All Cells, or Run > Restart Kernel and Run All Cells."""
    def visible(selector, text=""):
        return [e for e in browser.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed() and text in e.text]

    command, title = ("restart-and-run-all", "Restart Kernel and Run All Cells") if restart else ("run-all", "Run All Cells")
    wait_until(lambda: visible(".lm-MenuBar-item", "Run"), 10, "JupyterLab shows no menu \"Run\"")[0].click()
    item = wait_until(lambda: visible(f'.lm-Menu-item[data-command="runmenu:{command}"]'), 10,
                      f"the menu \"Run\" has no \"{title}\"")
    ActionChains(browser).move_to_element(item[0]).click().perform()


def has_run(prompt):
    """Whether the prompt shows an execution count."""
    return prompt is not None and prompt.strip("[]:").isdigit()


def find_error(cells, seen):
    """Describes the first cell that shows an error without the tag for it; None if there is none."""
    for cell, now in zip(cells, seen["cells"]):
        if "fails" in cell.tags:
            continue
        if now["errors"]:
            return f"{cell}: expected no error, found:\n{now['errors'][0]}"
        # evcxr reports success after a panic and after an error through `?`; only stderr shows them.
        if now["stderr"] and "stderr" not in cell.tags:
            return f"{cell}: expected nothing on stderr, found:\n{''.join(now['stderr'])}"
    return None


def wait_for_run(browser, cells):
    """Waits until all cells have run; returns the seconds until the first figure (None without one) and until the end."""
    start, first_figure, busy = time.monotonic(), None, 0.0
    while True:
        answer_dialogs(browser)
        seen, passed = state(browser), time.monotonic() - start
        if first_figure is None and any(now["figures"] for now in seen["cells"]):
            first_figure = passed
        if error := find_error(cells, seen):
            raise Failure(error)
        waiting = [(c, now) for c, now in zip(cells, seen["cells"]) if c.is_code and not has_run(now["prompt"])]
        if not waiting and seen["status"] == "idle":
            return first_figure, passed
        if seen["status"] != "idle" or any(now["prompt"] == RUNNING for _, now in waiting):
            busy = passed
        if passed > RUN_LIMIT or passed - busy > DROPPED_AFTER:
            raise Failure(describe_unfinished(waiting, seen["status"], passed))
        time.sleep(0.1)


def describe_unfinished(waiting, status, passed):
    if not waiting:
        return f"after {passed:.0f} s all cells have run, but the kernel is \"{status}\", not \"idle\""
    cell, now = waiting[0]
    meaning = {RUNNING: "it runs or waits", NEVER_RUN: "it was never run"}.get(now["prompt"], "no prompt")
    return (f"{cell}: expected an execution count, found \"{now['prompt']}\" ({meaning}) after {passed:.0f} s; "
            f"{len(waiting)} cells have none; the kernel is \"{status}\"")


def make_clone(folder):
    """Makes a folder for notebooks in which `../crates` and `../datasets` are links to the clone's.

    evcxr resolves links before it calls cargo, so nothing is compiled again.
    """
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    for name in ("crates", "datasets"):
        (folder / name).symlink_to(ROOT / name)
    return notebooks


def visit(python, name, test):
    """Prints what `test(browser, server, folder)` returns; the server serves `folder`.

    The screenshots' names begin with `name`. Exits with an error if the test fails.
    """
    exit_on_sigterm()
    prepare_artifacts()
    for old in ARTIFACTS.glob(f"{name}-*.png"):
        old.unlink()
    try:
        with tempfile.TemporaryDirectory(prefix="nchw-browser-", ignore_cleanup_errors=True) as temporary, \
                marked_environment(NCHW_PROGRESS=f"{temporary}/progress.json") as environment:
            folder = Path(temporary)
            notebooks = make_clone(folder)
            server = JupyterLab(python, notebooks, folder, ARTIFACTS / "jupyterlab.log", environment)
            with chromium(folder, environment) as browser:
                print(test(browser, server, notebooks))
    except Failure as failure:
        sys.exit(f"{failure}\n(screenshots: {ARTIFACTS.relative_to(ROOT)}/{name}-*.png)")


def argument_parser(program):
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--jupyter", type=python_path, required=True, metavar="PYTHON")
    return parser
