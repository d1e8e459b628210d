// The network explorer: the lecture's network on one image. The module computes all layers; the other files of this
// folder show them: `input` the choice of an image and of weights, `layers` the maps, `value` where one value comes
// from, `scores` the answer.

nchwFigures.explorer = async (root, module, options) => {
  const planes = module.floats(3 * 32 * 32);
  const small = module.floats(32 * 32);
  let photo = null; // The photo's pixels in the module's memory.
  let last = null; // What `show` has shown last.
  let frames = []; // When the last frames of the camera were drawn.

  // What all parts of the figure know.
  const explorer = {
    module,
    classes: options.classes,
    layers: [], // Those of `net_load`.
    scales: [], // The palette and the range of each layer; of the image, too: `scales[-1]`.
    off: new Map(), // The channels of a layer that are switched off.
    layer: null, // What is chosen: the number of a layer,
    channel: null, // a channel of it, or a class,
    position: null, // and a position of the channel: [row, column].
    answer: null, // The scores and the probabilities,
    allOn: null, // and those of the same image with all channels on, if they are known.
    live: false, // Whether the image comes from the camera.
    image: nchwPixels("The image that the network sees, 32 x 32 pixels"),
    choose,
    toggle,
    allChannelsOn,
    say: (text) => announcer.say(text),
    output: (layer) => (layer < 0 ? { name: "the normalised image", channels: 3, rows: 32, columns: 32 } : explorer.layers[layer]),
    isOff: (layer, channel) => explorer.off.get(layer)?.has(channel) ?? false,
  };
  explorer.image.canvas.width = explorer.image.canvas.height = 32;

  const announcer = nchwAnnouncer();
  const problem = nchwElement("div", { role: "alert" });
  const caption = nchwElement("p", { class: "nchw-small" });
  const times = nchwElement("p", { class: "nchw-small nchw-times" });
  const scores = nchwScores(explorer);
  const strip = nchwStrip(explorer);
  const layer = nchwLayer(explorer);
  const value = nchwValue(explorer);
  const head = nchwHead(explorer);
  const input = nchwExplorerInput({
    options, zone: root, shown: show, loaded: load,
    images: await nchwUnpack(options.pixels),
  });
  root.classList.add("nchw-explorer");
  root.append(
    nchwElement("p", {}, options.about), input.element, problem,
    nchwElement("div", { class: "nchw-answer" },
      nchwElement("figure", { class: "nchw-seen-image" }, explorer.image.element, caption), scores.element),
    strip.element, times, layer.element, value.element, head.element, announcer);
  if (!load(new Uint8Array(await nchwUnpack(options.weights)))) throw new Error(problem.textContent);
  input.start();

  // Does something that can fail; says why, and whether it succeeded.
  function attempt(action) {
    try {
      action();
      problem.replaceChildren();
      return true;
    } catch (error) {
      problem.replaceChildren(nchwElement("p", { class: "nchw-problem" }, error.message));
      return false;
    }
  }

  // Another network. After an error, the one before remains.
  function load(bytes) {
    return attempt(() => {
      const buffer = module.floats(Math.ceil(bytes.length / 4));
      try {
        buffer.bytes.set(bytes);
        const loaded = module.call("net_load", { weights: buffer.address, length: bytes.length });
        explorer.layers = loaded.layers;
        explorer.parameters = loaded.parameters;
      } finally {
        buffer.free();
      }
      explorer.off.clear();
      explorer.layer = explorer.channel = explorer.position = null;
      strip.build();
      if (last) show(last);
    });
  }

  // Another image: `pixels` are red, green, blue and 255 of each pixel.
  function show(image) {
    last = image;
    const start = performance.now();
    const { pixels, height, width, live = false } = image;
    if (photo?.size !== height * width) {
      photo?.buffer.free();
      photo = { size: height * width, buffer: module.floats(height * width) };
    }
    explorer.live = live;
    let computed = start;
    attempt(() => {
      photo.buffer.bytes.set(pixels);
      module.call("net_photo", { rgba: photo.buffer.address, rows: height, columns: width, planes: planes.address, small: small.address });
      explorer.image.context.putImageData(new ImageData(small.bytes, 32, 32), 0, 0);
      explorer.allOn = null;
      explorer.answer = null;
      // Weights can be so large that the scores overflow: this says so, and the layers show it in magenta.
      attemptAnswer(() => module.call("net_show", { image: planes.address, rows: 32, columns: 32 }));
      computed = performance.now();
    });
    if (caption.textContent !== image.says) caption.textContent = image.says;
    draw();
    showTimes(computed - start, performance.now() - start);
    if (!live && explorer.answer) announcer.say(`${image.says}. ${scores.says()}`);
  }

  function attemptAnswer(ask) {
    let failed = null;
    try {
      explorer.answer = ask();
    } catch (error) {
      failed = error;
    }
    if (explorer.off.size === 0) explorer.allOn = explorer.answer;
    if (failed) {
      // The layers before are computed.
      draw();
      throw failed;
    }
  }

  function showTimes(computed, drawn) {
    const now = performance.now();
    frames = explorer.live ? [...frames.filter((time) => now - time < 1000), now] : [];
    const rate = frames.length > 1 && now - frames[0] > 500 ? `, ${Math.round((1000 * (frames.length - 1)) / (now - frames[0]))} images per second` : "";
    times.textContent = `${explorer.parameters.toLocaleString("en")} parameters. All layers computed in ${computed.toFixed(1)} ms, `
      + `computed and drawn in ${drawn.toFixed(1)} ms${rate}.`;
    Object.assign(root.dataset, { computed: computed.toFixed(2), drawn: drawn.toFixed(2), rate: frames.length });
  }

  function draw() {
    if (!explorer.answer && !last) return;
    strip.paint();
    scores.show();
    layer.paint();
    value.paint();
    head.paint();
  }

  // Chooses a layer, a channel (or class) and a position. A channel and a position that are not given stay if the
  // layer has them, so that a value can be followed from layer to layer.
  function choose(index, channel, position) {
    const [before, after] = [explorer.layers[explorer.layer], explorer.layers[index]];
    const same = before && after.channels === before.channels && after.kind !== "head";
    const moved = index !== explorer.layer;
    if (channel === undefined) channel = same ? explorer.channel : null;
    if (channel === null && after.kind === "head") channel = nchwLargest(explorer.answer?.scores ?? [0]);
    if (position === undefined) {
      const fits = same && after.rows === before.rows && channel === explorer.channel;
      position = fits ? explorer.position : null;
    }
    Object.assign(explorer, { layer: index, channel, position });
    if (moved) strip.choose();
    layer.paint();
    value.paint();
    head.paint();
  }

  function toggle(index, channel) {
    const off = new Set(explorer.off.get(index));
    if (!off.delete(channel)) off.add(channel);
    if (off.size > 0) explorer.off.set(index, off);
    else explorer.off.delete(index);
    switched({ layer: index, off: [...off] });
    const name = explorer.layers[index].name;
    announcer.say(`Channel ${channel} of ${name} is ${off.has(channel) ? "off" : "on"}. ${scores.says()}`);
  }

  function allChannelsOn() {
    explorer.off.clear();
    switched({});
    announcer.say(`All channels are on. ${scores.says()}`);
  }

  function switched(values) {
    attempt(() => attemptAnswer(() => module.call("net_switch", values)));
    draw();
  }
};

