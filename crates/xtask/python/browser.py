"""Opens a notebook in a real JupyterLab, runs it with the mouse as a learner would, and looks at every figure.

    browser.py NAME --jupyter PYTHON

Run by the Python of `.venv-browser` (selenium); PYTHON is the course's own,
with JupyterLab, jupytext and the kernel `nchw`. The notebook is made anew
from `notebooks/src/NAME.md`, without outputs, in a folder of its own, so
nothing in the clone changes but `test-artifacts/`, where the screenshots go.
"""

import argparse
import functools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import (ElementClickInterceptedException, ElementNotInteractableException,
                                        NoSuchElementException, StaleElementReferenceException)
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

from kernels import free_port

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parents[2]
ARTIFACTS = ROOT / "test-artifacts"
KERNEL = "Rust (nchw)"
# Seconds: for the page and the kernel to be there, for a run, for one picture.
START_LIMIT, RUN_LIMIT, PICTURE_LIMIT = 120, 180, 10
# Idle for so long with cells that were never run: JupyterLab has given up on them.
GIVEN_UP = 5
# Every process that this test starts carries this in its environment, and so do its
# children, whoever their parent is by then: that is how all of them are found again.
MARK = ("NCHW_BROWSER_TEST", secrets.token_hex(16))
# As `files.rs` marks the folders that chores make.
MADE_BY_US = "made-by-nchw-setup"
NEVER_RUN, RUNNING = "[ ]:", "[*]:"


class Wrong(Exception):
    """What is wrong, in words for the author."""


class Cell:
    """A cell as the notebook's file has it; its number counts all cells from 1."""

    def __init__(self, number, raw):
        self.number = number
        self.is_code = raw["cell_type"] == "code"
        self.tags = set(raw["metadata"].get("tags", []))
        source = "".join(raw["source"])
        self.line = next((line for line in source.splitlines() if line.strip()), "")

    def __str__(self):
        return f"cell {self.number} (`{self.line}`)"


def artifacts():
    """The folder for screenshots; one that no test made is left alone. Earlier ones have a log and no mark."""
    if not ARTIFACTS.exists():
        ARTIFACTS.mkdir()
        (ARTIFACTS / MADE_BY_US).write_text("A test made this folder; `cargo xtask clean` removes it.\n", encoding="utf-8")
    elif not any((ARTIFACTS / sign).exists() for sign in (MADE_BY_US, "jupyterlab.log")):
        raise Wrong(f"{ARTIFACTS} exists, but no test made it: move it away, then run the same command again")
    return ARTIFACTS


# --- The layout, the server, the browser: what is made, and made to go away again.


def make_notebook(python, name, folder):
    """Writes `folder/NAME.ipynb`, built as `cargo xtask notebooks` builds it; its cells."""
    code = ("import sys, nbformat, notebooks; from pathlib import Path; source, name, target = sys.argv[1:]; "
            "nbformat.write(notebooks.build(Path(source).read_text(encoding='utf-8'), name), target)")
    source, target = ROOT / "notebooks/src" / f"{name}.md", folder / f"{name}.ipynb"
    if not source.is_file():
        raise Wrong(f"there is no {source.relative_to(ROOT)}")
    subprocess.run([python, "-c", code, source, name, target], cwd=SCRIPTS, check=True)
    raw = json.loads(target.read_text(encoding="utf-8"))
    return [Cell(number, cell) for number, cell in enumerate(raw["cells"], 1)]


def lay_out(folder):
    """A folder in which `../crates` and `../datasets` are what they are in the clone.

    evcxr resolves links before it asks cargo: through them, nothing is built again.
    """
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    for name in ("crates", "datasets"):
        (folder / name).symlink_to(ROOT / name)
    return notebooks


def marked_environment(folder):
    """Ours, but nothing of the user's own Jupyter settings, which would decide what is seen."""
    own = {f"JUPYTER_{kind}_DIR": str(folder / kind.lower()) for kind in ("CONFIG", "DATA", "RUNTIME")}
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTERLAB_S")}
    return {**inherited, **own, MARK[0]: MARK[1]}


def start_server(python, folder, environment):
    """JupyterLab on the folder: its address and token."""
    port, token = free_port(), secrets.token_hex(16)
    command = [python, "-m", "jupyterlab", "--no-browser", "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}",
               "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"]
    if os.geteuid() == 0:
        command.append("--allow-root")
    log = ARTIFACTS / "jupyterlab.log"
    with log.open("w") as output:
        server = subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=subprocess.STDOUT, start_new_session=True)
    address = f"http://127.0.0.1:{port}"

    def answers():
        if server.poll() is not None:
            raise Wrong(f"JupyterLab ended with {server.returncode}:\n{log.read_text(encoding='utf-8', errors='replace')[-2000:]}")
        try:
            return ask(address, token, "/api/status")
        except (urllib.error.URLError, ConnectionError):
            return None

    wait(answers, START_LIMIT, lambda: f"JupyterLab did not answer within {START_LIMIT} s; see {log}")
    return address, token


