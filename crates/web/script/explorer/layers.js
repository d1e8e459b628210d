// The layers of the network explorer: all of them as small pictures, and the maps of the chosen one.

// What a layer does, in words.
function nchwLayerText({ layers }, index) {
  const { kind, channels } = layers[index];
  const from = index > 0 ? layers[index - 1].channels : 3;
  return {
    conv: `${channels} kernels of ${from} x 3 x 3 move over the ${from} channels, padding 1. Each makes one feature map.`,
    norm: "Batch normalisation: each channel gets the mean and the spread that the network has learned.",
    relu: "ReLU: negative values become 0.",
    pool: "Max pooling: of 2 x 2 values, the largest remains. The map has half as many rows and columns.",
    flatten: "The maps become one list of numbers, one map after the other.",
    head: "One weighted sum of all numbers for each class: the scores.",
  }[kind];
}

const NCHW_KINDS = { conv: "convolution 3 x 3", norm: "batch normalisation", relu: "ReLU", pool: "max pooling 2 x 2", flatten: "one list of numbers", head: "fully connected" };

function nchwShapeText({ kind, channels, rows, columns }) {
  return kind === "flatten" || kind === "head" ? String(channels) : `${channels} x ${rows} x ${columns}`;
}

// A picture of all maps of a layer, `columns` next to each other.
function nchwMosaic(explorer, context) {
  let buffer = null;
  let made = "";
  return {
    paint(index, columns) {
      const { channels, rows, columns: across, kind } = explorer.layers[index];
      const gap = kind === "flatten" || kind === "head" ? 0 : 1;
      const [width, height] = [columns * (across + gap) - gap, Math.ceil(channels / columns) * (rows + gap) - gap];
      const wanted = `${index} ${width} ${height}`;
      if (made !== wanted) {
        // A new buffer, because the gaps keep their bytes.
        buffer?.free();
        buffer = explorer.module.floats(width * height);
        [context.canvas.width, context.canvas.height] = [width, height];
        made = wanted;
      }
      explorer.scales[index] = explorer.module.call("net_paint", { layer: index, columns, gap, rgba: buffer.address });
      context.putImageData(new ImageData(buffer.bytes, width, height), 0, 0);
    },
    free() {
      buffer?.free();
      [buffer, made] = [null, ""];
    },
  };
}

