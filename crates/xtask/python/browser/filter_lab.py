"""Uses the filter lab: weights, presets, photos of all kinds, and a camera."""

import re
import tempfile
from pathlib import Path

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser import photos
from browser.chromium import focused, replace_text, tab_to
from common import Failure

# A file, and what the page says about it.
FILES = {
    "large.png": "large.png: 3000 x 4000 pixels (H x W), scaled to 240 x 320",
    "cmyk.jpg": "cmyk.jpg: 16 x 24 pixels (H x W)",
    "turned.jpg": "turned.jpg: 24 x 16 pixels (H x W)",
    "animated.gif": "9 x 12 pixels (H x W). The image is animated: this is its first frame.",
    "animated.webp": "9 x 12 pixels (H x W). The image is animated: this is its first frame.",
    "still.gif": "still.gif: 9 x 12 pixels (H x W)",
    "drawing.svg": "drawing.svg: 30 x 40 pixels (H x W)",
    "clear.png": "clear.png: 4 x 6 pixels (H x W)",
    "one.png": "one.png: 1 x 1 pixels (H x W)",
}
FAULTY = {
    "empty.jpg": '"empty.jpg" is empty (0 bytes)',
    "cut.png": '"cut.png" is damaged, cut off or too large',
    "text.txt": '"text.txt" is not an image that this browser can open (text/plain). Open a JPEG, PNG or WebP file',
    "phone.heic": 'This browser cannot open "phone.heic" (HEIC). Save it as JPEG',
}

# Changes a weight at the beginning of a frame. Milliseconds in the listener, and until the frame is drawn.
MEASURED = """
const done = arguments[arguments.length - 1], times = [];
const field = document.querySelector('.nchw-lab-sheet input');
function change(number) {
  requestAnimationFrame(() => {
    field.value = String((number % 9) / 2 - 2);
    const start = performance.now();
    field.dispatchEvent(new Event('input', { bubbles: true }));
    const listened = performance.now() - start;
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      times.push([listened, performance.now() - start]);
      if (number < 60) change(number + 1); else done(times.slice(10));
    };
    port2.postMessage(0);
  });
}
change(0);
"""

# Drops or pastes a file.
GIVEN = """
const [kind, name, text] = arguments;
const data = new DataTransfer();
data.items.add(new File([Uint8Array.from(atob(text), letter => letter.charCodeAt(0))], name));
const target = document.querySelector('.nchw-figure select');
const event = kind === 'drop' ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
  : new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true });
target.dispatchEvent(event);
"""

PIXELS = """
const canvas = document.querySelectorAll('.nchw-lab-view canvas')[arguments[0]];
return Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.slice(0, 4096)).join();
"""

KEEP_STREAM = """
const get = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (asked) => window.stream = await get(asked);
"""
CAMERA_LIVE = "return window.stream?.getTracks().some((track) => track.readyState === 'live') ?? false"


def choose(page, label, text):
    """Chooses a line of a menu by its label."""
    for menu in page.browser.find_elements(By.CSS_SELECTOR, "select"):
        if page.browser.execute_script("return arguments[0].labels[0].textContent", menu) == label:
            next(option for option in menu.find_elements(By.CSS_SELECTOR, "option") if option.text == text).click()
            return
    raise Failure(f"filter: there is no menu {label!r}")


def fields(page):
    return page.browser.find_elements(By.CSS_SELECTOR, ".nchw-lab-sheet input")


def captions(page):
    return page.text(".nchw-lab-view figcaption")


def position(page):
    """Row and column of the window."""
    found = re.search(r"Row (\d+), column (\d+) of the map: the 9 products add up to ", page.text(".nchw-figure"))
    return int(found[1]), int(found[2])