// A canvas of few pixels that is shown large, and frames on it.
function nchwPixels(label, attributes = {}) {
  const canvas = nchwElement("canvas", { role: "img", "aria-label": label, ...attributes });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const element = nchwElement("div", { class: "nchw-pixels" }, canvas);
  const frames = [];
  return {
    element, canvas, context,
    // Frames ranges of rows and columns, such as [[0, 2], [3, 3]], in a map of this size. A frame may reach into the
    // padding.
    frame(windows, rows, columns, name = "nchw-frame") {
      while (frames.length > windows.length) frames.pop().remove();
      windows.forEach(([[top, bottom], [left, right]], index) => {
        if (!frames[index]) element.append(frames[index] = nchwElement("div"));
        const { style } = frames[index];
        frames[index].className = name;
        [style.top, style.left] = [`${(100 * top) / rows}%`, `${(100 * left) / columns}%`];
        [style.height, style.width] = [`${(100 * (bottom - top + 1)) / rows}%`, `${(100 * (right - left + 1)) / columns}%`];
      });
    },
    // The position under a pointer.
    at(event, rows, columns) {
      const box = canvas.getBoundingClientRect();
      const part = (at, side, count) => Math.min(Math.max(Math.floor((at / side) * count), 0), count - 1);
      return [part(event.clientY - box.top, box.height, rows), part(event.clientX - box.left, box.width, columns)];
    },
  };
}

// A number with three digits; `null` is what JSON makes of NaN.
function nchwNumber(value) {
  if (value === null || Number.isNaN(value)) return "NaN";
  const size = Math.abs(value);
  const text = size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(2);
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text.replace("-", "−");
}

// Where the largest number is; NaN is never the largest.
function nchwLargest(values) {
  let best = 0;
  values.forEach((value, index) => {
    if (value > values[best]) best = index;
  });
  return best;
}

function nchwPercent(probability) {
  return probability === null ? "NaN" : `${(100 * probability).toFixed(1)} %`;
}
