"""Looks at the book in a browser, on a phone and on a desk: python test_book.py [NAME …]

Run by the Python of `.venv-browser`, after `book.py`. No page may be wider than
the screen, every picture is shown, a quiz form answers, the search finds. The
screenshots go to `test-artifacts/book-*.png`, whole pages of those named.
"""

import sys
import tempfile
from pathlib import Path

from selenium.webdriver.common.by import By

from browser import ARTIFACTS, MARK, ROOT, Wrong, artifacts, end_processes, start_browser, wait

BOOK = ROOT / "target/book/html"
WIDTHS = {"phone": 390, "desk": 1280}

# What stands out of the page on the right, where nothing around it scrolls; and pictures that are not shown.
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

# Answers the first form of the page with nonsense, then as its data says: what it replies.
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
    # A window of a browser has a least width; what it shows can be narrower.
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})


def open_page(browser, name):
    browser.get((BOOK / f"{name}.html").as_uri())


def look(browser, name, size):
    set_width(browser, WIDTHS[size])
    open_page(browser, name)
    return [f"{name}, {size}: {fault}" for fault in browser.execute_script(FAULTS)]


def shoot(browser, name, size):
    """The whole page, however long."""
    set_width(browser, WIDTHS[size])
    open_page(browser, name)
    set_width(browser, WIDTHS[size], browser.execute_script("return document.body.scrollHeight"))
    browser.save_screenshot(str(ARTIFACTS / f"book-{Path(name).name}-{size}.png"))


def answer(browser, name):
    open_page(browser, name)
    wrong, right = browser.execute_script(ANSWER)
    if "not yet" not in wrong or "not yet" in right or "✓" not in right:
        return [f"{name}: the first quiz form says {wrong!r} to a wrong answer and {right!r} to the right one"]
    return []


def search(browser, word, page):
    browser.get((BOOK / "search.html").as_uri() + f"?q={word}")
    links = lambda: [link.get_attribute("href") for link in browser.find_elements(By.CSS_SELECTOR, "#search-results li a")]
    wait(links, 20, lambda: f"the search for \"{word}\" found nothing in 20 s")
    return [] if any(f"{page}.html" in link for link in links()) else [f"the search for \"{word}\" missed {page}"]


def main():
    pages = [page.relative_to(BOOK) for page in BOOK.rglob("*.html") if "_static" not in page.parts]
    names = sorted(page.as_posix().removesuffix(".html") for page in pages)
    with tempfile.TemporaryDirectory(prefix="nchw-book-", ignore_cleanup_errors=True) as folder:
        browser = None
        try:
            artifacts()
            browser = start_browser(Path(folder), {MARK[0]: MARK[1]})
            wrong = [fault for name in names for size in WIDTHS for fault in look(browser, name, size)]
            wrong += answer(browser, "03-channels") + search(browser, "receptive", "04-padding-stride")
            for name in sys.argv[1:]:
                for size in WIDTHS:
                    shoot(browser, name, size)
        except Wrong as fault:
            wrong = [str(fault)]
        finally:
            if browser:
                browser.quit()
            end_processes()
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"  the book in a browser: {len(names)} pages at {' and '.join(map(str, WIDTHS.values()))} pixels; "
          "a quiz form answers, the search finds")


if __name__ == "__main__":
    main()
