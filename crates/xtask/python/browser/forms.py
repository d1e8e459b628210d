"""Reads and answers quiz forms in JupyterLab with the keyboard.

    python -m browser.forms --jupyter PYTHON [--axe axe.min.js]

The published notebook is opened as a learner first sees it: with outputs, and not trusted, so JupyterLab removes the
scripts. Hints and answers must open all the same. Then the notebook is run and two questions are answered, first wrong
and then right. No key may reach the notebook behind the form. PYTHON is the Python of `.venv`. With axe.min.js, from
axe-core, the forms are checked for accessibility, too.
"""

import functools
import json
import shutil
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import lab
from browser.chromium import press, replace_text, tab_to
from common import NOTEBOOKS, Failure, wait_until

NAME = "03-channels"
# The first question of the cell `quiz_form(&["a2", "a3", "a4"])` asks for numbers; "d1" offers three choices.
NUMBERS, CHOICE = "a2", "d1"
# JupyterLab's command mode would act on each of these keys: insert cells, change their type, cut and delete them,
# interrupt and restart the kernel.
COMMAND_KEYS = "abxycmrzvkj1dd00ii"

FORM = """
const form = [...document.querySelectorAll('.jp-NotebookPanel form.nchw-quiz')]
  .find(f => f.querySelector('legend').textContent.startsWith(`Quiz ${arguments[0]} `));
"""

# What a user sees of a form.
SEEN = FORM + """
if (!form) return null;
const off = form.querySelector('.nchw-off');
return {off: off.checkVisibility(), inputs: form.querySelectorAll('input:not([disabled])').length,
        status: form.querySelector('[role=status]')?.textContent ?? ''};
"""

# What no key may change: the number of cells, and their types, texts and execution counts.
CELLS = """
return [...document.querySelectorAll('.jp-NotebookPanel .jp-Notebook .jp-Cell')].map(cell => [
  ['jp-CodeCell', 'jp-MarkdownCell', 'jp-RawCell'].find(kind => cell.classList.contains(kind)),
  cell.querySelector('.jp-InputPrompt')?.textContent, cell.querySelector('.cm-content')?.textContent]);
"""

AXE = FORM + """
axe.run(form.parentElement).then(found => arguments[1](found.violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .map(v => [v.id, v.impact, v.nodes[0].html])));
"""


def seen(browser, quiz):
    return browser.execute_script(SEEN, quiz)


def expect(condition, what, found):
    if not condition:
        raise Failure(f"expected {what}, found {found!r}")


def select_cell(browser, quiz):
    """Clicks beside the form, which selects its cell. From here on only the keyboard is used."""
    form = browser.execute_script(FORM + "form.scrollIntoView({block: 'center'}); return form", quiz)
    cell = form.find_element(By.XPATH, "ancestor::div[contains(@class, 'jp-CodeCell')]")
    cell.find_element(By.CSS_SELECTOR, ".jp-InputPrompt").click()


def open_details(browser, summary):
    """Opens a hint or an answer; returns its text."""
    tab_to(browser, summary)
    press(browser, Keys.SPACE)
    text = browser.execute_script("const d = document.activeElement.parentElement; return d.open ? d.innerText : ''")
    return text.removeprefix(summary).strip()


def check_untrusted(browser):
    """Without its script, the form says that it is not active, takes no answer, and shows hint and answer."""
    now = wait_until(lambda: seen(browser, NUMBERS), 10, f"no form of {NUMBERS} is on the page")
    expect(now["off"] and not now["inputs"], "a form that says it is not active, and takes no answer", now)
    select_cell(browser, NUMBERS)
    for summary, expected in ((f"Quiz {NUMBERS}: hint 1", ""), (f"Quiz {NUMBERS}: the answer", "[5, 5]")):
        text = open_details(browser, summary)
        expect(text and expected in text, f"{summary!r} to open and to show {expected!r}", text)


def run(browser, cells):
    """Runs all cells; returns the seconds that this took."""
    lab.click_run_all(browser)
    # The published execution counts must disappear first: they look like those of a finished run.
    wait_until(lambda: any(cell["prompt"] == lab.RUNNING for cell in lab.state(browser)["cells"]), 10,
               "Run All Cells ran nothing")
    return lab.wait_for_run(browser, cells)[1]


