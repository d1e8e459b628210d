"""Builds the book: a website of all published notebooks with their outputs, which can be searched.

The pages are in target/book/html. Links within the site are checked, links to other sites are listed. No notebook is
run: the site shows the outputs that `cargo xtask test` checked.
"""

import base64
import html
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import nbformat

from common import NOTEBOOKS, ROOT

DATA_URL = re.compile(r'src="data:image/png;base64,([^"]*)"')

INDEX = """# nchw: convolutional networks you can see

A course in Rust notebooks: shapes, quizzes, filters, feature maps, and the CIFAR-10 network from its first weight to what it sees. On this website you can read the course, answer its quizzes and use its [interactive figures](play.md): nothing needs to be installed. To run and change the code, clone it and type `cargo xtask lab`.

![The same dog four times: the photo, the sum of 128 feature maps over it, Grad-CAM, occlusion](docs/where-is-the-dog.png)

```{toctree}
:maxdepth: 1

play
%s
```
"""

PLAY = """# Interactive figures

Each of them is a page of its own, one file that needs no network: save it, hand it out, project it, or open it on a phone. The same Rust code computes them as in the notebooks.

%s

With the course installed, `nchw play photo.jpg --out page.html` writes such a page with your own photo.
"""
TITLE = re.compile("<title>(.*?)</title>")
# The order of the course.
PLAYED = ["window", "filter", "shapes", "pool", "explorer", "quiz"]


def with_figures(notebook, name, figures):
    """Writes every figure of the notebook to a file, and returns the notebook with `<img>` elements instead."""
    for number, cell in enumerate(notebook.cells):
        for index, output in enumerate(cell.get("outputs", [])):
            data = output.get("data", {})
            # The figures of folded answers are in HTML.
            for part, found in enumerate(DATA_URL.findall(data.get("text/html", ""))):
                file = f"{name}-{number}-{index}-{part}.png"
                (figures / file).write_bytes(base64.b64decode(found))
                data["text/html"] = DATA_URL.sub(f'src="_static/figures/{file}" loading="lazy"', data["text/html"], 1)
            if "image/png" not in data:
                continue
            about = output.metadata.get("image/png", {})
            file = f"{name}-{number}-{index}.png"
            (figures / file).write_bytes(base64.b64decode(data["image/png"]))
            data["text/html"] = (f'<img src="_static/figures/{file}" alt="{html.escape(about.get("alt", ""))}" '
                                 f'width="{about.get("width", "")}" loading="lazy">')
            del data["image/png"]
    return notebook


def played(name):
    """The page of an interactive figure, which `cargo xtask book` has written."""
    return ROOT / f"target/play/{name}.html"


def stage(source):
    """Writes everything that Sphinx reads to one folder."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "crates/xtask/book", source)
    figures = source / "static/figures"
    figures.mkdir(parents=True)
    (source / "docs").mkdir()
    pages = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = with_figures(nbformat.read(path, as_version=4), path.stem, figures)
        nbformat.write(notebook, source / path.name)
        pages.append(path.stem)
    for path in sorted((ROOT / "docs").iterdir()):
        if path.suffix == ".md":
            # On the website, the notebooks are in the parent folder.
            text = path.read_text(encoding="utf-8").replace("](../notebooks/", "](../")
            (source / "docs" / path.name).write_text(text, encoding="utf-8")
            pages.append(f"docs/{path.stem}")
        else:
            shutil.copy(path, source / "docs" / path.name)
    shutil.copytree(ROOT / "datasets/photos", source / "datasets/photos")
    links = [f'- <a href="play/{name}.html">{TITLE.search(played(name).read_text(encoding="utf-8"))[1]}</a>' for name in PLAYED]
    (source / "play.md").write_text(PLAY % "\n".join(links), encoding="utf-8")
    (source / "index.md").write_text(INDEX % "\n".join(pages), encoding="utf-8")


class Page(HTMLParser):
    """A page's links, its ids, the number of its images without an alternative text, and what is shown of the answers
    to guesses before the reader unfolds them."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.without_alt = [], set(), 0
        self.answers, self.shown = 0, []
        # The open `<div>` and `<details>` elements, each with its meaning.
        self.open = []
        self.feed(text)

    def handle_data(self, data):
        if data.strip() and "output" in self.open and "answer" in self.open and "folded" not in self.open:
            self.shown.append(data.strip())

    def handle_endtag(self, tag):
        if tag in ("div", "details") and self.open:
            self.open.pop()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in ("div", "details"):
            names = (attributes.get("class") or "").split()
            self.answers += "tag_answer" in names
            self.open.append("answer" if "tag_answer" in names else "output" if "cell_output" in names
                             else "folded" if tag == "details" else tag)
        if tag == "img" and "output" in self.open and "answer" in self.open and "folded" not in self.open:
            self.shown.append(attributes.get("alt") or "an image")
        self.ids.update(filter(None, (attributes.get("id"), attributes.get("name"))))
        link = attributes.get("href" if tag in ("a", "link") else "src")
        if link and tag in ("a", "link", "img", "script"):
            self.links.append(link)
        if tag == "img" and not attributes.get("alt"):
            self.without_alt += 1


def check_links(site):
    """Returns descriptions of the broken links within the site, and all links to other sites."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")
             if "_static" not in path.parts}
    broken, external = [], set()
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if parts.scheme in ("http", "https"):
                    external.add(link)
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            ids = pages[target].ids if target in pages else None
            if not target.exists() or (parts.fragment and ids is not None and unquote(parts.fragment) not in ids):
                broken.append(f"{path.relative_to(site)} links to {link}, which does not exist")
        for answer in page.shown:
            broken.append(f"{path.relative_to(site)} shows the answer to a guess: {answer[:60]}")
        if page.without_alt:
            broken.append(f"{path.relative_to(site)} shows {page.without_alt} images without an alternative text")
    return sorted(set(broken)), sorted(external)


def main():
    source, site = ROOT / "target/book/source", ROOT / "target/book/html"
    stage(source)
    shutil.rmtree(site, ignore_errors=True)
    # Warnings are errors: they report a duplicate title or a missing image, for example.
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", source, site]
    if subprocess.run(sphinx, check=False).returncode:
        sys.exit("Sphinx reports problems in the book (above)")
    (site / "play").mkdir()
    for name in PLAYED:
        shutil.copy(played(name), site / "play")
    broken, external = check_links(site.resolve())
    for line in broken:
        print(f"  FAIL  {line}")
    print(f"  {len(list(site.rglob('*.html')))} pages; {len(external)} links to other sites, not checked:")
    for link in external:
        print(f"        {link}")
    if broken:
        sys.exit(1)
    print(f"  the book: {site / 'index.html'}")


if __name__ == "__main__":
    main()