def use_weights(page):
    page.contains(captions(page), "Photo C=1 H=214 W=320", "Feature map C=1 H=212 W=318")
    page.contains(page.text(".nchw-figure"), "The weights add up to 0: a uniform area becomes 0.")
    before = page.browser.execute_script(PIXELS, 1)
    fields(page)[0].click()
    replace_text(page.browser, "2")
    page.contains(page.text(".nchw-figure"), "The weights add up to 3: a uniform area becomes 3 times its brightness.")
    if page.browser.execute_script(PIXELS, 1) == before:
        raise Failure("filter: the map did not change with a weight")
    page.contains(page.find(".nchw-bar:nth-of-type(2) select").get_attribute("value"), "own")
    # The arrow keys, and a field without a number.
    page.press(Keys.ARROW_UP)
    page.expect(fields(page)[0].get_attribute("value"), "2.1", "an arrow key to add 0.1")
    ActionChains(page.browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_DOWN).key_up(Keys.SHIFT).perform()
    page.expect(fields(page)[0].get_attribute("value"), "1.1", "Shift and an arrow key to subtract 1")
    replace_text(page.browser, Keys.DELETE)
    page.contains(page.text(".nchw-problem"), "row 0, column 0", "counts as 0")
    replace_text(page.browser, "1e39")
    page.contains(page.text(".nchw-problem"), "infinite", "Use smaller weights")
    replace_text(page.browser, "0.5")
    page.expect(page.text(".nchw-problem"), "", "no problem")
    # The slider changes the weight of the field that was used last.
    slider = page.find("input[type=range]")
    slider.send_keys(Keys.ARROW_LEFT)
    page.expect(fields(page)[0].get_attribute("value"), "0.4", "the slider to change the weight")


def use_menus(page):
    page.button("Reset").click()
    page.contains(page.text(".nchw-figure"), "The weights add up to 0: a uniform area becomes 0.")
    for name in ("horizontal edge", "falling diagonal", "rising diagonal", "sharpen", "emboss", "identity", "blur"):
        choose(page, "Filter", name)
        page.expect(page.text(".nchw-problem"), "", f"no problem with {name}")
    page.expect(len(fields(page)), 25, "weights of the blur")
    page.contains(captions(page), "H=210 W=316")
    choose(page, "Filter", "vertical edge")
    choose(page, "Padding", "same")
    page.contains(captions(page), "Feature map C=1 H=214 W=320, from −")
    page.find("input[type=checkbox]").click()
    page.contains(captions(page), "Feature map C=1 H=214 W=320, from 0 to ")
    choose(page, "Input", "colour: 3 channels")
    page.expect(len(fields(page)), 27, "weights for three channels")
    page.contains(captions(page), "Photo C=3 H=214 W=320")
    page.contains(page.text(".nchw-figure"), "The weights add up to 0: a uniform grey area becomes 0.", "27 products")
    choose(page, "For the colour", "all channels alike")
    choose(page, "Filter", "identity")
    page.contains(page.text(".nchw-figure"), "a uniform grey area becomes 3 times its brightness")
    choose(page, "Input", "grey: 1 channel")
    page.expect(len(fields(page)), 9, "weights for one channel")