def ask(address, token, path):
    request = urllib.request.Request(address + path, headers={"Authorization": f"token {token}"})
    # Not through a proxy that the machine may have: this is the machine itself.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return json.load(answer)


def start_browser(folder, environment):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--no-proxy-server", "--window-size=1400,1000", f"--user-data-dir={folder / 'browser'}"):
        options.add_argument(flag)
    driver = shutil.which("chromedriver")
    if driver is None:
        raise Wrong("chromedriver is not installed (Debian: apt-get install chromium-driver)")
    # selenium would ask for the driver through the machine's proxy.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"
    service = webdriver.ChromeService(driver, env={**environment, "no_proxy": "127.0.0.1,localhost"})
    return webdriver.Chrome(options=options, service=service)


def marked_processes():
    mark, found = "=".join(MARK).encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:  # Gone meanwhile, or another user's.
            continue
    return found


def end_processes():
    """Ends what this test started, and nothing else: asks first, then does not ask."""
    for number, patience in ((signal.SIGTERM, 8), (signal.SIGKILL, 5)):
        for process in marked_processes():
            try:
                os.kill(process, number)
            except ProcessLookupError:
                pass
        end = time.monotonic() + patience
        while marked_processes():
            if time.monotonic() > end:
                break
            time.sleep(0.1)
        else:
            return


# --- Looking at the page.


def wait(condition, limit, complaint, pause=0.1):
    """What `condition` answers, once it is something; after `limit` seconds, `complaint()`."""
    end = time.monotonic() + limit
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise Wrong(complaint())
        time.sleep(pause)


# The state of all cells in one question, for the page redraws while it is asked.
# A cell that the page has not drawn yet has no prompt: null.
STATE = """
// Not innerText, which is empty where a cell is out of view.
const text = (root, selector) => [...root.querySelectorAll(selector)].map(e => e.textContent);
const panel = document.querySelector('.jp-NotebookPanel');
return {
  cells: [...panel.querySelectorAll('.jp-Notebook .jp-Cell')].map(cell => ({
    code: cell.classList.contains('jp-CodeCell'),
    prompt: cell.querySelector('.jp-InputPrompt')?.textContent.trim() ?? null,
    pictures: [...cell.querySelectorAll('.jp-OutputArea img')].filter(i => i.complete && i.naturalWidth > 0).length,
    errors: text(cell, '[data-mime-type="application/vnd.jupyter.error"]'),
    stderr: text(cell, '[data-mime-type="application/vnd.jupyter.stderr"]'),
  })),
  kernel: panel.querySelector('.jp-KernelName')?.textContent.trim() ?? null,
  status: panel.querySelector('.jp-Notebook-ExecutionIndicator')?.dataset.status ?? null,
};
"""

# How a cell's pictures are shown. `room` is what the page has for the picture.
PICTURES = """
return [...arguments[0].querySelectorAll('.jp-OutputArea img')].map(image => {
  const box = image.getBoundingClientRect();
  const around = image.parentElement, style = getComputedStyle(around);
  const room = around.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const shown = image.checkVisibility({opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true});
  return {complete: image.complete, natural: [image.naturalWidth, image.naturalHeight],
          asked: image.getAttribute('width'), alt: image.getAttribute('alt'),
          size: [box.width, box.height], room, shown};
});
"""

# Nothing lies over the picture: its middle, in view, is the picture itself.
UNCOVERED = """
const image = arguments[0].querySelectorAll('.jp-OutputArea img')[arguments[1]];
image.scrollIntoView({block: 'center'});
const box = image.getBoundingClientRect();
return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) === image;
"""


def state(browser):
    return browser.execute_script(STATE)


def shoot(browser, name):
    browser.save_screenshot(str(ARTIFACTS / f"{name}.png"))


def answer_dialogs(browser):
    """Answers what JupyterLab may ask of a learner; what it should not ask is wrong."""
    try:
        for button in browser.find_elements(By.CSS_SELECTOR, ".jp-toast-button"):
            if button.text.strip() in ("No", "Dismiss", "Ignore"):
                button.click()
        for dialog in browser.find_elements(By.CSS_SELECTOR, ".jp-Dialog"):
            text = dialog.text
            if not text.startswith("Restart Kernel"):
                raise Wrong(f"JupyterLab asks what it should not have to:\n{text}")
            dialog.find_element(By.CSS_SELECTOR, ".jp-mod-accept").click()
    except (StaleElementReferenceException, ElementNotInteractableException, ElementClickInterceptedException,
            NoSuchElementException):
        pass  # It went away while it was looked at.