// All layers in order. They can appear one after another.
function nchwStrip(explorer) {
  const rows = nchwElement("div");
  const says = nchwElement("p", { class: "nchw-play-says" });
  const button = (text, onclick) => nchwElement("button", { type: "button", onclick }, text);
  const play = button("Play", () => (timer ? pause() : start()));
  const back = button("Step back", () => step(-1));
  const next = button("Step", () => step(1));
  const all = button("Show all layers", () => {
    pause();
    reveal(explorer.layers.length - 1);
  });
  const on = button("All channels on", explorer.allChannelsOn);
  const bar = nchwElement("div", { class: "nchw-bar nchw-player" }, play, back, next, all, on);
  const element = nchwElement("fieldset", { class: "nchw-strip" },
    nchwElement("legend", {}, "The layers, in order. Choose one to see its maps."), bar, says, rows);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let tiles = [];
  let timer = 0;
  let until = 0; // The last layer that is shown.

  // The tiles of another network.
  function build() {
    pause();
    tiles.forEach(({ mosaic }) => mosaic.free());
    const group = nchwId();
    const blocks = new Map();
    tiles = explorer.layers.map((layer, index) => {
      const [block, short] = layer.name.includes(".") ? layer.name.split(".") : ["head", layer.name];
      const canvas = nchwElement("canvas", { "aria-hidden": "true", class: layer.rows === 1 ? "nchw-coarse" : null });
      const radio = nchwElement("input", { type: "radio", name: group, class: "nchw-hidden", onchange: () => {
        pause();
        if (index > until) reveal(index);
        else explorer.choose(index);
      } });
      const label = nchwElement("label", { title: `${layer.name}: ${NCHW_KINDS[layer.kind]}` }, radio, canvas,
        nchwElement("span", {}, block === "head" ? null : nchwElement("span", { class: "nchw-hidden" }, `${block}.`), short),
        nchwElement("small", {}, nchwShapeText(layer).replaceAll(" ", "")));
      if (!blocks.has(block)) blocks.set(block, nchwElement("div", { class: "nchw-tiles" }));
      blocks.get(block).append(label);
      const mosaic = nchwMosaic(explorer, canvas.getContext("2d", { willReadFrequently: true }));
      return { label, radio, mosaic, columns: Math.ceil(Math.sqrt(layer.channels)) };
    });
    const title = (block) => nchwElement("h3", {}, block.replace(/^block/, "Block ").replace(/^head$/, "Head"));
    rows.replaceChildren(...[...blocks].flatMap(([block, row]) => [title(block), row]));
    reveal(explorer.layers.length - 1, false);
  }

  function paint() {
    tiles.forEach(({ mosaic, columns }, index) => mosaic.paint(index, columns));
    on.disabled = explorer.off.size === 0;
    const count = [...explorer.off.values()].reduce((sum, channels) => sum + channels.size, 0);
    on.textContent = count === 0 ? "All channels on" : `All channels on (${count} off)`;
  }

  // Shows the layers up to this one.
  function reveal(to, choose = true) {
    const most = explorer.layers.length - 1;
    until = Math.min(Math.max(to, 0), most);
    tiles.forEach(({ label }, index) => label.classList.toggle("nchw-later", index > until));
    element.closest(".nchw-figure")?.classList.toggle("nchw-unanswered", until < most);
    back.disabled = until === 0;
    all.disabled = until === most;
    if (choose) explorer.choose(until);
    says.textContent = choose ? `Layer ${until + 1} of ${most + 1}, ${explorer.layers[until].name}: ${nchwLayerText(explorer, until)}` : "";
    if (choose && !timer) explorer.say(says.textContent);
    if (until === most) pause();
  }

  // After the last layer, the first one follows.
  function step(by) {
    pause();
    reveal(by > 0 && until === explorer.layers.length - 1 ? 0 : until + by);
  }

  function start() {
    timer = setInterval(() => reveal(until + 1), 900);
    play.textContent = "Pause";
    reveal(until === explorer.layers.length - 1 ? 0 : until);
  }

  function pause() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "Play";
  }

  const motion = () => {
    if (still.matches) pause();
    play.hidden = still.matches;
  };
  still.addEventListener("change", motion);
  motion();
  return {
    element, build, paint,
    choose: () => { tiles[explorer.layer].radio.checked = true; },
  };
}

