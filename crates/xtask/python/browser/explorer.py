"""Uses the network explorer: images, layers, maps, values, channels off, weight files, the camera. Prints the times."""

import json
import re
import statistics
import struct
import tempfile
from pathlib import Path

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from browser.book import set_width
from browser.chromium import focused, tab_to
from browser.lab import take_screenshot
from common import Failure

ROOT = Path(__file__).resolve().parents[4]
SHIPPED = ROOT / "crates/nchw/assets/lecture-net.safetensors"
# A LectureNet with 5, 7 and 3 maps.
ODD = ROOT / "crates/web/tests/layers/odd.safetensors"
OTHER = ROOT / "crates/web/tests/layers/values.safetensors"
PHOTO = ROOT / "datasets/photos/chelsea.png"

# The times of showing each image of the album twice. A frame is drawn between two of them, as with a camera.
TIMES = """
const done = arguments[0];
const inputs = [...document.querySelectorAll('.nchw-album input')];
const { dataset } = document.querySelector('.nchw-figure');
const times = [];
(async () => {
  for (const input of [...inputs.slice(1), ...inputs]) {
    input.click();
    times.push([Number(dataset.computed), Number(dataset.drawn)]);
    await new Promise(requestAnimationFrame);
  }
  done(times);
})();
"""
# How often the camera's image was shown in the last second.
RATE = "return Number(document.querySelector('.nchw-figure').dataset.rate)"


def nan_weights(folder):
    """The odd network, which has no hash, with NaN in a tensor."""
    data = ODD.read_bytes()
    length, = struct.unpack("<Q", data[:8])
    head, numbers = json.loads(data[8:8 + length]), bytearray(data[8 + length:])
    start, end = head["block1.norm1.weight"]["data_offsets"]
    numbers[start:end] = b"\xff" * (end - start)  # NaN in fp32 and in fp16
    text = json.dumps(head).encode()
    path = folder / "nan.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)
    return path


