// The reader's own photo: from a file, by drag and drop, from the clipboard or from the camera; or one that came
// with the page. And its numbers in the module's memory.

// What a reader chooses a photo with. `changed` is called with each new photo, and with each frame of the camera:
//   {name, height, width, pixels, canvas, says, live}
//     pixels   red, green, blue and 255 of each pixel, row by row
//     canvas   the same to draw from; the next photo replaces what it shows
//     says     the photo's name and size, in words
// Options:
//   photos   what came with the page: [{name, url, credit}]; the first is shown
//   side     the most rows or columns of the photo that the figure gets
//   square   true: the figure gets only the middle square of the photo
//   zone     where a photo can be dropped or pasted: the whole figure
function nchwPhotoInput({ photos = [], side = 320, square = false, zone, changed }) {
  const canvas = nchwElement("canvas");
  let own = null; // The last photo from a file, so that the menu can return to it.
  let order = 0; // Counts what was opened: a slow file must not replace one that was chosen after it.
  let camera = null;
  let shown = ""; // The chosen line of the menu.

  const picker = nchwElement("input", {
    type: "file", accept: "image/*", hidden: true,
    onchange: () => {
      if (picker.files.length > 0) openFile(picker.files[0]);
      picker.value = ""; // Otherwise the same file could not be chosen again.
    },
  });
  const menu = nchwElement("select", { onchange: () => openKnown(menu.value) });
  const problem = nchwElement("div", { role: "alert" });
  const about = nchwElement("p", { class: "nchw-small nchw-photo-about" });
  const cameraButton = nchwElement("button", { type: "button", onclick: () => (camera ? stop() : startCamera()) });
  const element = nchwElement("div", { class: "nchw-photo" },
    nchwElement("div", { class: "nchw-bar" }, nchwLabelled("Photo", menu),
      nchwElement("button", { type: "button", onclick: () => picker.click() }, "Open a photo…"), picker,
      navigator.mediaDevices?.getUserMedia ? cameraButton : null),
    about, problem);
  menu.parentElement.hidden = photos.length === 0;
  showMenu("0");
  showCamera();
  if (photos.length > 0) openKnown("0");

  zone ??= element;
  zone.addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    zone.classList.add("nchw-drop");
  });
  zone.addEventListener("dragleave", (event) => {
    if (!zone.contains(event.relatedTarget)) zone.classList.remove("nchw-drop");
  });
  zone.addEventListener("drop", (event) => {
    zone.classList.remove("nchw-drop");
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.dataTransfer.files.length > 0) openFile(event.dataTransfer.files[0]);
  });
  zone.addEventListener("paste", (event) => {
    const [file] = event.clipboardData.files;
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    openFile(file);
  });

  // The photos of the page, and the reader's own.
  function showMenu(chosen) {
    const known = photos.map(({ name }, index) => [String(index), name]);
    if (own) known.push(["own", own.name]);
    if (chosen === "camera") known.push(["camera", "camera"]);
    menu.replaceChildren(...known.map(([value, name]) => nchwElement("option", { value }, name)));
    menu.value = shown = chosen;
    menu.parentElement.hidden = known.length === 0;
  }

  function openKnown(chosen) {
    if (chosen === "camera") return;
    if (chosen === "own") {
      open(own.name, own.blob, "own");
      return;
    }
    const { name, url, credit } = photos[Number(chosen)];
    open(name, nchwBlob(url), chosen, credit && `Photo: ${credit}.`);
  }

  function openFile(file) {
    open(file.name || "pasted image", file, "own");
  }

  async function open(name, blob, chosen, credit) {
    order += 1;
    const mine = order;
    stop();
    try {
      const { image, note } = await nchwDecode(name, blob);
      if (mine !== order) return;
      if (chosen === "own") own = { name, blob };
      problem.replaceChildren();
      showMenu(chosen);
      take(name, image, false, [note, credit]);
      image.close?.();
    } catch (error) {
      if (mine === order) complain(error.message);
    }
  }

  function complain(text) {
    problem.replaceChildren(nchwElement("p", { class: "nchw-problem" }, text));
    menu.value = shown; // It is still the photo before.
  }

  // Scales the photo, or the middle of it, and hands it to the figure.
  function take(name, image, live, notes = []) {
    const [width, height] = [image.videoWidth || image.naturalWidth || image.width, image.videoHeight || image.naturalHeight || image.height];
    const [cutW, cutH] = square ? Array(2).fill(Math.min(width, height)) : [width, height];
    const scale = Math.min(1, side / Math.max(cutW, cutH));
    const [w, h] = [cutW, cutH].map((length) => Math.max(1, Math.round(length * scale)));
    const context = nchwScaled(canvas, image, [(width - cutW) / 2, (height - cutH) / 2, cutW, cutH], w, h);
    const size = `${height} x ${width}`;
    let says = `${name}: ${size} pixels (H x W)`;
    if (square) says += ", of which the figure gets the middle square";
    else if (w !== width || h !== height) says += `, scaled to ${h} x ${w}`;
    const line = [`${says}.`, ...notes.filter(Boolean)].join(" ");
    if (about.textContent !== line) about.textContent = line;
    changed({ name, height: h, width: w, pixels: context.getImageData(0, 0, w, h).data, canvas, says, live });
  }

  function showCamera() {
    cameraButton.textContent = camera ? "Stop the camera" : "Camera";
  }

  async function startCamera() {
    order += 1;
    const mine = order;
    problem.replaceChildren();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 2 * side } } });
      const off = () => stream.getTracks().forEach((track) => track.stop());
      // While the browser asked for permission, the reader may have chosen a photo.
      if (mine !== order || !element.isConnected) {
        off();
        return;
      }
      const video = nchwElement("video", { muted: true, playsinline: true });
      video.muted = true;
      video.srcObject = stream;
      const running = { off };
      camera = running;
      stream.getVideoTracks()[0].addEventListener("ended", () => {
        if (camera !== running) return;
        stop();
        complain("The camera stopped. If another program took it, close that program and start the camera again.");
      });
      showMenu("camera");
      showCamera();
      await video.play();
      const next = (frame) => (video.requestVideoFrameCallback ? video.requestVideoFrameCallback(frame) : requestAnimationFrame(frame));
      const frame = () => {
        if (camera !== running) return;
        // Without the figure, nobody could stop the camera: the cell ran again, or its tab was hidden.
        if (element.getClientRects().length === 0) {
          stop();
          return;
        }
        if (video.videoWidth > 0) take("camera", video, true);
        next(frame);
      };
      next(frame);
    } catch (error) {
      if (mine !== order) return;
      stop();
      complain(nchwCameraProblem(error));
    }
  }

  // Stops the camera. Its last frame remains.
  function stop() {
    if (!camera) return;
    camera.off();
    camera = null;
    showCamera();
  }

  return { element, stop };
}

