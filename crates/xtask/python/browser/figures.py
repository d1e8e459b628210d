"""Opens a notebook in JupyterLab, runs it with the mouse as a learner would, and checks how every figure is shown.

Interactive figures must start, keep their keys from JupyterLab's shortcuts, and start again in the saved notebook. In a
notebook that JupyterLab does not trust, their still figures stand in their place.

    python -m browser.figures NAME --jupyter PYTHON

PYTHON is the Python of `.venv`, which has JupyterLab, jupytext and the kernel `nchw`. The notebook is built from
`notebooks/src/NAME.md`, without outputs, in a temporary folder. The screenshots are in `test-artifacts/`.
"""

import functools
import json
import subprocess

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

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

# Outputs with a vertical scroll bar of their own: the wheel stops in them, while the notebook scrolls anyway.
SCROLL_BARS = """
return [...document.querySelectorAll('.jp-Cell')].flatMap(cell =>
  [...cell.querySelectorAll('.jp-OutputArea, .jp-OutputArea-output')]
    .filter(e => ['auto', 'scroll'].includes(getComputedStyle(e).overflowY) && e.scrollHeight > e.clientHeight)
    .map(e => [[...cell.parentElement.children].filter(c => c.matches('.jp-Cell')).indexOf(cell), e.clientHeight, e.scrollHeight]));
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


def judge_interactive(browser, cell, play, name):
    """Waits until an interactive figure has started and types into it. Describes what is wrong; None if nothing is."""
    browser.execute_script("arguments[0].scrollIntoView({block: 'start'})", play)
    try:
        wait_until(lambda: play.get_attribute("data-ready") == "yes", FIGURE_LIMIT, "")
    except Failure:
        return f"{cell}: expected the interactive figure to start, found {play.text!r}"
    lab.take_screenshot(browser, f"{name}-cell-{cell.number:02}")
    room, width = browser.execute_script("return [arguments[0].parentElement.clientWidth, arguments[0].scrollWidth]", play)
    if width > room + 2:
        return f"{cell}: expected an interactive figure of at most {room} pixels, found {width}"
    before = len(browser.find_elements(By.CSS_SELECTOR, lab.CELLS))
    # In JupyterLab, D D deletes the selected cell.
    browser.execute_script("arguments[0].querySelector('[tabindex=\"0\"], input').focus()", play)
    ActionChains(browser).send_keys("dd", Keys.ARROW_RIGHT).perform()
    if len(browser.find_elements(By.CSS_SELECTOR, lab.CELLS)) != before:
        return f"{cell}: keys that are typed into the interactive figure delete cells"
    return None


def judge_figure(browser, cell, element, name):
    """Scrolls to a cell's figure and takes a screenshot. Describes what is wrong with the figure; None if nothing is."""
    for play in element.find_elements(By.CSS_SELECTOR, ".nchw-play"):
        return judge_interactive(browser, cell, play, name)

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
    for index, room, height in browser.execute_script(SCROLL_BARS):
        wrong.append(f"{cells[index]}: expected an output without a scroll bar, found {height} pixels in {room}")
    # Once more, because by now every figure has been in view.
    return [w for w in wrong + [lab.find_error(cells, lab.state(browser))] if w]


def judge_saved(browser, server, name, cells, folder):
    """Describes what is wrong with the interactive figures of the saved notebook, and of a copy that is not trusted."""
    count = len(browser.find_elements(By.CSS_SELECTOR, ".nchw-play"))
    if not count:
        return []
    ActionChains(browser).key_down(Keys.CONTROL).send_keys("s").key_up(Keys.CONTROL).perform()
    wait_until(lambda: not browser.find_elements(By.CSS_SELECTOR, MODIFIED), FIGURE_LIMIT, "the notebook was not saved")
    saved = json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))

    def started():
        return len(browser.find_elements(By.CSS_SELECTOR, '.nchw-play[data-ready="yes"]'))

    wrong = []
    lab.open_notebook(browser, server, name, cells)
    try:
        wait_until(lambda: started() == count, lab.START_LIMIT, "")
    except Failure:
        wrong.append(f"expected {count} interactive figures in the saved notebook, {started()} started")
    # JupyterLab trusts a notebook that it has saved; this one has other bytes.
    saved["metadata"]["copied"] = True
    (folder / "copy.ipynb").write_text(json.dumps(saved), encoding="utf-8")
    # Otherwise JupyterLab opens the first notebook again, too.
    browser.get(f"http://{server.address}/lab?reset&token={server.token}")
    wait_until(lambda: browser.find_elements(By.CSS_SELECTOR, ".jp-Launcher"), lab.START_LIMIT, "JupyterLab did not start again")
    lab.open_notebook(browser, server, "copy", cells)
    stills = "return [...document.querySelectorAll('.jp-OutputArea img')].filter(i => i.naturalWidth > 100).length"
    expected = sum("figure" in cell.tags for cell in cells)
    try:
        wait_until(lambda: browser.execute_script(stills) >= expected, lab.START_LIMIT, "")
    except Failure:
        wrong.append(f"expected {expected} figures in an untrusted notebook, found {browser.execute_script(stills)}")
    if started():
        wrong.append(f"expected no script in an untrusted notebook, but {started()} interactive figures started")
    lab.take_screenshot(browser, f"{name}-untrusted")
    return wrong


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
    wrong += judge_saved(browser, server, name, cells, folder)
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