def cut_off(folder):
    """The first half of the shipped weights."""
    path = folder / "half.safetensors"
    data = SHIPPED.read_bytes()
    path.write_bytes(data[:len(data) // 2])
    return path


def tile(page, name):
    return next(label for label in page.browser.find_elements(By.CSS_SELECTOR, ".nchw-tiles label")
                if label.get_attribute("title").startswith(f"{name}:"))


def click(page, element):
    page.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def click_at(page, canvas, x, y):
    """Clicks a canvas at a part of its width and height."""
    page.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    size = canvas.size
    ActionChains(page.browser).move_to_element_with_offset(
        canvas, int(size["width"] * (x - 0.5)), int(size["height"] * (y - 0.5))).click().perform()


def answer(page):
    return page.text(".nchw-winner")


def number(page, text):
    """The number after `text` in the explanation of a value."""
    return float(re.search(re.escape(text) + r" (−?[\d.]+)", page.text(".nchw-result")).group(1).replace("−", "-"))


def by_mouse(page):
    page.contains(page.text(".nchw-figure"), "CIFAR-10", "90.66 %", "492,650 parameters")
    page.expect(len(page.browser.find_elements(By.CSS_SELECTOR, ".nchw-tiles canvas")), 29, "all layers")
    page.contains(answer(page), "airplane")
    click(page, page.browser.find_elements(By.CSS_SELECTOR, ".nchw-album label")[9])
    page.contains(answer(page), "cat")
    page.contains(page.text("figcaption, .nchw-seen-image"), "cat, test image 0")
    # A layer, a map, a position.
    click(page, tile(page, "block1.conv2"))
    page.contains(page.text(".nchw-layer"), "32 x 32 x 32 (C x H x W)", "9,216 parameters", "5 x 5 pixels")
    click_at(page, page.find(".nchw-layer canvas"), 0.97, 0.75)
    page.contains(page.text(".nchw-value h3"), "Channel 31 of block1.conv2")
    click_at(page, page.find(".nchw-value canvas[tabindex]"), 0.01, 0.99)
    page.contains(page.text(".nchw-result"), "row 31, column 0", "rows 29 to 31, columns 0 to 2 of the image")
    page.contains(page.text(".nchw-why"), "28 other channels", "no bias", "The largest of the 128 products")
    # What the page writes adds up.
    parts = re.search(r"\n?([−\d.]+(?: [+−] [\d.]+)+) \(28 other channels\) \+ 0 .*? = (−?[\d.]+)", page.text(".nchw-why"))
    terms, total = (part.replace("−", "-") for part in parts.groups())
    if abs(sum(map(float, terms.replace("+ ", "").replace("- ", "-").split())) - float(total)) > 0.05:
        raise Failure(f"explorer: {parts.group(0)!r} does not add up")
    # The way back: a contribution leads to the layer before.
    click(page, page.find(".nchw-card button"))
    page.contains(page.text(".nchw-value h3"), "block1.relu1")
    page.contains(page.text(".nchw-why"), "max(0, ")
    click(page, page.find(".nchw-why button"))
    page.contains(page.text(".nchw-why"), "(input − mean) / √(variance + 0.00001) × weight + bias")
    click(page, page.find(".nchw-why button"))
    page.contains(page.text(".nchw-why"), "red: ", "green: ", "blue: ")
    for name, says in [("block1.pool", "The largest of the four values"), ("flatten", "of block3.pool")]:
        click(page, tile(page, name))
        click_at(page, page.find(".nchw-layer canvas"), 0.3, 0.4)
        page.contains(page.text(".nchw-why"), says)
    # The head: what a score consists of.
    click(page, next(b for b in page.browser.find_elements(By.CSS_SELECTOR, ".nchw-scores button") if b.text == "dog"))
    page.contains(page.text(".nchw-head"), 'The score of "dog"', "All 16 sums and the bias", "Softmax")
    click(page, page.find(".nchw-head .nchw-cards button"))
    page.contains(page.text(".nchw-value h3"), "of block3.pool")
    # A channel off: the answer changes; all on: it is the old one.
    before = page.text(".nchw-scores table")
    click(page, page.find(".nchw-check input"))
    page.contains(page.text(".nchw-figure"), "All channels on (1 off)", "Some channels are off")
    if page.text(".nchw-scores table") == before:
        raise Failure("explorer: the scores did not change with a channel off")
    take_screenshot(page.browser, "play-explorer-off")
    click(page, page.button("All channels on"))
    page.expect(page.text(".nchw-scores table"), before, "the scores with all channels on")


def by_keyboard(page):
    page.open()
    tab_to(page.browser, "airplane, test image")
    page.press(Keys.ARROW_RIGHT)
    page.contains(page.text(".nchw-seen-image"), "airplane, test image 10")
    tab_to(page.browser, "Step back")
    page.press(Keys.ENTER)
    page.contains(page.text(".nchw-play-says"), "Layer 28 of 29")
    tab_to(page.browser, "flatten")
    page.press(*[Keys.ARROW_LEFT] * 4)
    name = focused(page.browser)
    page.press(Keys.TAB)
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    page.contains(page.text(".nchw-value h3"), "Channel 17 of block3")
    page.press(" ")
    page.contains(page.text(".nchw-player"), "(1 off)")
    page.press(" ", Keys.ENTER)
    page.press(*[Keys.ARROW_UP] * 8, *[Keys.ARROW_LEFT] * 8, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    page.contains(page.text(".nchw-result"), "row 1, column 2")
    page.press(Keys.ESCAPE)
    page.expect(page.browser.execute_script("return document.activeElement.closest('.nchw-layer') !== null"), True,
                f"the focus in the maps of {name}")


def play(page):
    page.open()
    page.button("Play").click()
    page.wait(lambda: "Layer 2 of 29" in page.text(".nchw-play-says"), "the second layer")
    page.button("Pause").click()
    # On a busy machine, another layer may have come before the click.
    shown = int(re.search(r"Layer (\d+) of 29", page.text(".nchw-play-says")).group(1))
    page.expect(len(page.browser.find_elements(By.CSS_SELECTOR, ".nchw-later")), 29 - shown, "layers that come later")
    page.button("Step back").click()
    page.contains(page.text(".nchw-play-says"), f"Layer {shown - 1} of 29")
    page.button("Show all layers").click()
    page.expect(len(page.browser.find_elements(By.CSS_SELECTOR, ".nchw-later")), 0, "all layers")
    page.open(motion="reduce")
    page.expect(page.button("Step").is_displayed(), True, "steps with reduced motion")
    page.expect([b.text for b in page.browser.find_elements(By.CSS_SELECTOR, "button") if b.text == "Play"], [], "no Play")


def weight_files(page):
    page.open()
    page.find(".nchw-figure details summary").click()
    field = page.find("input[accept='.safetensors']")
    with tempfile.TemporaryDirectory() as folder:
        for path, says in [(cut_off(Path(folder)), "the file is incomplete"), (nan_weights(Path(folder)), "holds NaN"),
                           (OTHER, "these are not the weights of a LectureNet"), (PHOTO, "not a whole safetensors file")]:
            field.send_keys(str(path))
            page.wait(lambda says=says: says in page.text(".nchw-problem"), f"{says!r} for {path.name}")
            page.contains(answer(page), "airplane")
    field.send_keys(str(ODD))
    page.wait(lambda: "are in use" in page.text("[role=status]") and "odd" in page.text("[role=status]"), "the odd network")
    page.expect(page.browser.find_elements(By.CSS_SELECTOR, ".nchw-problem"), [], "no problem")
    page.contains(page.text(".nchw-tiles"), "5x32x32", "7x16x16", "3x8x8")
    click(page, tile(page, "block2.conv3"))
    click_at(page, page.find(".nchw-layer canvas"), 0.5, 0.5)
    page.contains(page.text(".nchw-value h3"), "Channel 3 of block2.conv3")
    page.button("The page's weights again").click()
    page.wait(lambda: "32x32x32" in page.text(".nchw-tiles"), "the page's weights")


def photo_and_camera(page):
    page.open()
    page.find("input[accept='image/*']").send_keys(str(PHOTO))
    page.wait(lambda: "chelsea.png" in page.text(".nchw-seen-image"), "the photo")
    page.contains(answer(page), "cat")
    click(page, tile(page, "block1.relu1"))
    click_at(page, page.find(".nchw-layer canvas"), 0.2, 0.2)
    for size, width in (("phone", 360), ("desktop", 1280)):
        for theme in ("light", "dark"):
            features = [{"name": "prefers-color-scheme", "value": theme}]
            page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            set_width(page.browser, width)
            height, across = page.browser.execute_script(
                "return [document.documentElement.scrollHeight, document.documentElement.scrollWidth]")
            if across > width:
                raise Failure(f"explorer: {across} pixels wide on a page of {width}")
            set_width(page.browser, width, height)
            take_screenshot(page.browser, f"play-explorer-photo-{size}-{theme}")
    page.open()
    page.button("Camera").click()
    page.wait(lambda: page.browser.execute_script(RATE) >= 15, "the camera's images")
    page.browser.execute_async_script("setTimeout(arguments[0], 2000)")
    rate = page.browser.execute_script(RATE)
    page.button("Stop the camera").click()
    return rate


def use_explorer(page):
    page.open()
    by_mouse(page)
    by_keyboard(page)
    play(page)
    weight_files(page)
    rate = photo_and_camera(page)
    page.open()
    times = page.browser.execute_async_script(TIMES)[10:]
    computed, drawn = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"  explorer: all layers computed in {computed:.1f} ms, computed and drawn in {drawn:.1f} ms (medians of {len(times)}); "
          f"camera: {rate} images per second")