// What to do about a camera that did not start.
function nchwCameraProblem({ name, message }) {
  return {
    NotAllowedError: "The camera was not permitted. Allow it in the address bar of the browser, or open a photo instead.",
    NotFoundError: "No camera was found. Connect one, or open a photo instead.",
    NotReadableError: "The camera cannot be used: another program may be using it. Close that program, or open a photo instead.",
  }[name] ?? `The camera did not start: ${message || name}. Open a photo instead.`;
}

// The bytes of a data URL.
function nchwBlob(url) {
  const [head, text] = url.split(",", 2);
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: head.slice("data:".length).split(";")[0] });
}

// Decodes an image file, turned as its EXIF data says. Returns the image, and a note for the reader.
async function nchwDecode(name, blob) {
  if (blob.size === 0) throw new Error(`"${name}" is empty (0 bytes): it was not copied completely. Copy it again, or open another photo.`);
  const bytes = new Uint8Array(await blob.arrayBuffer());
  const text = (from, to) => String.fromCharCode(...bytes.slice(from, to));
  let image;
  try {
    image = blob.type === "image/svg+xml" || /\.svg$/i.test(name) ? await nchwDrawing(blob) : await createImageBitmap(new Blob([bytes]));
  } catch {
    image = null;
  }
  if (image && image.width > 0 && image.height > 0) {
    return { image, note: nchwAnimated(bytes) ? "The image is animated: this is its first frame." : "" };
  }
  // The first bytes say what a file is, whatever its name is.
  const heic = text(4, 8) === "ftyp" && /^(hei|hev|mif|msf)/.test(text(8, 12));
  if (heic || /\.hei[cf]$/i.test(name)) {
    throw new Error(`This browser cannot open "${name}" (HEIC). Save it as JPEG: on an iPhone, in Settings, Camera, Formats, choose "Most Compatible", or take a screenshot of it.`);
  }
  if (blob.type === "image/svg+xml") throw new Error(`"${name}" is a drawing (SVG) that this browser cannot open here. Export it as PNG.`);
  const known = text(0, 2) === "\xff\xd8" || text(1, 4) === "PNG" || text(0, 4) === "GIF8" || text(8, 12) === "WEBP" || text(0, 2) === "BM";
  if (known) throw new Error(`"${name}" is damaged, cut off or too large for this browser. Copy it again, or open it in another program and save it as JPEG or PNG, with at most 8,000 pixels per side.`);
  throw new Error(`"${name}" is not an image that this browser can open${blob.type ? ` (${blob.type})` : ""}. Open a JPEG, PNG or WebP file, or save the image as one of them.`);
}

