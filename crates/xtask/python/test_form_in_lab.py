"""Reads and answers quiz forms in a real JupyterLab, by keyboard alone.

    test_form_in_lab.py --jupyter PYTHON [--axe axe.min.js]

The published notebook is opened as a learner first meets it: with outputs, and
not trusted, so that JupyterLab strips their scripts. Hints and answers must
fold out all the same. Then it is run, and a question answered, first wrong and
then right, while no key may reach the notebook behind the form.

Run by the Python of `.venv-browser`; see `browser.py`, whose tools it uses.
"""

import functools
import json
import shutil
from pathlib import Path

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

import browser as lab
from browser import Wrong

NAME = "03-channels"
# The cell `quiz_form(&["a2", "a3", "a4"])`: numbers. The cell of "d1": one of three.
NUMBERS, CHOICE = "a2", "d1"
# In a cell beside the form each of these would act on the notebook: new cells, other
# kinds, cells cut and deleted, the kernel stopped and restarted, the cell run.
ACTING = "abxycmrzvkj1dd00ii"

FORM = """
const form = [...document.querySelectorAll('.jp-NotebookPanel form.nchw-quiz')]
  .find(f => f.querySelector('legend').textContent.startsWith(`Quiz ${arguments[0]} `));
"""

# Whoever sees a form sees this of it.
SEEN = FORM + """
if (!form) return null;
const off = form.querySelector('.nchw-off');
return {off: off.checkVisibility(), inputs: form.querySelectorAll('input:not([disabled])').length,
        status: form.querySelector('[role=status]')?.textContent ?? ''};
"""

# What no key may change: how many cells, of what kind, with what text and which count.
CELLS = """
return [...document.querySelectorAll('.jp-NotebookPanel .jp-Notebook .jp-Cell')].map(cell => [
  ['jp-CodeCell', 'jp-MarkdownCell', 'jp-RawCell'].find(kind => cell.classList.contains(kind)),
  cell.querySelector('.jp-InputPrompt')?.textContent, cell.querySelector('.cm-content')?.textContent]);
"""

# As a screen reader would name it.
FOCUS = """
const element = document.activeElement;
return (element.labels?.[0] ?? element).textContent.trim();
"""

AXE = FORM + """
axe.run(form.parentElement).then(found => arguments[1](found.violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .map(v => [v.id, v.impact, v.nodes[0].html])));
"""


def press(browser, *keys, held=None):
    chain = ActionChains(browser)
    if held:
        chain.key_down(held)
    chain.send_keys(*keys)
    if held:
        chain.key_up(held)
    chain.perform()


def seen(browser, quiz):
    return browser.execute_script(SEEN, quiz)


def expect(what, true, found):
    if not true:
        raise Wrong(f"expected {what}, seen {found!r}")


def enter(browser, quiz):
    """Selects the form's cell, as a learner who has just read the one before; the last click."""
    form = browser.execute_script(FORM + "form.scrollIntoView({block: 'center'}); return form", quiz)
    cell = form.find_element(By.XPATH, "ancestor::div[contains(@class, 'jp-CodeCell')]")
    cell.find_element(By.CSS_SELECTOR, ".jp-InputPrompt").click()


def tab_to(browser, label, limit=40):
    names = []
    while not (names and names[-1].startswith(label)):
        expect(f"{label!r} within {limit} presses of Tab", len(names) < limit, names)
        press(browser, Keys.TAB)
        names.append(browser.execute_script(FOCUS))


def fold_out(browser, summary):
    """Opens it by keyboard: the text that was folded in."""
    tab_to(browser, summary)
    press(browser, Keys.SPACE)
    text = browser.execute_script("const d = document.activeElement.parentElement; return d.open ? d.innerText : ''")
    return text.removeprefix(summary).strip()


def read_untrusted(browser):
    """Without its script the form says how it comes alive, and folds out hint and answer."""
    now = lab.wait(lambda: seen(browser, NUMBERS), lab.PICTURE_LIMIT, lambda: f"no form of {NUMBERS} is on the page")
    expect("a form that says it is not alive, and takes no answer", now["off"] and not now["inputs"], now)
    enter(browser, NUMBERS)
    for summary, due in ((f"Quiz {NUMBERS}: hint 1", ""), (f"Quiz {NUMBERS}: the answer", "[5, 5]")):
        text = fold_out(browser, summary)
        expect(f"{summary!r} to fold out, with {due!r}", text and due in text, text)


