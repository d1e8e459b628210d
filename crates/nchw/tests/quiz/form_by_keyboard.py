"""Answers the quiz forms of a page with the keyboard, in headless Chromium.

    python form_by_keyboard.py PAGE.html [axe.min.js]

With axe.min.js, from axe-core (`npm pack axe-core`), the page is checked for accessibility, too.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

from selenium.webdriver.common.keys import Keys

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "xtask/python"))
from browser.chromium import chromium, focused, press, replace_text, tab_to  # noqa: E402  (needs the path above)


class Page:
    def __init__(self, browser, axe):
        self.browser, self.axe = browser, axe

    def press(self, *keys, held=None):
        press(self.browser, *keys, held=held)

    def tab_to(self, label):
        if not focused(self.browser).startswith(label):
            tab_to(self.browser, label, limit=200)

    def fill_in(self, *values):
        for value in values:
            self.press(value)
            self.press(Keys.TAB)
        self.press(Keys.ENTER)  # The focus is on the button.

    def status(self, form):
        script = "return document.querySelectorAll('form [role=status]')[arguments[0]].innerText"
        return self.browser.execute_script(script, form)

    def expect(self, form, *texts):
        status = self.status(form)
        for text in texts:
            assert text in status, f"form {form} says {status!r}, not {text!r}"

    def check_accessibility(self, name):
        if self.axe is None:
            return
        self.browser.execute_script(self.axe)
        found = self.browser.execute_async_script("axe.run().then(arguments[0])")
        violations = [(v["id"], v["impact"], v["nodes"][0]["html"]) for v in found["violations"]]
        assert not violations, f"{name}: {json.dumps(violations, indent=1)}"
        print(f"axe, {name}: {len(found['passes'])} rules passed, none failed")


def answer_questions(page, path):
    page.browser.get(path.as_uri())
    page.check_accessibility("before")

    # a3: a wrong answer, then the right one.
    page.tab_to("N 개")
    page.fill_in("32", "3", "3", "3")
    page.expect(0, "✗ Not right yet. Right so far: 3 of 4.", "✗ N 개 = 32: not yet", "✓ C 채 = 3: right")
    page.press(*[Keys.TAB] * 4, held=Keys.SHIFT)
    replace_text(page.browser, "10")
    page.press(Keys.ENTER)
    page.expect(0, "✓ Right.")
    page.tab_to("Quiz a3: hint 1")
    page.press(Keys.SPACE)
    assert page.browser.execute_script("return document.activeElement.parentElement.open")

    # b2: the reply explains the misconception.
    page.tab_to("N 개")
    page.fill_in("20", "3", "3", "3")
    page.expect(1, "the image had 3 channels")

    # e1: boxes to tick.
    page.tab_to("N: the number of filters")
    for _ in range(4):
        page.press(Keys.SPACE)
        page.press(Keys.TAB)
    page.press(Keys.ENTER)
    page.expect(2, "✗ N C H W", "C is determined")
    page.press(*[Keys.TAB] * 3, held=Keys.SHIFT)
    page.press(Keys.SPACE)
    page.tab_to("Check")
    page.press(Keys.SPACE)
    page.expect(2, "✓ Right.")

    # why1: a choice of two.
    page.tab_to("F: the fully connected network")
    page.press(Keys.SPACE)
    page.press(Keys.ENTER)
    page.expect(3, "✓ Right.")

    # chan1: text instead of a number, then a known wrong answer.
    page.tab_to("weights")
    page.press("abc")
    page.press(Keys.ENTER)
    page.expect(4, "expected a whole number")
    page.press(*[Keys.BACKSPACE] * 3)
    page.press("25")
    page.press(Keys.ENTER)
    page.expect(4, "That is one 5x5 kernel")

    # pool1: the row and column are judged even if the channels are wrong.
    page.tab_to("C 채")
    page.fill_in("5", "4", "3")
    page.expect(5, "pooling processes each channel separately", "✓ W 열 = 3: right")
    page.check_accessibility("after")
    assert page.browser.current_url == path.as_uri()


def read_without_script(page, path):
    """Reads the page as an untrusted notebook shows it, without scripts and with disabled inputs; then as a plain page."""
    stripped = re.sub(r"<script>.*?</script>", "", path.read_text(encoding="utf-8"), flags=re.S)
    other = path.with_name("without-script.html")
    other.write_text(stripped.replace("<input ", "<input disabled "), encoding="utf-8")
    page.browser.get(other.as_uri())
    page.check_accessibility("without its script")
    page.tab_to("Quiz a3: the answer")
    page.press(Keys.ENTER)
    shown = page.browser.execute_script("return document.activeElement.parentElement.innerText")
    assert "[10, 3, 3, 3]" in shown, shown
    assert "run" in page.browser.execute_script("return document.querySelector('.nchw-off').innerText")

    other.write_text(stripped, encoding="utf-8")
    page.browser.get(other.as_uri())
    page.tab_to("N 개")
    page.press("3", Keys.ENTER)
    assert page.browser.current_url == other.as_uri(), "the form left the page"


def main():
    path = Path(sys.argv[1]).resolve()
    axe = Path(sys.argv[2]).read_text(encoding="utf-8") if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, chromium(Path(folder)) as browser:
        page = Page(browser, axe)
        answer_questions(page, path)
        read_without_script(page, path)
    print("the forms can be answered with the keyboard")


if __name__ == "__main__":
    main()