def check_status(browser, quiz, what, *words):
    status = seen(browser, quiz)["status"]
    expect(all(word in status for word in words), what, status)


def check_counted(browser, quiz):
    """The server has noted the attempt, so that `quiz::progress()` counts it."""
    wait_until(lambda: "Counted in quiz::progress()." in seen(browser, quiz)["status"], 10,
               lambda: f"the answer is not counted: {seen(browser, quiz)['status']}")


def answer_numbers(browser):
    """Types keys that are commands of the notebook, then a wrong answer, then the right one."""
    select_cell(browser, NUMBERS)
    tab_to(browser, "H")
    press(browser, *COMMAND_KEYS)
    value = browser.execute_script("return document.activeElement.value")
    expect(value == COMMAND_KEYS, f"{COMMAND_KEYS!r} in the field", value)
    for held in (Keys.SHIFT, Keys.CONTROL, Keys.ALT):
        press(browser, Keys.ENTER, held=held)
    replace_text(browser, "7")
    press(browser, Keys.TAB, "5", Keys.ENTER)
    check_status(browser, NUMBERS, "which number is wrong and which is right", "Right so far: 1 of 2", "H 행 = 7: not yet")
    lab.take_screenshot(browser, f"{NAME}-form-wrong")
    press(browser, Keys.TAB, held=Keys.SHIFT)
    press(browser, "5", Keys.ENTER)
    check_status(browser, NUMBERS, "\"✓ Right.\"", "✓ Right.")
    check_counted(browser, NUMBERS)
    lab.take_screenshot(browser, f"{NAME}-form-right")


def answer_choice(browser):
    select_cell(browser, CHOICE)
    tab_to(browser, "A: ")
    press(browser, *COMMAND_KEYS)
    press(browser, Keys.SPACE, Keys.ENTER)
    check_status(browser, CHOICE, "\"✗ Not right yet.\"", "✗ Not right yet.")
    press(browser, Keys.ARROW_DOWN, Keys.ENTER)
    check_status(browser, CHOICE, "\"✓ Right.\"", "✓ Right.")


def check_answers(browser):
    """Answers two questions, and checks that the notebook did not change."""
    before = browser.execute_script(CELLS)
    for answer in (answer_numbers, answer_choice):
        answer(browser)
        after = browser.execute_script(CELLS)
        changed = [(old, new) for old, new in zip(before, after) if old != new]
        expect(len(after) == len(before) and not changed, "that the keys of an answer change nothing in the notebook",
               f"{len(after)} of {len(before)} cells, changed: {changed[:2]}")
    # JupyterLab removes distant cells from the page; the answer must be there when they return.
    browser.execute_script("document.querySelector('.jp-NotebookPanel .jp-Cell').scrollIntoView()")
    check_status(browser, CHOICE, "the answer after scrolling away", "✓ Right.")


def check_accessibility(browser, axe):
    browser.execute_script(axe.read_text(encoding="utf-8"))
    for quiz in (NUMBERS, CHOICE):
        violations = browser.execute_async_script(AXE, quiz)
        expect(not violations, f"no serious accessibility violation in the output with {quiz}", json.dumps(violations))


def check(axe, browser, server, folder):
    """The whole check; returns a summary."""
    notebook = shutil.copy(NOTEBOOKS / f"{NAME}.ipynb", folder)
    cells = lab.read_cells(Path(notebook))
    lab.open_notebook(browser, server, NAME, cells)
    check_untrusted(browser)
    lab.take_screenshot(browser, f"{NAME}-untrusted")
    seconds = run(browser, cells)
    for quiz in (NUMBERS, CHOICE):
        now = seen(browser, quiz)
        expect(now and now["inputs"] and not now["off"], f"an active form of {quiz}", now)
    check_answers(browser)
    if axe:
        check_accessibility(browser, axe)
    checked = "no serious accessibility violation" if axe else "accessibility not checked"
    return f"{NAME}: hints open in the untrusted notebook, all cells run after {seconds:.1f} s, answered with the keyboard; {checked}"


def main():
    parser = lab.argument_parser("browser.forms")
    parser.add_argument("--axe", type=Path, metavar="axe.min.js")
    arguments = parser.parse_args()
    lab.visit(arguments.jupyter, NAME, functools.partial(check, arguments.axe))


if __name__ == "__main__":
    main()