def open_notebook(browser, address, token, name, cells):
    """Opens the notebook and waits until its cells and kernel are there: seconds."""
    begun = time.monotonic()
    browser.get(f"{address}/lab/tree/{name}.ipynb?token={token}")
    wait(lambda: browser.find_elements(By.CSS_SELECTOR, ".jp-NotebookPanel .jp-Notebook .jp-Cell"), START_LIMIT,
         lambda: f"JupyterLab did not show the notebook within {START_LIMIT} s")

    def ready():
        answer_dialogs(browser)
        seen = state(browser)
        return len(seen["cells"]) == len(cells) and seen["kernel"] == KERNEL and seen["status"] == "idle"

    def complaint():
        seen = state(browser)
        return (f"after {START_LIMIT} s: expected {len(cells)} cells, the kernel \"{KERNEL}\" and \"idle\"; "
                f"seen: {len(seen['cells'])} cells, \"{seen['kernel']}\", \"{seen['status']}\"")

    wait(ready, START_LIMIT, complaint)
    return time.monotonic() - begun


def click_run_all(browser, restart=False):
    """Run > Run All Cells, or Restart Kernel and Run All Cells, with the mouse."""
    def visible(selector, text=""):
        return [e for e in browser.find_elements(By.CSS_SELECTOR, selector) if e.is_displayed() and text in e.text]

    command, words = ("restart-and-run-all", "Restart Kernel and Run All Cells") if restart else ("run-all", "Run All Cells")
    menu = wait(lambda: visible(".lm-MenuBar-item", "Run"), 10, lambda: "JupyterLab shows no menu \"Run\"")
    menu[0].click()
    item = wait(lambda: visible(f'.lm-Menu-item[data-command="runmenu:{command}"]'), 10,
                lambda: f"the menu \"Run\" has no \"{words}\"")
    ActionChains(browser).move_to_element(item[0]).click().perform()


def has_run(prompt):
    """Whether the prompt shows an execution count."""
    return prompt is not None and prompt.strip("[]:").isdigit()


def trouble(cells, seen):
    """What no cell may show: the first of it, or None."""
    for cell, now in zip(cells, seen["cells"]):
        if "fails" in cell.tags:
            continue
        if now["errors"]:
            return f"{cell}: expected no error, seen:\n{now['errors'][0]}"
        # evcxr answers "ok" to a panic and to an error through `?`; only stderr tells.
        if now["stderr"] and "stderr" not in cell.tags:
            return f"{cell}: expected nothing on stderr, seen:\n{''.join(now['stderr'])}"
    return None


def watch_run(browser, cells):
    """Waits for the end of the run: seconds to the first picture (None without one) and to the end."""
    begun, first, busy = time.monotonic(), None, 0.0
    while True:
        answer_dialogs(browser)
        seen, passed = state(browser), time.monotonic() - begun
        if first is None and any(now["pictures"] for now in seen["cells"]):
            first = passed
        wrong = trouble(cells, seen)
        if wrong:
            raise Wrong(wrong)
        waiting = [(c, now) for c, now in zip(cells, seen["cells"]) if c.is_code and not has_run(now["prompt"])]
        if not waiting and seen["status"] == "idle":
            return first, passed
        if seen["status"] != "idle" or any(now["prompt"] == RUNNING for _, now in waiting):
            busy = passed
        if passed > RUN_LIMIT or passed - busy > GIVEN_UP:
            raise Wrong(unfinished(waiting, seen["status"], passed))
        time.sleep(0.1)


def unfinished(waiting, status, passed):
    if not waiting:
        return f"after {passed:.0f} s all cells have run, but the kernel is \"{status}\", not \"idle\""
    cell, now = waiting[0]
    said = {RUNNING: "it still runs or waits", NEVER_RUN: "nobody ran it"}
    said = said.get(now["prompt"], "no prompt")
    return (f"{cell}: expected an execution count, seen \"{now['prompt']}\" ({said}) after {passed:.0f} s; "
            f"{len(waiting)} cells have none; the kernel is \"{status}\"")


# --- Judging what was run.


def judge_picture(picture):
    """What is wrong with how one picture is shown, or None."""
    (natural_width, natural_height), (width, height) = picture["natural"], picture["size"]
    if not picture["complete"] or natural_width <= 100:
        return f"expected a whole picture more than 100 pixels wide, seen {natural_width} (whole: {picture['complete']})"
    if not picture["shown"] or width < 1 or height < 1:
        return f"expected the picture to be displayed, seen {width:.0f} x {height:.0f} (visible: {picture['shown']})"
    if not (picture["alt"] or "").strip():
        return f"expected an alternative text, seen {picture['alt']!r}"
    if not (picture["asked"] or "").isdigit():
        return f"expected an attribute `width`, seen {picture['asked']!r}"
    due = min(float(picture["asked"]), picture["room"])
    if abs(width - due) > 2:
        return (f"expected {due:.0f} pixels of the page's width (`width` is {picture['asked']}, the page has room "
                f"for {picture['room']:.0f}), seen {width:.0f}")
    if abs(width * natural_height / natural_width - height) > 2:
        return f"expected the proportions {natural_width} : {natural_height}, seen {width:.0f} : {height:.0f}"
    return None