// The maps of the chosen layer.
function nchwLayer(explorer) {
  const title = nchwElement("h3");
  const facts = nchwElement("p", { class: "nchw-small" });
  const text = nchwElement("p");
  const scale = nchwScale(explorer);
  const pixels = nchwPixels("Feature maps", { tabindex: "0", role: "application", onpointerdown: point, onkeydown: key });
  const switched = nchwElement("div", { class: "nchw-switched" });
  pixels.element.append(switched);
  const mosaic = nchwMosaic(explorer, pixels.context);
  const hint = nchwElement("p", { class: "nchw-small" });
  const element = nchwElement("section", { class: "nchw-layer", hidden: true }, title, facts, text, scale.element, pixels.element, hint);
  let columns = 8;

  function paint() {
    const layer = explorer.layers[explorer.layer];
    element.hidden = !layer;
    if (!layer) return;
    const { name, kind, parameters, sees, channels, rows } = layer;
    title.textContent = `${name}: ${NCHW_KINDS[kind]}`;
    facts.textContent = `Output ${nchwShapeText(layer)}${kind === "flatten" || kind === "head" ? " numbers" : " (C x H x W)"}. `
      + `${parameters === 0 ? "No" : parameters.toLocaleString("en")} parameters. `
      + (sees && kind !== "head" ? `Each value sees ${sees[0]} x ${sees[1]} pixels of the image${sees[0] > 32 ? " and of its padding" : ""}.` : "Each value sees the whole image.");
    text.textContent = nchwLayerText(explorer, explorer.layer);
    const isHead = kind === "head";
    pixels.element.hidden = hint.hidden = isHead;
    if (isHead) {
      scale.show(explorer.scales[explorer.layer]);
      return;
    }
    columns = across(layer);
    mosaic.paint(explorer.layer, columns);
    scale.show(explorer.scales[explorer.layer]);
    const flat = rows === 1 && kind === "flatten";
    pixels.element.style.maxWidth = flat ? "640px" : `${columns * (rows > 8 ? 66 : 52)}px`;
    pixels.canvas.setAttribute("aria-label", `${channels} ${flat ? "numbers" : "feature maps"} of ${name}. Arrow keys choose one, `
      + `Enter goes ${flat ? "to its origin" : "into it, Space switches it off or on"}.`);
    hint.textContent = flat ? "Choose a number with the mouse, a finger or the arrow keys."
      : "Choose a map with the mouse, a finger or the arrow keys. Enter goes into the map, Space switches it off or on.";
    const lines = Math.ceil(channels / columns);
    const cell = (channel) => [[Math.floor(channel / columns), Math.floor(channel / columns)], [channel % columns, channel % columns]];
    pixels.frame(explorer.channel === null ? [] : [cell(explorer.channel)], lines, columns, "nchw-frame");
    const off = [...(explorer.off.get(explorer.layer) ?? [])];
    switched.replaceChildren(...off.map((channel) => nchwElement("div", {
      class: "nchw-off", style: `top:${(100 * Math.floor(channel / columns)) / lines}%;left:${(100 * (channel % columns)) / columns}%;`
        + `height:${100 / lines}%;width:${100 / columns}%`,
    })));
  }

  // How many maps fit next to each other: a power of two, so that rows are full.
  function across({ channels, kind }) {
    if (kind === "flatten") return Math.min(64, channels);
    const width = element.clientWidth || 320;
    const fit = Math.max(1, Math.floor(width / (width < 600 ? 36 : 56)));
    return Math.min(2 ** Math.floor(Math.log2(fit)), channels);
  }

  function point(event) {
    const { channels } = explorer.layers[explorer.layer];
    const [line, column] = pixels.at(event, Math.ceil(channels / columns), columns);
    const channel = line * columns + column;
    if (channel < channels) explorer.choose(explorer.layer, channel);
  }

  function key(event) {
    const { channels, name, kind } = explorer.layers[explorer.layer];
    const step = nchwArrow(event);
    const now = explorer.channel ?? 0;
    if (step || event.key === "Home" || event.key === "End") {
      event.preventDefault();
      const wanted = event.key === "Home" ? 0 : event.key === "End" ? channels - 1 : explorer.channel === null ? 0 : now + step[0] * columns + step[1];
      if (wanted < 0 || wanted >= channels) return;
      explorer.choose(explorer.layer, wanted);
      explorer.say(`Channel ${wanted} of ${name}${explorer.isOff(explorer.layer, wanted) ? ", off" : ""}`);
    } else if (event.key === "Enter") {
      event.preventDefault();
      explorer.choose(explorer.layer, now);
      const inside = kind === "flatten" ? ".nchw-why button" : ".nchw-value canvas[tabindex]";
      element.parentElement.querySelector(inside)?.focus();
    } else if (event.key === " " && kind !== "flatten") {
      event.preventDefault();
      explorer.choose(explorer.layer, now);
      explorer.toggle(explorer.layer, now);
    }
  }

  // Only a change of the number of columns needs another picture.
  new ResizeObserver(() => {
    const layer = explorer.layers[explorer.layer];
    if (layer && across(layer) !== columns) paint();
  }).observe(element);
  return { element, paint };
}

// A colour bar with the numbers at its ends.
function nchwScale(explorer) {
  const bar = nchwElement("span", { class: "nchw-scale-bar" });
  const [low, middle, high] = [nchwElement("span"), nchwElement("span"), nchwElement("span")];
  const element = nchwElement("p", { class: "nchw-scale nchw-small" }, low, bar, high, middle);
  return {
    element,
    show({ palette, range }) {
      const values = [0, 0.25, 0.5, 0.75, 1].map((part) => range[0] + part * (range[1] - range[0]));
      const colours = explorer.module.call("colours", { values, palette, range });
      bar.style.background = `linear-gradient(to right, ${colours.map(({ paper }) => paper).join(", ")})`;
      [low.textContent, high.textContent] = range.map(nchwNumber);
      middle.textContent = palette === "signed" ? "White is 0. One scale for the whole layer." : "White is 0 and nothing is negative. One scale for the whole layer.";
    },
  };
}
