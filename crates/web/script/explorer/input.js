// What the network explorer shows: an image of the page, the reader's own photo, the camera; and the weights.

// `shown` is called with each new image, `loaded` with the bytes of a weight file; it returns whether they were used.
function nchwExplorerInput({ options, images, zone, shown, loaded }) {
  const group = nchwId();
  const size = 3 * 32 * 32;
  const album = nchwElement("fieldset", { class: "nchw-album" }, nchwElement("legend", {}, "An image of the album"));
  const choices = options.names.map((name, index) => {
    const pixels = nchwPixelsOf(new Uint8Array(images, index * size, size));
    const canvas = nchwElement("canvas", { width: 32, height: 32, "aria-hidden": "true" });
    canvas.getContext("2d").putImageData(new ImageData(pixels, 32, 32), 0, 0);
    const choose = () => {
      photo.stop();
      shown({ pixels, height: 32, width: 32, says: name });
    };
    const radio = nchwElement("input", { type: "radio", name: group, class: "nchw-hidden", onchange: choose });
    album.append(nchwElement("label", { title: name }, radio, canvas, nchwElement("span", { class: "nchw-hidden" }, name)));
    return { radio, choose };
  });
  // Larger than 32 x 32, because the module does the last step as the notebooks do.
  const photo = nchwPhotoInput({ side: 128, square: true, zone, changed(image) {
    choices.forEach(({ radio }) => { radio.checked = false; });
    shown({ ...image, says: `${image.live ? "Camera" : image.name}: the middle square, scaled to 32 x 32` });
  } });

  const picker = nchwElement("input", { type: "file", accept: ".safetensors", onchange: async () => {
    const [file] = picker.files;
    if (!file) return;
    weights.textContent = await readWeights(file);
  } });
  const weights = nchwElement("p", { class: "nchw-small", role: "status" }, "The weights that came with the page are in use.");
  const back = nchwElement("button", { type: "button", onclick: async () => {
    picker.value = "";
    loaded(new Uint8Array(await nchwUnpack(options.weights)));
    weights.textContent = "The weights that came with the page are in use.";
  } }, "The page's weights again");
  const own = nchwElement("details", {}, nchwElement("summary", {}, "Your own weights"),
    nchwElement("p", { class: "nchw-small" }, "A file of a LectureNet: ", nchwElement("code", {}, "net.save(\"net.safetensors\")?"),
      " in a notebook writes one, ", nchwElement("code", {}, "safetensors.torch.save_file"),
      " in PyTorch, too. It stays on this computer. The classes keep the names of this page."),
    nchwElement("div", { class: "nchw-bar" }, nchwLabelled("Weight file (.safetensors)", picker), back), weights);

  async function readWeights(file) {
    const most = 200e6;
    if (file.size > most) {
      return `"${file.name}" has ${file.size.toLocaleString("en")} bytes: expected at most ${most.toLocaleString("en")}. The lecture's network has 2,000,000.`;
    }
    let bytes;
    try {
      bytes = new Uint8Array(await file.arrayBuffer());
    } catch (error) {
      return `"${file.name}" cannot be read: ${error.message}`;
    }
    return loaded(bytes) ? `The weights of "${file.name}" are in use.` : `"${file.name}" cannot be used; the weights before it are in use.`;
  }

  return {
    element: nchwElement("div", {}, album, photo.element, own),
    // Shows the first image.
    start() {
      choices[0].radio.checked = true;
      choices[0].choose();
    },
  };
}

// Red, green, blue and 255 of each pixel, from the planes of an image of 32 x 32.
function nchwPixelsOf(planes) {
  const pixels = new Uint8ClampedArray(4 * 1024).fill(255);
  planes.forEach((value, index) => { pixels[4 * (index % 1024) + Math.floor(index / 1024)] = value; });
  return pixels;
}
