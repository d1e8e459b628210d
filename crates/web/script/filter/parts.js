// The parts of the filter lab: fields, canvases, the colour bar and the table of products.

// Changes a text or colours only if they differ: otherwise the browser would arrange the page again for each frame
// of the camera.
function nchwSay(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function nchwColour(element, paper, ink) {
  const colours = `${paper} ${ink}`;
  if (element.dataset.colours === colours) return;
  element.dataset.colours = colours;
  element.style.background = paper;
  element.style.color = ink;
}

// A field for one number. `write` and `read` are its value; while it holds none, `read` gives 0.
function nchwNumberField(name, changed, focused) {
  const id = nchwId();
  const input = nchwElement("input", { id, type: "number", step: "any", "aria-label": name, autocomplete: "off" });
  const field = {
    name,
    input,
    element: nchwElement("span", { class: "nchw-field" }, nchwElement("label", { for: id }, name), input),
    wrong: () => !Number.isFinite(input.valueAsNumber),
    read: () => (field.wrong() ? 0 : input.valueAsNumber),
    write(value) {
      // The module's numbers have seven digits: the weights of a blur are 0.04, not 0.03999999910593033.
      const text = Number.isFinite(value) ? String(Number(value.toPrecision(7))) : "";
      if (input.value !== text) input.value = text;
      mark();
    },
  };
  const mark = () => input.setAttribute("aria-invalid", String(field.wrong()));
  input.addEventListener("input", () => {
    mark();
    changed(field);
  });
  input.addEventListener("focus", () => focused(field));
  input.addEventListener("keydown", (event) => {
    const [up] = nchwArrow(event) ?? [0];
    if (up === 0) return;
    event.preventDefault();
    // Without this, 0.1 + 0.2 would be 0.30000000000000004.
    field.write(Number((field.read() - up * (event.shiftKey ? 1 : 0.1)).toPrecision(7)));
    changed(field);
  });
  return field;
}

// A canvas with a title, and a mark on it.
function nchwCanvasView(title) {
  // Until a photo is read, as large as most photos, so that the page keeps its height.
  const canvas = nchwElement("canvas", { width: 320, height: 214 });
  const context = canvas.getContext("2d");
  const mark = nchwElement("span", { class: "nchw-lab-mark", "aria-hidden": "true", hidden: true });
  const caption = nchwElement("figcaption", {}, title);
  const element = nchwElement("figure", { class: "nchw-lab-view" }, caption, nchwElement("div", {}, canvas, mark));
  return {
    element,
    canvas,
    context,
    // The pixels of the map are as large as those of its photo.
    resize(height, width, whole) {
      const longest = Math.max(whole.width, whole.height);
      const across = `min(${(420 * width) / longest}px, ${(100 * width) / whole.width}%)`;
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      if (canvas.parentElement.style.width !== across) canvas.parentElement.style.width = across;
      // Single pixels of a small image have clear edges.
      canvas.classList.toggle("nchw-lab-pixels", longest < 160);
    },
    put(bytes, height, width) {
      context.putImageData(new ImageData(bytes.subarray(0, 4 * height * width), width, height), 0, 0);
    },
    says(text) {
      nchwSay(caption, text);
    },
    mark(row, column, rows, columns) {
      const part = (at, whole) => `${(100 * at) / whole}%`;
      mark.hidden = false;
      Object.assign(mark.style, {
        top: part(row + rows / 2, canvas.height), left: part(column + columns / 2, canvas.width),
        width: part(columns, canvas.width), height: part(rows, canvas.height),
      });
    },
  };
}

// Calls `chosen` with the row and the column under the mouse or the finger.
function nchwPointed(canvas, size, chosen) {
  const choose = (event) => {
    const box = canvas.getBoundingClientRect();
    const whole = size();
    if (!whole) return;
    const [rows, columns] = whole;
    chosen([Math.floor(((event.clientY - box.top) / box.height) * rows), Math.floor(((event.clientX - box.left) / box.width) * columns)]);
  };
  canvas.classList.add("nchw-lab-pointed");
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    choose(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) choose(event);
  });
}

// A colour bar with its numbers.
function nchwScaleBar(module) {
  const steps = 129;
  const [ramp, rgba] = [module.floats(steps), module.floats(steps)];
  ramp.values.set(Array.from({ length: steps }, (_, step) => step / (steps - 1)));
  const canvas = nchwElement("canvas", { width: steps, height: 1, "aria-hidden": "true" });
  const numbers = [0, 1, 2].map(() => nchwElement("span"));
  let shown = "";
  return {
    element: nchwElement("div", { class: "nchw-lab-scale" }, canvas, nchwElement("div", {}, ...numbers)),
    show(palette, texts) {
      if (shown !== palette) {
        shown = palette;
        module.call("paint", { values: ramp.address, count: steps, rgba: rgba.address, palette, range: [0, 1] });
        canvas.getContext("2d").putImageData(new ImageData(rgba.bytes.subarray(0, 4 * steps), steps, 1), 0, 0);
      }
      numbers.forEach((number, index) => nchwSay(number, texts[index]));
    },
  };
}

// A window of the photo: in each cell a pixel, its weight and their product.
function nchwProducts(element, channels, [rows, columns]) {
  const size = `${channels.length} ${rows} ${columns}`;
  if (element.dataset.size !== size) {
    element.dataset.size = size;
    const names = channels.length === 1 ? ["pixel × weight = product"] : ["red", "green", "blue"];
    const cell = () => nchwElement("td", {}, nchwElement("span"), nchwElement("span"), nchwElement("span"));
    const row = () => nchwElement("tr", {}, ...Array.from({ length: columns }, cell));
    element.replaceChildren(...names.map((name) => nchwElement("div", { tabindex: "0", role: "region", "aria-label": `Products, ${name}` },
      nchwElement("table", {}, nchwElement("caption", {}, name), nchwElement("tbody", {}, ...Array.from({ length: rows }, row))))));
  }
  const cells = element.querySelectorAll("td");
  channels.flat().forEach((part, index) => {
    const [pixel, weight, product] = cells[index].children;
    nchwSay(pixel, part.pixel);
    nchwSay(weight, `× ${part.weight}`);
    nchwSay(product, `= ${part.product}`);
    nchwColour(pixel, part.paper, part.ink);
    nchwColour(product, part.product_paper, part.product_ink);
    cells[index].classList.toggle("nchw-lab-outside", part.outside);
  });
}
