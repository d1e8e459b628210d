"""Uses the interactive figures in a browser: mouse, keyboard, a phone's width, light and dark.

    python -m browser.play PAGES [--axe axe.min.js] [FIGURE ...]

PAGES is the folder that `cargo run -p nchw-web --example pages -- PAGES` writes. Takes screenshots in all widths and
themes: `test-artifacts/play-*.png`. With axe.min.js, from axe-core, the pages are checked for accessibility, too.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
from pathlib import Path

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser.book import set_width
from browser.chromium import chromium, focused, press, replace_text, tab_to
from browser.explorer import use_explorer
from browser.filter_lab import use_filter
from browser.lab import prepare_artifacts, take_screenshot
from common import Failure, exit_on_sigterm, marked_environment, wait_until

WIDTHS = {"phone": 360, "desktop": 1280}
# A page answers within half a second of its loading; this machine may be busy with other checks.
PATIENCE = 10

AXE = """
axe.run().then(found => arguments[0](found.violations
  .filter(v => ['serious', 'critical'].includes(v.impact))
  .map(v => [v.id, v.impact, v.nodes.map(node => node.html).slice(0, 3)])));
"""

# When the figure is drawn and answers, in milliseconds since the page was opened.
NOTE_READY = """
new MutationObserver((changes, observer) => {
  if (!document.querySelector('.nchw-play[data-ready]')) return;
  window.nchwReady = performance.now();
  observer.disconnect();
}).observe(document, {subtree: true, childList: true, attributes: true, attributeFilter: ['data-ready']});
"""

# Everything that the page has requested apart from itself.
LOADED = "return performance.getEntriesByType('resource').map(entry => entry.name)"


class Page:
    """One figure on a page of its own."""

    def __init__(self, browser, folder, name):
        self.browser, self.path, self.name = browser, folder / f"{name}.html", name
        self.starts = []

    def open(self, size="desktop", theme="light", motion="no-preference"):
        set_width(self.browser, WIDTHS[size])
        features = [{"name": "prefers-color-scheme", "value": theme}, {"name": "prefers-reduced-motion", "value": motion}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.browser.get(self.path.as_uri())
        self.wait(lambda: self.find(".nchw-play").get_attribute("data-ready") in ("yes", "failed"), "the figure to start")
        self.expect(self.find(".nchw-play").get_attribute("data-ready"), "yes", "the figure to start")
        self.starts.append(self.browser.execute_script("return window.nchwReady"))

    def find(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return " ".join(found.text for found in self.browser.find_elements(By.CSS_SELECTOR, selector))

    def button(self, text):
        return next(b for b in self.browser.find_elements(By.CSS_SELECTOR, "button") if b.text.startswith(text))

    def press(self, *keys):
        press(self.browser, *keys)

    def wait(self, condition, what):
        return wait_until(condition, PATIENCE, f"{self.name}: expected {what}")

    def expect(self, found, expected, what):
        if found != expected:
            raise Failure(f"{self.name}: expected {what}: {expected!r}, found {found!r}")

    def contains(self, found, *expected):
        for text in expected:
            if text not in found:
                raise Failure(f"{self.name}: expected {text!r} in {found!r}")


def type_layers(page, text):
    page.find("textarea[aria-invalid]")
    areas = page.browser.find_elements(By.CSS_SELECTOR, "textarea")
    areas[1].click()
    replace_text(page.browser, text)


def take_whole(page, size, name):
    """Takes a screenshot of the whole page; nothing may be wider than it."""
    height, width, across = page.browser.execute_script(
        "const {scrollHeight, scrollWidth, clientWidth} = document.documentElement;"
        "return [scrollHeight, scrollWidth, clientWidth]")
    page.expect(width, across, f"nothing that is wider than the page ({name})")
    set_width(page.browser, WIDTHS[size], height)
    take_screenshot(page.browser, f"play-{page.name}-{name}")


def use_shapes(page):
    page.open()
    # The table changes with each key.
    type_layers(page, "conv 8 3x3; maxpool 2")
    page.contains(page.text("table"), "conv 8 3x3", "8x3x3x3", "224", "194,400", "maxpool 2x2", "4x4")
    # A word that is half typed is marked; the table remains.
    type_layers(page, "conv 8 3x3; cnov")
    page.expect(page.find("mark").get_attribute("textContent"), "cnov", "a mark under the mistake")
    page.contains(page.text(".nchw-problem"), "did you mean `conv`")
    page.contains(page.text("table"), "conv 8 3x3", "194,400")
    # A layer that does not fit: the button writes the one that would.
    type_layers(page, "conv 8 3x3; conv 3->16 3x3")
    page.expect(page.find("mark").get_attribute("textContent"), "conv 3->16 3x3", "a mark under the layer")
    page.contains(page.text(".nchw-problem"), "expected 8", "got 3")
    page.button("Write").click()
    page.expect(page.browser.find_elements(By.CSS_SELECTOR, "mark"), [], "no mistake")
    value = page.browser.execute_script("return document.querySelectorAll('textarea')[1].value")
    page.expect(value, "conv 8 3x3; conv 8->16 3x3", "the correction in the text")
    # The receptive field: the mouse, then the arrow keys.
    grid = page.find("svg.nchw-map")
    ActionChains(page.browser).move_to_element_with_offset(grid, -100, -100).click().perform()
    page.contains(page.text(".nchw-figure"), "The value in row 0, column 0 sees rows 0 to 4; columns 0 to 4")
    page.press(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    page.contains(page.text(".nchw-figure"), "The value in row 1, column 2 sees rows 1 to 5; columns 2 to 6")
    # The keyboard alone: from the layers to the table, another layer, the output.
    areas = page.browser.find_elements(By.CSS_SELECTOR, "textarea")
    areas[1].click()
    tab_to(page.browser, "conv 8->16 3x3")
    page.press(Keys.ARROW_UP)
    page.expect(focused(page.browser), "conv 8 3x3", "the first layer to have the focus")
    page.contains(page.text(".nchw-figure"), "sees rows 14 to 16; columns 14 to 16")
    # Every preset, with each key of a menu.
    menu = page.find("select")
    for option in menu.find_elements(By.CSS_SELECTOR, "option"):
        option.click()
        mistakes = len(page.browser.find_elements(By.CSS_SELECTOR, "mark"))
        page.expect(mistakes, int("mistake" in option.text), f"mistakes in {option.text!r}")
    page.find("option").click()


# The arithmetic in the page's own explanation: the right answer of the question.
def solve(page):
    page.button("Show the arithmetic").click()
    return re.search(r"The answer is ([\dx]+)\.", page.text(".nchw-reply")).group(1)


def use_quiz(page):
    page.open()
    page.browser.execute_script("localStorage.clear()")
    page.open()
    page.find("form input").click()
    # Nothing, a wrong answer, the answer, the next question: with the keyboard alone.
    page.press(Keys.ENTER)
    page.contains(page.text(".nchw-reply"), "does not count", "The answer is empty")
    first = page.text(".nchw-question")
    page.contains(page.text(".nchw-score"), "No answers yet")
    count = page.find("form label").text.count(",") + 1
    page.press("x".join(["7777"] * count), Keys.ENTER)
    page.contains(page.text(".nchw-reply"), "✗ Not right yet", "7777: not yet (")
    page.contains(page.text(".nchw-score"), "0 of 1")
    tab_to(page.browser, "Hint")
    page.press(Keys.ENTER)
    page.contains(page.text(".nchw-reply"), "Hint: ")
    answer = solve(page)
    page.find("form input").click()
    replace_text(page.browser, answer)
    page.press(Keys.ENTER)
    page.contains(page.text(".nchw-reply"), "✓ Right.")
    page.expect(focused(page.browser), "Next question", "the focus")
    page.press(Keys.ENTER)
    if page.text(".nchw-question") == first:
        raise Failure("quiz: Enter did not ask the next question")
    page.expect(page.browser.execute_script("return document.activeElement.tagName"), "INPUT", "the focus in the field")
    # The score is kept.
    page.open()
    page.contains(page.text(".nchw-score"), "0 of 1")
    page.button("Reset the score").click()
    page.contains(page.text(".nchw-score"), "No answers yet")



# Moves the mouse to a cell of a matrix, which may surround its numbers with padding.
def hover(page, matrix, row, column, action=lambda chain: chain):
    sides = page.browser.execute_script(
        "const svg = document.querySelectorAll('svg.nchw-cells')[arguments[0]];"
        "svg.scrollIntoView({block: 'center'});"
        "const {x, y} = svg.getBoundingClientRect();"
        "const unit = Number(svg.querySelector('rect').getAttribute('width'));"
        "return [x, y, unit]", matrix)
    x, y, unit = sides
    chain = ActionChains(page.browser)
    chain.w3c_actions.pointer_action.move_to_location(round(x + 3 + (column + .5) * unit), round(y + 3 + (row + .5) * unit))
    action(chain)
    chain.perform()


def choose(page, menu, text):
    options = page.browser.find_elements(By.CSS_SELECTOR, "select")[menu].find_elements(By.CSS_SELECTOR, "option")
    next(option for option in options if option.text.startswith(text)).click()


# Presses Tab until the matrix with this label has the focus.
def tab_to_matrix(page, label):
    for _ in range(40):
        page.press(Keys.TAB)
        if (page.browser.switch_to.active_element.get_attribute("aria-label") or "").startswith(label):
            return
    raise Failure(f"{page.name}: expected to reach {label!r} with the Tab key")


# A button by its label, such as "Stride: more".
def labelled(page, label):
    return page.find(f"[aria-label='{label}']")


def use_window(page):
    page.open()
    figure = lambda: page.text(".nchw-figure")
    # The notebook's edge: 0 3 3 0 in every row. The mouse moves the window.
    page.contains(page.text(".nchw-formula"), "floor((6 + 2*0 - 1*(3-1) - 1) / 1) + 1", "= 4")
    hover(page, 1, 2, 1)
    page.contains(figure(), "Output row 2, column 1: 3", "1 × 1", "= 1", "0 × (−1)", "sum of the products = 3")
    page.expect(len(page.browser.find_elements(By.CSS_SELECTOR, ".nchw-products li")), 9, "nine products")
    # An input: the outputs that use it. A pressed mouse moves the window instead.
    hover(page, 0, 3, 3)
    page.contains(figure(), "Image row 3, column 3 (1) is used by 9 outputs: rows 1 to 3; columns 1 to 3")
    hover(page, 0, 1, 1, lambda chain: chain.w3c_actions.pointer_action.pointer_down())
    hover(page, 0, 3, 4, lambda chain: chain.w3c_actions.pointer_action.pointer_up())
    page.contains(figure(), "Output row 2, column 3: 0")
    # The keyboard alone: from the image to the result, all keys.
    page.find("svg.nchw-map").click()
    tab_to_matrix(page, "Result")
    page.press(Keys.HOME, Keys.ARROW_UP, Keys.ARROW_RIGHT)
    page.contains(figure(), "Output row 1, column 1: 3")
    page.press(Keys.END, Keys.ARROW_DOWN)
    page.contains(figure(), "Output row 2, column 3: 0")
    ActionChains(page.browser).key_down(Keys.CONTROL).send_keys(Keys.HOME).key_up(Keys.CONTROL).perform()
    page.contains(figure(), "Output row 0, column 0: 0")
    # Every setting changes the formula; what does not fit keeps the last result.
    for label in ("Stride: more", "Padding: more", "Dilation: more"):
        labelled(page, label).click()
    page.contains(page.text(".nchw-formula"), "floor((6 + 2*1 - 2*(3-1) - 1) / 2) + 1 = floor(3 / 2) + 1 = 2", "the floor rounds 1.50 down")
    page.contains(figure(), "Result: 2 x 2", "Image: 6 x 6 + padding 1")
    labelled(page, "Padding: less").click()
    for _ in range(2):
        labelled(page, "Dilation: more").click()
    page.contains(page.text(".nchw-problem"), "expected a window of at most 6 rows", "instead: a smaller window, more padding")
    page.contains(figure(), "Result: 1 x 1")
    labelled(page, "Kernel height: less").click()
    labelled(page, "Kernel width: less").click()
    page.expect(page.text(".nchw-problem"), "", "no problem with a smaller kernel")
    # A weight, not a number, and the bias.
    weight = labelled(page, "Weight, row 0, column 0")
    weight.click()
    replace_text(page.browser, "x")
    page.contains(page.text(".nchw-problem"), "kernel: row 0, column 0: expected a number such as 2, -0.5 or 1/9, got `x`")
    replace_text(page.browser, "1/2")
    page.expect(page.text(".nchw-problem"), "", "no problem with a number")
    # Three channels: 27 products, three sums, one number; the numbers of notebook 3.
    page.open()
    page.find("input[type=checkbox]").click()
    choose(page, 0, "Photo: a red column")
    choose(page, 1, "Red vertical edge")
    hover(page, 3, 0, 1)
    page.contains(figure(), "red 1.4 + green (−0.35) + blue (−0.3) = 0.75", "Sum for green: −0.35", "Result: 2 x 3")
    page.expect(len(page.browser.find_elements(By.CSS_SELECTOR, ".nchw-products li")), 27, "27 products")
    for menu in (0, 1):
        for name in [option.text for option in page.browser.find_elements(By.CSS_SELECTOR, "select")[menu].find_elements(By.CSS_SELECTOR, "option")]:
            if name and not name.startswith("Your own"):
                choose(page, menu, name)
                page.expect(page.text(".nchw-problem"), "", f"no problem with {name!r}")
    # The reader's own numbers, as they are written in a notebook.
    page.find("input[type=checkbox]").click()
    page.find("summary").click()
    page.find("textarea").click()
    replace_text(page.browser, "[[1, 2, 0], [0, 1, 3], [4, 0, 1]]")
    page.contains(figure(), "Image: 3 x 3")
    # The animation fills the result, can be paused, and ends; with reduced motion there are single steps.
    page.open()
    filled = lambda: 16 - len(page.browser.find_elements(By.CSS_SELECTOR, ".nchw-empty"))
    page.button("▶ Play").click()
    page.wait(lambda: filled() in (2, 3), "the animation to move")
    page.button("❚❚ Pause").click()
    page.button("Next step").click()
    page.expect(filled() in (3, 4, 5), True, "one more step")
    page.open(motion="reduce")
    page.expect([b.text for b in page.browser.find_elements(By.CSS_SELECTOR, ".nchw-middle button") if b.is_displayed()], ["Next step"], "no animation")
    for count in (1, 2):
        page.button("Next step").click()
        page.expect(filled(), count, "filled results")
    check_narrow(page)


def use_pool(page):
    page.open()
    figure = lambda: page.text(".nchw-figure")
    page.contains(figure(), "Maximum: 2 x 3", "Average: 2 x 3")
    # The mouse over a result, and over the map.
    hover(page, 1, 0, 1)
    page.contains(figure(), "largest of 2, 3, 6, 8 = 8", "(2 + 3 + 6 + 8) / 4 = 4.75")
    hover(page, 0, 3, 4)
    page.contains(figure(), "largest of 5, 5, 5, 5 = 5", "(5 + 5 + 5 + 5) / 4 = 5")
    # The keyboard: the window, then a shift with the arrow keys on the buttons.
    page.find("svg.nchw-map").click()
    tab_to_matrix(page, "Average")
    page.press(Keys.HOME, Keys.ARROW_UP, Keys.ARROW_RIGHT)
    page.contains(figure(), "largest of 2, 3, 6, 8 = 8")
    choose(page, 0, "A thin line")
    labelled(page, "Shift right").click()
    page.contains(figure(), "Shifted by 1 to the right. Numbers of the map: 12 of 48 changed. Maxima: 6 of 12 changed")
    page.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    page.contains(figure(), "Shifted by 1 to the left", "◥ 0 of 12 changed")
    page.expect(len(page.browser.find_elements(By.CSS_SELECTOR, ".nchw-flag")), 0, "no marks on equal results")
    labelled(page, "Shift down").click()
    page.contains(figure(), "Shifted by 1 down and by 1 to the left")
    labelled(page, "Back to the unshifted map").click()
    page.contains(figure(), "The map is not shifted")
    # Settings that do not fit keep the last result.
    for _ in range(3):
        labelled(page, "Kernel: more").click()
    page.contains(page.text(".nchw-formula"), "floor((6 - 5) / 2) + 1 = floor(1 / 2) + 1 = 1")
    choose(page, 0, "Six regions")
    page.contains(page.text(".nchw-problem"), "expected a window of at most 4 rows")
    for _ in range(3):
        labelled(page, "Kernel: less").click()
    page.expect(page.text(".nchw-problem"), "", "no problem with a smaller window")
    check_narrow(page)


def check_narrow(page):
    """In the middle of its use, at all widths: a finger moves the window, and nothing is wider than the page."""
    for size in WIDTHS:
        for theme in ("light", "dark"):
            page.open(size, theme, "reduce")
            if page.name == "window":
                page.find("input[type=checkbox]").click()
                choose(page, 0, "Photo: a red column")
                choose(page, 1, "Red vertical edge")
                labelled(page, "Padding: more").click()
                hover(page, 3, 1, 1)
            else:
                choose(page, 0, "A broad bar")
                labelled(page, "Shift right").click()
                hover(page, 1, 1, 2)
            take_whole(page, size, f"used-{size}-{theme}")


FIGURES = {"window": use_window, "pool": use_pool, "filter": use_filter, "shapes": use_shapes, "quiz": use_quiz, "explorer": use_explorer}


def check_looks(page, axe):
    """Every width and theme: nothing is wider than the page, no serious accessibility violation."""
    for size in WIDTHS:
        for theme in ("light", "dark"):
            page.open(size, theme, "reduce")
            take_whole(page, size, f"{size}-{theme}")
            if axe:
                page.browser.execute_script(axe)
                violations = page.browser.execute_async_script(AXE)
                page.expect(violations, [], f"no serious accessibility violation ({size}, {theme})")
    page.expect(page.browser.execute_script(LOADED), [], "nothing to be loaded")


def main():
    exit_on_sigterm()
    parser = argparse.ArgumentParser(prog="browser.play")
    parser.add_argument("pages", type=Path)
    parser.add_argument("--axe", type=Path, metavar="axe.min.js")
    parser.add_argument("names", nargs="*", metavar="FIGURE")
    arguments = parser.parse_args()
    axe = arguments.axe and arguments.axe.read_text(encoding="utf-8")
    names = arguments.names or list(FIGURES)
    prepare_artifacts()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="nchw-play-", ignore_cleanup_errors=True) as folder, \
            marked_environment() as environment, chromium(Path(folder), environment) as browser:
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NOTE_READY})
        for name in names:
            page = Page(browser, arguments.pages.resolve(), name)
            for check in (FIGURES[name], lambda page: check_looks(page, axe)):
                try:
                    check(page)
                except Failure as failure:
                    wrong.append(str(failure))
            print(f"  {name}: answers {statistics.median(page.starts):.0f} ms after the page was opened "
                  f"(median of {len(page.starts)}, {min(page.starts):.0f} to {max(page.starts):.0f})")
            errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
            if errors:
                wrong.append(f"{name}: errors in the console: {json.dumps(errors)}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"  interactive figures: {', '.join(names)} by mouse and keyboard, at {' and '.join(map(str, WIDTHS.values()))} "
          f"pixels, light and dark; {'no serious accessibility violation' if axe else 'accessibility not checked'}")


if __name__ == "__main__":
    main()