def use_map(page):
    page.button("Reset").click()
    surface = page.find("canvas[role=application]")
    page.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", surface)
    ActionChains(page.browser).move_to_element_with_offset(surface, 50, -50).perform()
    row, column = position(page)
    if not (55 < row < 85 and 185 < column < 215):
        raise Failure(f"filter: the mouse is over row {row}, column {column}")
    # The keyboard alone: the window, then the buttons.
    page.browser.execute_script("arguments[0].focus()", surface)
    page.press(Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    page.expect(position(page), (row + 1, column + 2), "the arrow keys to move the window")
    for _ in range(20):
        ActionChains(page.browser).key_down(Keys.SHIFT).send_keys(Keys.ARROW_UP).key_up(Keys.SHIFT).perform()
    page.expect(position(page), (0, column + 2), "the window to stop at the edge")
    page.browser.execute_script("document.querySelector('.nchw-photo select').focus()")
    tab_to(page.browser, "Negate")
    page.press(Keys.ENTER)
    page.expect(fields(page)[0].get_attribute("value"), "1", "the negated weight")
    tab_to(page.browser, "Rotate")
    page.press(Keys.ENTER)
    page.expect([field.get_attribute("value") for field in fields(page)], "1 1 1 0 0 0 -1 -1 -1".split(), "rotated weights")
    page.expect(focused(page.browser), "Rotate 90°", "the focus")


def use_files(page, folder):
    photos.write(folder)
    choose(page, "Padding", "same")
    for name, says in FILES.items():
        page.find("input[type=file]").send_keys(str(folder / name))
        page.wait(lambda says=says: says in page.text(".nchw-photo-about"), f"{says!r}")
        page.expect(page.text(".nchw-problem"), "", f"no problem with {name}")
    # One pixel has no position for a window without padding.
    choose(page, "Padding", "none")
    page.contains(page.text(".nchw-problem"), "the kernel (3 x 3) is larger than the photo (1 x 1)")
    page.find("input[type=file]").send_keys(str(folder / "clear.png"))
    page.wait(lambda: "clear.png" in page.text(".nchw-photo-about"), "the next photo")
    white = page.browser.execute_script(PIXELS, 0).split(",")
    page.expect(set(white), {"255"}, "white where a photo is transparent")
    for name, says in FAULTY.items():
        page.find("input[type=file]").send_keys(str(folder / name))
        page.wait(lambda says=says: says in page.text(".nchw-problem"), f"{says!r}")
        page.contains(page.text(".nchw-photo-about"), "clear.png")
    page.browser.execute_script(GIVEN, "drop", "dropped.gif", photos.FILES["still.gif"])
    page.wait(lambda: "dropped.gif: 9 x 12" in page.text(".nchw-photo-about"), "a photo that was dropped")
    page.browser.execute_script(GIVEN, "paste", "pasted.gif", photos.FILES["still.gif"])
    page.wait(lambda: "pasted.gif: 9 x 12" in page.text(".nchw-photo-about"), "a photo that was pasted")
    choose(page, "Photo", "chelsea.png")
    page.wait(lambda: "chelsea.png" in page.text(".nchw-photo-about"), "a photo of the page")
    page.expect(page.text(".nchw-problem"), "", "no problem")


def use_camera(page):
    page.browser.execute_script(KEEP_STREAM)
    page.button("Camera").click()
    page.wait(lambda: "camera: " in page.text(".nchw-photo-about"), "an image of the camera")
    first = page.browser.execute_script(PIXELS, 1)
    page.wait(lambda: page.browser.execute_script(PIXELS, 1) != first, "the map to follow the camera")
    page.button("Stop the camera").click()
    page.expect(page.browser.execute_script(CAMERA_LIVE), False, "the camera to be off")
    page.contains(page.text(".nchw-photo-about"), "camera: ")
    # It stops with the figure, too.
    page.button("Camera").click()
    page.wait(lambda: page.browser.execute_script(CAMERA_LIVE), "the camera")
    page.browser.execute_script("document.querySelector('.nchw-figure').remove()")
    page.wait(lambda: not page.browser.execute_script(CAMERA_LIVE), "the camera to stop when its figure is removed")
    page.open()
    page.browser.execute_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'))")
    page.button("Camera").click()
    page.wait(lambda: "The camera was not permitted" in page.text(".nchw-problem"), "a message about the permission")


def use_filter(page):
    page.open()
    page.wait(lambda: "H=212" in captions(page), "the map of the first photo")
    use_weights(page)
    use_menus(page)
    use_map(page)
    with tempfile.TemporaryDirectory(prefix="nchw-photos-") as folder:
        use_files(page, Path(folder))
    use_camera(page)
    page.open()
    page.wait(lambda: "H=212" in captions(page), "the map of the first photo")
    report(page, "one channel")
    choose(page, "Input", "colour: 3 channels")
    report(page, "three channels")


def report(page, name):
    """Prints how long a changed weight takes. Nothing is expected, because other programs may keep the machine busy."""
    times = page.browser.execute_async_script(MEASURED)
    parts = []
    for what, values in zip(("computed", "drawn"), map(sorted, zip(*times))):
        parts.append(f"{what} after {values[len(values) // 2]:.1f} ms ({values[0]:.1f} to {values[-1]:.1f})")
    print(f"  filter lab, a weight changed, {name}: {', '.join(parts)}")