def run(browser, cells):
    """Runs all: seconds. The published counts would pass for those of this run: first they must go."""
    lab.click_run_all(browser)
    lab.wait(lambda: any(cell["prompt"] == lab.RUNNING for cell in lab.state(browser)["cells"]), 10,
             lambda: "Run All Cells ran nothing")
    return lab.watch_run(browser, cells)[1]


def typed(browser, keys):
    """What stands in the box that has the focus, after these keys."""
    press(browser, *keys)
    return browser.execute_script("return document.activeElement.value")


def replace(browser, text):
    press(browser, "a", held=Keys.CONTROL)
    press(browser, text)


def answer_numbers(browser):
    """First the keys that a notebook takes for commands, then a wrong answer, then the right one."""
    enter(browser, NUMBERS)
    tab_to(browser, "H")
    value = typed(browser, ACTING)
    expect(f"{ACTING!r} in the box", value == ACTING, value)
    for held in (Keys.SHIFT, Keys.CONTROL, Keys.ALT):
        press(browser, Keys.ENTER, held=held)
    replace(browser, "7")
    press(browser, Keys.TAB, "5", Keys.ENTER)
    status = seen(browser, NUMBERS)["status"]
    expect("what is wrong and what is right", "Right so far: 1 of 2" in status and "H 행 = 7: not yet" in status, status)
    lab.shoot(browser, f"{NAME}-form-wrong")
    press(browser, Keys.TAB, held=Keys.SHIFT)
    press(browser, "5", Keys.ENTER)
    status = seen(browser, NUMBERS)["status"]
    expect("\"✓ Right.\"", status.startswith("✓ Right."), status)
    lab.shoot(browser, f"{NAME}-form-right")


def answer_choice(browser):
    enter(browser, CHOICE)
    tab_to(browser, "A: ")
    press(browser, *ACTING)
    press(browser, Keys.SPACE, Keys.ENTER)
    status = seen(browser, CHOICE)["status"]
    expect("\"✗ Not right yet.\"", status.startswith("✗ Not right yet."), status)
    press(browser, Keys.ARROW_DOWN, Keys.ENTER)
    status = seen(browser, CHOICE)["status"]
    expect("\"✓ Right.\"", status.startswith("✓ Right."), status)


def answer(browser):
    """Answers by keyboard, and sees that the notebook stayed as it was."""
    before = browser.execute_script(CELLS)
    for answers in (answer_numbers, answer_choice):
        answers(browser)
        after = browser.execute_script(CELLS)
        changed = [(old, new) for old, new in zip(before, after) if old != new]
        expect("a notebook that no key of an answer changed", len(after) == len(before) and not changed,
               f"{len(after)} of {len(before)} cells, {changed[:2]}")
    # The page does not draw cells that are far away; what was answered is there when they come back.
    browser.execute_script("document.querySelector('.jp-NotebookPanel .jp-Cell').scrollIntoView()")
    status = seen(browser, CHOICE)["status"]
    expect("the answer after scrolling away", status.startswith("✓ Right."), status)


def accessible(browser, axe):
    browser.execute_script(axe.read_text(encoding="utf-8"))
    for quiz in (NUMBERS, CHOICE):
        faults = browser.execute_async_script(AXE, quiz)
        expect(f"no serious fault of accessibility in the output with {quiz}", not faults, json.dumps(faults))


def test(axe, _python, browser, server, folder):
    published = lab.ROOT / "notebooks" / f"{NAME}.ipynb"
    shutil.copy(published, folder)
    raw = json.loads(published.read_text(encoding="utf-8"))
    cells = [lab.Cell(number, cell) for number, cell in enumerate(raw["cells"], 1)]
    lab.open_notebook(browser, *server, NAME, cells)
    read_untrusted(browser)
    lab.shoot(browser, f"{NAME}-untrusted")
    seconds = run(browser, cells)
    for quiz in (NUMBERS, CHOICE):
        now = seen(browser, quiz)
        expect(f"a form of {quiz} that is alive", now and now["inputs"] and not now["off"], now)
    answer(browser)
    if axe:
        accessible(browser, axe)
    checked = "no serious fault of accessibility" if axe else "accessibility not checked"
    return f"{NAME}: folded out untrusted, all run after {seconds:.1f} s, answered by keyboard alone; {checked}"


def main():
    parser = lab.parser_of("test_form_in_lab.py")
    parser.add_argument("--axe", type=Path, metavar="axe.min.js")
    arguments = parser.parse_args()
    lab.perform(arguments.jupyter, NAME, functools.partial(test, arguments.axe))


if __name__ == "__main__":
    main()
