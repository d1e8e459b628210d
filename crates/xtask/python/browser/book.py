"""Checks the website of the notebooks in a browser, at the widths of a phone and of a desktop.

    python -m browser.book [NAME ...]

Runs after `book.py`. No page may be wider than the screen, every figure must be shown, a quiz form must answer, and the
search must find a page. Takes screenshots of the pages that are named: `test-artifacts/book-*.png`.
"""

import sys
import tempfile
from pathlib import Path

from selenium.webdriver.common.by import By

from browser.chromium import chromium
from browser.lab import prepare_artifacts, take_screenshot
from common import ROOT, Failure, exit_on_sigterm, marked_environment, wait_until

BOOK = ROOT / "target/book/html"
WIDTHS = {"phone": 390, "desktop": 1280}

# Elements that extend beyond the right edge, unless something around them scrolls; and images that are not shown.
FAULTS = """
const across = document.documentElement.clientWidth, faults = [];
if (document.scrollingElement.scrollWidth > across) {
  for (const e of document.querySelectorAll('article *')) {
    if (e.getBoundingClientRect().right > across + 1 && e.closest('pre, .output') === null)
      faults.push('wider than the page: ' + e.outerHTML.slice(0, 120));
  }
  if (!faults.length) faults.push(`the page is ${document.scrollingElement.scrollWidth} wide`);
}
for (const image of document.images)
  if (!image.complete || image.naturalWidth === 0 || image.getBoundingClientRect().width === 0)
    if (image.getAttribute('loading') !== 'lazy') faults.push('not shown: ' + image.src);
return faults;
"""

# Gives the first form of the page a wrong answer, then the right one; returns its two replies.
ANSWER = """
const form = document.querySelector('form.nchw-quiz'), fields = [...form.querySelectorAll('input[data-answer]')];
const reply = (value) => {
  fields.forEach(field => { field.value = value(field); });
  form.querySelector('button').click();
  return form.querySelector('[role=status]').innerText;
};
return [reply(() => '987654'), reply(field => field.dataset.answer)];
"""


def set_width(browser, width, height=900):
    # A browser window has a minimum width; the page in it can be narrower.
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})


def open_page(browser, name):
    browser.get((BOOK / f"{name}.html").as_uri())


def check_layout(browser, name, size):
    set_width(browser, WIDTHS[size])
    open_page(browser, name)
    return [f"{name}, {size}: {fault}" for fault in browser.execute_script(FAULTS)]


def take_page_screenshot(browser, name, size):
    """Takes a screenshot of the whole page, however long."""
    set_width(browser, WIDTHS[size])
    open_page(browser, name)
    set_width(browser, WIDTHS[size], browser.execute_script("return document.body.scrollHeight"))
    take_screenshot(browser, f"book-{Path(name).name}-{size}")


def check_form(browser, name):
    open_page(browser, name)
    wrong, right = browser.execute_script(ANSWER)
    if "not yet" not in wrong or "not yet" in right or "✓" not in right:
        return [f"{name}: the first quiz form replies {wrong!r} to a wrong answer and {right!r} to the right one"]
    return []


def check_search(browser, word, page):
    browser.get((BOOK / "search.html").as_uri() + f"?q={word}")
    result = f"#search-results li a[href*='{page}.html']"
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, result), 20,
               f"the search for \"{word}\" did not find {page} in 20 s")


def main():
    exit_on_sigterm()
    prepare_artifacts()
    pages = [page.relative_to(BOOK) for page in BOOK.rglob("*.html") if "_static" not in page.parts]
    names = sorted(page.as_posix().removesuffix(".html") for page in pages)
    wrong = []
    with tempfile.TemporaryDirectory(prefix="nchw-book-", ignore_cleanup_errors=True) as folder, \
            marked_environment() as environment:
        try:
            with chromium(Path(folder), environment) as browser:
                for name in names:
                    for size in WIDTHS:
                        wrong += check_layout(browser, name, size)
                wrong += check_form(browser, "03-channels")
                check_search(browser, "receptive", "04-padding-stride")
                for name in sys.argv[1:]:
                    for size in WIDTHS:
                        take_page_screenshot(browser, name, size)
        except Failure as failure:
            wrong.append(str(failure))
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"  the book in a browser: {len(names)} pages at {' and '.join(map(str, WIDTHS.values()))} pixels; "
          "a quiz form answers, the search finds a page")


if __name__ == "__main__":
    main()