def judge_figure(browser, cell, element, name):
    """Scrolls to a figure, takes its picture, and says what is wrong with it, or None."""
    def pictures():
        # Again each time: what JupyterLab renders above moves it out of view.
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        found = browser.execute_script(PICTURES, element)
        return found if found and all(p["complete"] and p["shown"] for p in found) else None

    try:
        found = wait(pictures, PICTURE_LIMIT, lambda: "")
    except Wrong:
        found = browser.execute_script(PICTURES, element)
    if found:
        covered = [i for i in range(len(found)) if not browser.execute_script(UNCOVERED, element, i)]
    shoot(browser, f"{name}-cell-{cell.number:02}")
    if not found:
        return f"{cell}: expected a picture (tag `figure`), seen none"
    wrong = next(filter(None, map(judge_picture, found)), None)
    if wrong is None and covered:
        wrong = "expected the picture in view, seen something over it"
    return wrong and f"{cell}: {wrong}"


def judge(browser, cells, name):
    """Everything that is wrong with the notebook after its run."""
    seen = state(browser)
    wrong = [] if seen["kernel"] == KERNEL else [f"expected the kernel \"{KERNEL}\", seen \"{seen['kernel']}\""]
    elements = browser.find_elements(By.CSS_SELECTOR, ".jp-NotebookPanel .jp-Notebook .jp-Cell")
    if len(elements) != len(cells):
        return wrong + [f"expected {len(cells)} cells, seen {len(elements)}"]
    for cell, element in zip(cells, elements):
        if "figure" in cell.tags:
            wrong.append(judge_figure(browser, cell, element, name))
    # Again, now that every figure has been in view.
    return [w for w in wrong + [trouble(cells, state(browser))] if w]


def run_all(browser, cells, name):
    """Runs the notebook that is open: seconds to the first picture and to the end."""
    click_run_all(browser, restart=True)
    try:
        return watch_run(browser, cells)
    finally:
        shoot(browser, f"{name}-run")


def look(name, python, browser, server, folder):
    """The whole visit: what to print about it. Raises with all that is wrong."""
    cells = make_notebook(python, name, folder)
    ready = open_notebook(browser, *server, name, cells)
    shoot(browser, f"{name}-opened")
    first, total = run_all(browser, cells, name)
    wrong = judge(browser, cells, name)
    if wrong:
        raise Wrong("\n".join(wrong))
    figures = sum("figure" in cell.tags for cell in cells)
    picture = "no picture" if first is None else f"first picture {first:.1f} s after the click"
    return f"{name}: kernel ready {ready:.1f} s after opening, {picture}, all after {total:.1f} s; {figures} figures seen"


def visit(python, folder, test):
    """What `test(python, browser, server, notebooks)` says, of a JupyterLab and a browser made for it."""
    notebooks, environment = lay_out(folder), marked_environment(folder)
    browser = None
    try:
        server = start_server(python, notebooks, environment)
        browser = start_browser(folder, environment)
        return test(python, browser, server, notebooks)
    finally:
        try:
            if browser:
                browser.quit()
        finally:
            end_processes()


def perform(python, name, test):
    """Prints what the visit says; on a wrong one ends with it. `name` is how its screenshots begin."""
    # Ended from outside, it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        for old in artifacts().glob(f"{name}-*.png"):
            old.unlink()
    except Wrong as wrong:
        sys.exit(str(wrong))
    with tempfile.TemporaryDirectory(prefix="nchw-browser-", ignore_cleanup_errors=True) as folder:
        try:
            print(visit(python, Path(folder), test))
        except Wrong as wrong:
            sys.exit(f"{wrong}\n(screenshots: {ARTIFACTS.relative_to(ROOT)}/{name}-*.png)")


def parser_of(program):
    parser = argparse.ArgumentParser(prog=program)
    # Not resolved: a virtual environment's Python is a link, and its path says which environment.
    parser.add_argument("--jupyter", type=os.path.abspath, required=True, metavar="PYTHON")
    return parser


def main():
    parser = parser_of("browser.py")
    parser.add_argument("name")
    arguments = parser.parse_args()
    perform(arguments.jupyter, arguments.name, functools.partial(look, arguments.name))


if __name__ == "__main__":
    main()
