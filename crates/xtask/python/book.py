"""Builds the book: a website of all published notebooks with their outputs, which can be searched.

    book.py [--site https://someone.github.io/nchw/] [--repository someone/nchw]

The pages are in target/book/html. Links within the site are checked, links to other sites are listed. No notebook is
run: the site shows the outputs that `cargo xtask test` checked.

The pages link to each other by relative addresses, so they can be opened from a disk and work in any folder of a
website. With `--site`, the address at which they will be published, they also get what needs an absolute address: a
canonical address, a picture and a description for links in chats (Open Graph), sitemap.xml and 404.html. With
`--repository`, the repository on GitHub, every notebook can be opened in Codespaces and in Binder.
"""

import argparse
import base64
import html
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urlsplit
from xml.etree import ElementTree

import nbformat
from PIL import Image, ImageDraw, ImageFont

from common import NOTEBOOKS, ROOT

DATA_URL = re.compile(r'src="data:image/png;base64,([^"]*)"')

INDEX = """# nchw: convolutional networks you can see

A course in Rust notebooks: shapes, quizzes, filters, feature maps, and the CIFAR-10 network from its first weight to what it sees. On this website you can read the course, answer its quizzes and use its [interactive figures](play.md): nothing needs to be installed. %s

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
# How a reader runs the code, without and with a repository that Codespaces and Binder can open.
LOCALLY = "To run and change the code, clone it and type `cargo xtask lab`."
ONLINE = ("To run and change the code without installing anything, open it in [Codespaces](%s) or in [Binder](%s); "
          "or clone it and type `cargo xtask lab`.")
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


def codespaces(repository):
    return f"https://codespaces.new/{repository}?quickstart=1"


def binder(repository, name):
    """Opens the learner's copy of a notebook, which the image of `binder/` contains."""
    return f"https://mybinder.org/v2/gh/{repository}/HEAD?urlpath={quote(f'lab/tree/my-notebooks/{name}.ipynb', safe='')}"


def with_links(notebook, name, repository):
    """Returns the notebook with a line below its title: where it can be downloaded and run."""
    links = {"Download notebook": f'href="notebooks/{name}.ipynb" download'}
    if repository:
        links["Open in Codespaces"] = f'href="{codespaces(repository)}"'
        links["Open in Binder"] = f'href="{binder(repository, name)}"'
    line = " · ".join(f"<a {where}>{text}</a>" for text, where in links.items())
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f'{title}\n\n<p class="nchw-open">{line}</p>\n{rest}'
    return notebook


def played(name):
    """The page of an interactive figure, which `cargo xtask book` has written."""
    return ROOT / f"target/play/{name}.html"


def draw_social_card(path):
    """Draws the picture that chats show for a link to the book, in the size that they expect."""
    card = Image.new("RGB", (1200, 630), "white")
    with Image.open(ROOT / "docs/vertical-edge.png") as figure:
        width = card.width - 60
        figure = figure.convert("RGB").resize((width, round(figure.height * width / figure.width)), Image.Resampling.LANCZOS)
    card.paste(figure, (30, card.height - figure.height - 30))
    draw = ImageDraw.Draw(card)
    for text, font, size, y in [("nchw", "DejaVuSans-Bold", 96, 95),
                                ("Convolutional networks you can see, in Rust notebooks", "DejaVuSans", 40, 185)]:
        font = ImageFont.truetype(ROOT / f"crates/draw/assets/{font}.ttf", size)
        draw.text((card.width / 2, y), text, "#222222", font, anchor="mm")
    card.save(path, optimize=True)


def write_sitemap(site, address):
    """Lists the pages that a search engine should read."""
    urls = ElementTree.Element("urlset", xmlns="http://www.sitemaps.org/schemas/sitemap/0.9")
    for page in sorted(site.rglob("*.html")):
        name = page.relative_to(site).as_posix()
        if not name.startswith("_") and name not in ("404.html", "genindex.html", "search.html"):
            ElementTree.SubElement(ElementTree.SubElement(urls, "url"), "loc").text = address + quote(name)
    ElementTree.ElementTree(urls).write(site / "sitemap.xml", encoding="utf-8", xml_declaration=True)


def stage(source, repository):
    """Writes everything that Sphinx reads to one folder."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "crates/xtask/book", source)
    figures = source / "static/figures"
    figures.mkdir(parents=True)
    (source / "docs").mkdir()
    pages = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = with_figures(nbformat.read(path, as_version=4), path.stem, figures)
        nbformat.write(with_links(notebook, path.stem, repository), source / path.name)
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
    run = ONLINE % (codespaces(repository), binder(repository, "00-start")) if repository else LOCALLY
    (source / "index.md").write_text(INDEX % (run, "\n".join(pages)), encoding="utf-8")
    shutil.copy(ROOT / "crates/xtask/assets/logo-svg.svg", source / "logo.svg")
    draw_social_card(source / "static/social-card.png")


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
        if tag == "meta" and attributes.get("property") in ("og:url", "og:image"):
            link = attributes.get("content")
        if link and tag in ("a", "link", "img", "script", "meta"):
            self.links.append(link)
        if tag == "img" and not attributes.get("alt"):
            self.without_alt += 1


def check_links(site, address=""):
    """Returns descriptions of the broken links within the site, and all links to other sites.

    A link that begins with the site's own address, or with the folder in it (as in 404.html, which a server shows for an
    address in any folder), is a link within the site.
    """
    folder = urlsplit(address).path
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")
             if "_static" not in path.parts}
    broken, external = [], set()
    for path, page in pages.items():
        for link in page.links:
            inside = bool(address) and (link + "/").startswith(address)
            parts = urlsplit(link)
            if (parts.scheme or parts.netloc) and not inside:
                if parts.scheme in ("http", "https"):
                    external.add(link)
                continue
            if inside or folder and parts.path.startswith(folder):
                target = (site / unquote(parts.path[len(folder):])).resolve()
            else:
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


def site_address(text):
    """The address of the book, for argparse; it ends with a slash."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise argparse.ArgumentTypeError(f"expected an address such as https://someone.github.io/nchw/, got {text!r}")
    return text.rstrip("/") + "/"


def repository_name(text):
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"expected the owner and the name of a repository, such as someone/nchw, got {text!r}")
    return text


def main():
    parser = argparse.ArgumentParser(description="Builds the book")
    parser.add_argument("--site", type=site_address, help="the address at which it will be published")
    parser.add_argument("--repository", type=repository_name, help="its repository on GitHub, OWNER/NAME")
    arguments = parser.parse_args()
    address = arguments.site or ""
    source, site = ROOT / "target/book/source", ROOT / "target/book/html"
    stage(source, arguments.repository)
    shutil.rmtree(site, ignore_errors=True)
    # Warnings are errors: they report a duplicate title or a missing image, for example.
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", source, site]
    if subprocess.run(sphinx, check=False, env=os.environ | {"NCHW_BOOK_SITE": address}).returncode:
        sys.exit("Sphinx reports problems in the book (above)")
    (site / "play").mkdir()
    for name in PLAYED:
        shutil.copy(played(name), site / "play")
    (site / "notebooks").mkdir()
    for path in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(path, site / "notebooks")
    if address:
        write_sitemap(site, address)
    broken, external = check_links(site.resolve(), address)
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
