"""Opens a notebook in JupyterLab, runs it with the mouse as a learner would, and checks how every figure is shown.

    python -m browser.figures NAME --jupyter PYTHON

PYTHON is the Python of `.venv`, which has JupyterLab, jupytext and the kernel `nchw`. The notebook is built from
`notebooks/src/NAME.md`, without outputs, in a temporary folder. The screenshots are in `test-artifacts/`.
"""

import functools
import subprocess

from selenium.webdriver.common.by import By

from browser import lab
from common import NOTEBOOKS, ROOT, Failure, wait_until

FIGURE_LIMIT = 10
# The mark of a notebook with changes that are not saved.
MODIFIED = ".jp-mod-dirty"

# How a cell's figures are shown. `room` is the width that the page has for the figure.
FIGURES = """
return [...arguments[0].querySelectorAll('.jp-OutputArea img')].map(image => {
  const box = image.getBoundingClientRect();
  const around = image.parentElement, style = getComputedStyle(around);
  const room = around.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
  const shown = image.checkVisibility({opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true});
  return {complete: image.complete, natural: [image.naturalWidth, image.naturalHeight],
          asked: image.getAttribute('width'), alt: image.getAttribute('alt'),
          size: [box.width, box.height], room, shown};
});
"""

# Whether nothing covers the figure: the element at its centre is the figure itself.
UNCOVERED = """
const image = arguments[0].querySelectorAll('.jp-OutputArea img')[arguments[1]];
image.scrollIntoView({block: 'center'});
const box = image.getBoundingClientRect();
return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) === image;
"""


def build_notebook(python, name, folder):
    """Writes `folder/NAME.ipynb` as `cargo xtask notebooks` builds it, and returns its cells."""
    code = ("import sys, nbformat, notebooks; from pathlib import Path; source, name, target = sys.argv[1:]; "
            "nbformat.write(notebooks.build(Path(source).read_text(encoding='utf-8'), name), target)")
    source, target = NOTEBOOKS / "src" / f"{name}.md", folder / f"{name}.ipynb"
    if not source.is_file():
        raise Failure(f"there is no {source.relative_to(ROOT)}")
    subprocess.run([python, "-c", code, source, name, target], cwd=ROOT / "crates/xtask/python", check=True)
    return lab.read_cells(target)


def judge_image(image):
    """Describes what is wrong with how one image is shown; None if nothing is."""
    (natural_width, natural_height), (width, height) = image["natural"], image["size"]
    if not image["complete"] or natural_width <= 100:
        return f"expected a complete image more than 100 pixels wide, found {natural_width} (complete: {image['complete']})"
    if not image["shown"] or width < 1 or height < 1:
        return f"expected a visible image, found {width:.0f} x {height:.0f} (visible: {image['shown']})"
    if not (image["alt"] or "").strip():
        return f"expected an alternative text, found {image['alt']!r}"
    if not (image["asked"] or "").isdigit():
        return f"expected an attribute `width`, found {image['asked']!r}"
    expected = min(float(image["asked"]), image["room"])
    if abs(width - expected) > 2:
        return (f"expected a width of {expected:.0f} pixels (`width` is {image['asked']}, the page has room "
                f"for {image['room']:.0f}), found {width:.0f}")
    if abs(width * natural_height / natural_width - height) > 2:
        return f"expected the proportions {natural_width} : {natural_height}, found {width:.0f} : {height:.0f}"
    return None


def judge_figure(browser, cell, element, name):
    """Scrolls to a cell's figure and takes a screenshot. Describes what is wrong with the figure; None if nothing is."""
    def images():
        # Scrolls every time, because JupyterLab draws cells above it and moves it out of view.
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        found = browser.execute_script(FIGURES, element)
        return found if found and all(image["complete"] and image["shown"] for image in found) else None

    try:
        found = wait_until(images, FIGURE_LIMIT, "")
    except Failure:
        found = browser.execute_script(FIGURES, element)
    covered = [i for i in range(len(found)) if not browser.execute_script(UNCOVERED, element, i)]
    lab.take_screenshot(browser, f"{name}-cell-{cell.number:02}")
    if not found:
        return f"{cell}: expected a figure (tag `figure`), found none"
    wrong = next(filter(None, map(judge_image, found)), None)
    if wrong is None and covered:
        wrong = "expected the figure in view, but something covers it"
    return wrong and f"{cell}: {wrong}"


def judge(browser, cells, name):
    """Describes everything that is wrong with the notebook after its run."""
    seen = lab.state(browser)
    wrong = [] if seen["kernel"] == lab.KERNEL else [f"expected the kernel \"{lab.KERNEL}\", found \"{seen['kernel']}\""]
    elements = browser.find_elements(By.CSS_SELECTOR, lab.CELLS)
    if len(elements) != len(cells):
        return wrong + [f"expected {len(cells)} cells, found {len(elements)}"]
    for cell, element in zip(cells, elements):
        if "figure" in cell.tags:
            wrong.append(judge_figure(browser, cell, element, name))
    # Once more, because by now every figure has been in view.
    return [w for w in wrong + [lab.find_error(cells, lab.state(browser))] if w]


def check(name, python, browser, server, folder):
    """The whole check; returns a summary."""
    cells = build_notebook(python, name, folder)
    ready = lab.open_notebook(browser, server, name, cells)
    lab.take_screenshot(browser, f"{name}-opened")
    # JupyterLab would ask whether to save it, and `git` would show a change.
    if browser.find_elements(By.CSS_SELECTOR, MODIFIED):
        raise Failure("the notebook is marked as modified as soon as it is opened")
    lab.click_run_all(browser, restart=True)
    try:
        first, total = lab.wait_for_run(browser, cells)
    finally:
        lab.take_screenshot(browser, f"{name}-run")
    wrong = judge(browser, cells, name)
    if wrong:
        raise Failure("\n".join(wrong))
    figures = sum("figure" in cell.tags for cell in cells)
    figure = "no figure" if first is None else f"first figure {first:.1f} s after the click"
    return f"{name}: kernel ready {ready:.1f} s after opening, {figure}, all cells after {total:.1f} s; {figures} figures checked"


def main():
    parser = lab.argument_parser("browser.figures")
    parser.add_argument("name")
    arguments = parser.parse_args()
    lab.visit(arguments.jupyter, arguments.name, functools.partial(check, arguments.name, arguments.jupyter))


if __name__ == "__main__":
    main()
