"""Headless Chromium, and what a user does with the keyboard."""

import contextlib
import os
import shutil

from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys

from common import Failure

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
         "--window-size=1400,1000",
         # A camera that shows moving colours, 60 images per second, and that need not be permitted.
         "--use-fake-device-for-media-stream=fps=60", "--use-fake-ui-for-media-stream")

# The name that a screen reader gives to the element with the focus: its label, or its text.
FOCUSED = """
const element = document.activeElement;
return (element.labels?.[0] ?? element).textContent.trim();
"""


@contextlib.contextmanager
def chromium(folder, environment=os.environ):
    """A browser that keeps its files in `folder`."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--user-data-dir={folder / 'browser'}"):
        options.add_argument(flag)
    # Without a path, selenium would try to download a driver.
    driver = shutil.which("chromedriver")
    if driver is None:
        raise Failure("chromedriver is not installed (Debian: apt-get install chromium-driver)")
    # Otherwise selenium would connect to the driver through the machine's proxy.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = no_proxy = "127.0.0.1,localhost"
    service = webdriver.ChromeService(driver, env={**environment, "no_proxy": no_proxy, "NO_PROXY": no_proxy})
    browser = webdriver.Chrome(options=options, service=service)
    try:
        yield browser
    finally:
        browser.quit()


def press(browser, *keys, held=None):
    """Presses the keys one after another, while `held` (Shift, for example) is held down."""
    chain = ActionChains(browser)
    if held:
        chain.key_down(held)
    chain.send_keys(*keys)
    if held:
        chain.key_up(held)
    chain.perform()


def focused(browser):
    return browser.execute_script(FOCUSED)


def tab_to(browser, label, limit=40):
    """Presses Tab until the element that has the focus begins with `label`."""
    names = []
    while not (names and names[-1].startswith(label)):
        if len(names) == limit:
            raise Failure(f"expected to reach {label!r} with {limit} presses of Tab, reached only {names!r}")
        press(browser, Keys.TAB)
        names.append(focused(browser))


def replace_text(browser, text):
    """Replaces the text in the field that has the focus."""
    press(browser, "a", held=Keys.CONTROL)
    press(browser, text)
