"""Answers the quiz forms of a page by keyboard alone, in headless Chromium.

    python form_by_keyboard.py PAGE.html [axe.min.js]

axe.min.js is axe-core's (npm pack axe-core); with it, the accessibility of the page is checked too.
"""

import json
import os
import pathlib
import re
import shutil
import sys

from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys


class Page:
    def __init__(self):
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--no-proxy-server"]:
            options.add_argument(argument)
        # Named, for selenium would look for a driver in the net, and ask for ours through a proxy.
        os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"
        driver = shutil.which("chromedriver")
        assert driver, "chromedriver is not installed (Debian: apt-get install chromium-driver)"
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))

    def press(self, *keys, held=None):
        chain = ActionChains(self.driver)
        if held:
            chain.key_down(held)
        chain.send_keys(*keys)
        if held:
            chain.key_up(held)
        chain.perform()

    def focus(self):
        """What a screen reader would name: the label, or the text."""
        return self.driver.execute_script(
            "const a = document.activeElement;"
            "return (a.labels && a.labels[0] ? a.labels[0] : a).textContent.trim()"
        )

    def tab_to(self, label):
        for _ in range(200):
            if self.focus().startswith(label):
                return
            self.press(Keys.TAB)
        raise AssertionError(f"{label!r} cannot be reached with the Tab key")

    def fill_in(self, *values):
        for value in values:
            self.press(value)
            self.press(Keys.TAB)
        self.press(Keys.ENTER)  # on the button

    def status(self, form):
        script = "return document.querySelectorAll('form [role=status]')[arguments[0]].innerText"
        return self.driver.execute_script(script, form)

    def expect(self, form, *texts):
        status = self.status(form)
        for text in texts:
            assert text in status, f"form {form} says {status!r}, not {text!r}"

    def accessible(self, axe, name):
        if axe is None:
            return
        self.driver.execute_script(axe)
        found = self.driver.execute_async_script("axe.run().then(arguments[0])")
        faults = [(v["id"], v["impact"], v["nodes"][0]["html"]) for v in found["violations"]]
        assert not faults, f"{name}: {json.dumps(faults, indent=1)}"
        print(f"axe, {name}: {len(found['passes'])} rules passed, none failed")


def with_script(page, path, axe):
    page.driver.get(path.as_uri())
    page.accessible(axe, "before")

    # a3: wrong, then mended without a mouse.
    page.tab_to("N 개")
    page.fill_in("32", "3", "3", "3")
    page.expect(0, "✗ Not right yet. Right so far: 3 of 4.", "✗ N 개 = 32: not yet", "✓ C 채 = 3: right")
    page.press(*[Keys.TAB] * 4, held=Keys.SHIFT)
    page.press("a", held=Keys.CONTROL)
    page.press("10")
    page.press(Keys.ENTER)
    page.expect(0, "✓ Right.")
    page.tab_to("Quiz a3: hint 1")
    page.press(Keys.SPACE)
    assert page.driver.execute_script("return document.activeElement.parentElement.open")

    # b2: the misconception is named.
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

    # why1: one of two.
    page.tab_to("F: the fully connected network")
    page.press(Keys.SPACE)
    page.press(Keys.ENTER)
    page.expect(3, "✓ Right.")

    # chan1: nonsense, then a known wrong answer.
    page.tab_to("weights")
    page.press("abc")
    page.press(Keys.ENTER)
    page.expect(4, "expected a whole number")
    page.press(*[Keys.BACKSPACE] * 3)
    page.press("25")
    page.press(Keys.ENTER)
    page.expect(4, "That is one 5x5 kernel")

    # pool1: whatever the channels are said to be.
    page.tab_to("C 채")
    page.fill_in("5", "4", "3")
    page.expect(5, "pooling processes each channel separately", "✓ W 열 = 3: right")
    page.accessible(axe, "after")
    assert page.driver.current_url == path.as_uri()


def without_script(page, path, axe):
    """As an untrusted notebook shows it: no script, inputs disabled; then, as a plain page."""
    stripped = re.sub(r"<script>.*?</script>", "", path.read_text(encoding="utf-8"), flags=re.S)
    other = path.with_name("without-script.html")
    other.write_text(stripped.replace("<input ", "<input disabled "), encoding="utf-8")
    page.driver.get(other.as_uri())
    page.accessible(axe, "without its script")
    page.tab_to("Quiz a3: the answer")
    page.press(Keys.ENTER)
    shown = page.driver.execute_script("return document.activeElement.parentElement.innerText")
    assert "[10, 3, 3, 3]" in shown, shown
    assert "run" in page.driver.execute_script("return document.querySelector('.nchw-off').innerText")

    other.write_text(stripped, encoding="utf-8")
    page.driver.get(other.as_uri())
    page.tab_to("N 개")
    page.press("3", Keys.ENTER)
    assert page.driver.current_url == other.as_uri(), "the form left the page"


def main():
    path = pathlib.Path(sys.argv[1]).resolve()
    axe = pathlib.Path(sys.argv[2]).read_text(encoding="utf-8") if len(sys.argv) > 2 else None
    page = Page()
    try:
        with_script(page, path, axe)
        without_script(page, path, axe)
    finally:
        page.driver.quit()
    print("the forms can be answered by keyboard alone")


if __name__ == "__main__":
    main()