// A drawing (SVG): browsers draw it only as an element.
async function nchwDrawing(blob) {
  const url = URL.createObjectURL(new Blob([blob], { type: "image/svg+xml" }));
  try {
    const image = nchwElement("img", { src: url });
    await image.decode();
    // A drawing without a size has none in some browsers.
    return await createImageBitmap(image, image.naturalWidth ? {} : { resizeWidth: 640, resizeHeight: 640 });
  } finally {
    URL.revokeObjectURL(url);
  }
}

// Whether a GIF, WebP or PNG file has several frames.
function nchwAnimated(bytes) {
  const text = new TextDecoder("latin1").decode(bytes);
  if (text.startsWith("GIF8")) return text.split(/\x21\xf9\x04[^]{4}\x00[\x21\x2c]/).length > 2;
  if (text.startsWith("WEBPVP8X", 8)) return (bytes[20] & 2) !== 0;
  return text.startsWith("PNG", 1) && text.split("IDAT", 1)[0].includes("acTL");
}

// Draws a part of an image into a canvas of this size, on white. A browser's own scaling skips pixels when it
// makes an image much smaller, so it is halved as often as possible before.
function nchwScaled(canvas, image, [left, top, partW, partH], width, height) {
  let [from, x, y, w, h] = [image, left, top, partW, partH];
  const draw = (to, across, down) => {
    [to.width, to.height] = [across, down]; // This clears the canvas, too.
    const context = to.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.fillStyle = "#fff";
    context.fillRect(0, 0, across, down);
    context.drawImage(from, x, y, w, h, 0, 0, across, down);
    return context;
  };
  while (w > 2 * width && h > 2 * height) {
    const half = nchwElement("canvas");
    draw(half, Math.ceil(w / 2), Math.ceil(h / 2));
    [from, x, y, w, h] = [half, 0, 0, half.width, half.height];
  }
  return draw(canvas, width, height);
}

// Memory of the module for a photo, kept from frame to frame:
// `memory.planes(photo)` gives a buffer of its numbers from 0 to 1, `[C, H, W]`, with `channels` 3 or, for grey, 1.
function nchwPhotoMemory(module) {
  let [rgba, numbers, size] = [null, null, ""];
  return {
    planes({ pixels, height, width }, channels = 3) {
      if (size !== `${height} ${width} ${channels}`) {
        rgba?.free();
        numbers?.free();
        [rgba, numbers] = [module.floats(height * width), module.floats(channels * height * width)];
        size = `${height} ${width} ${channels}`;
      }
      rgba.bytes.set(pixels);
      module.call("photo_planes", { rgba: rgba.address, planes: numbers.address, rows: height, columns: width, channels });
      return numbers;
    },
  };
}
