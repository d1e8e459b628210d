"""Checks the book as GitHub Pages publishes it: in a folder of a website, `/nchw/`.

    python -m browser.site

Runs after `book.py --site https://example.org/nchw/`. A server on this machine has the book under `/nchw/` and nothing
else. Every page is opened there; no request may fail, leave the folder, or go to another site. The search must find a
page, and an address that does not exist must show 404.html with links that work.
"""

import functools
import sys
import tempfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from selenium.webdriver.common.by import By

from browser.book import BOOK
from browser.chromium import chromium
from common import Failure, exit_on_sigterm, marked_environment, wait_until

FOLDER = "/nchw/"
# The addresses of everything that a page has loaded, and the scripts' errors, which Chromium's log contains.
LOADED = "return performance.getEntriesByType('resource').map(entry => entry.name);"


class Handler(SimpleHTTPRequestHandler):
    """Answers as GitHub Pages does; notes the requests that fail in the server's `failed`."""

    def translate_path(self, path):
        # A path that does not exist, for everything outside of the folder.
        return super().translate_path("/" + path.removeprefix(FOLDER) if path.startswith(FOLDER) else "/.outside")

    def send_error(self, code, message=None, explain=None):
        self.server.failed.append(self.path)
        page = (BOOK / "404.html").read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(page)

    def log_message(self, *_):
        pass


def check_pages(browser, server, address, names):
    wrong = []
    for name in names:
        browser.get(f"{address}{name}.html")
        outside = [url for url in browser.execute_script(LOADED)
                   if not url.startswith((address, "data:", "blob:")) and not url.endswith("/favicon.ico")]
        wrong += [f"{name} loads {url}, which is not in the book" for url in outside]
    # Chromium asks for it by itself if a page names no icon, as those of `play/`.
    failed = [path for path in server.failed if path != "/favicon.ico"]
    return wrong + [f"a page asks for {path}, which does not exist" for path in failed]


def check_search(browser, address):
    browser.get(f"{address}search.html?q=receptive")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, "#search-results li a[href*='04-padding-stride.html']"), 20,
               "the search for \"receptive\" did not find 04-padding-stride in 20 s")


def check_missing_page(browser, server, address):
    """Opens an address that does not exist, and follows a link of the page that is shown."""
    server.failed.clear()
    browser.get(f"{address}an/old/address.html")
    heading = browser.find_element(By.CSS_SELECTOR, "article h1").text
    links = [link.get_attribute("href") for link in browser.find_elements(By.CSS_SELECTOR, "article p a")]
    failed = [path for path in server.failed if path not in ("/favicon.ico", f"{FOLDER}an/old/address.html")]
    wrong = [f"404.html asks for {path}, which does not exist" for path in failed]
    if heading != "There is no such page" or links != [f"{address}index.html", f"{address}search.html"]:
        wrong.append(f"404.html has the heading {heading!r} and the links {links}")
    browser.find_element(By.CSS_SELECTOR, "article p a").click()
    wait_until(lambda: "you can see" in browser.title, 20, lambda: f"404.html leads to {browser.current_url}")
    return wrong


def main():
    exit_on_sigterm()
    # The figures of `play/` are opened by `browser.play`, too.
    names = sorted(page.relative_to(BOOK).as_posix().removesuffix(".html") for page in BOOK.rglob("*.html")
                   if "_static" not in page.parts and page.name != "404.html")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=BOOK))
    server.failed = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address, wrong = f"http://127.0.0.1:{server.server_port}{FOLDER}", []
    with tempfile.TemporaryDirectory(prefix="nchw-site-", ignore_cleanup_errors=True) as folder, \
            marked_environment() as environment:
        try:
            with chromium(Path(folder), environment) as browser:
                wrong += check_pages(browser, server, address, names)
                check_search(browser, address)
                wrong += check_missing_page(browser, server, address)
        except Failure as failure:
            wrong.append(str(failure))
        finally:
            server.shutdown()
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"  the published book: {len(names)} pages in the folder {FOLDER}, no request fails; 404.html and the search work")


if __name__ == "__main__":
    main()
