// One feature map of the network explorer, enlarged, and where one of its values comes from.

function nchwValue(explorer) {
  const { module } = explorer;
  const title = nchwElement("h3");
  const box = nchwElement("input", { type: "checkbox", onchange: () => explorer.toggle(explorer.layer, explorer.channel) });
  const isOn = nchwElement("label", { class: "nchw-check" }, box, "This channel is on");
  const field = nchwPixels("The pixels that the value depends on");
  const before = nchwPixels("The window in the layer before");
  const map = nchwPixels("The map", { tabindex: "0", role: "application", onkeydown: key });
  const [fieldText, beforeText, mapText] = [nchwElement("figcaption"), nchwElement("figcaption"), nchwElement("figcaption")];
  const figure = (pixels, caption) => nchwElement("figure", {}, caption, pixels.element);
  const mapFigure = figure(map, mapText);
  const hint = nchwElement("p", { class: "nchw-small" },
    "Choose a position in the last of the three: with the mouse, a finger or the arrow keys. Escape goes back to all maps.");
  const digits = nchwElement("div", { class: "nchw-digits", "aria-hidden": "true" });
  map.element.append(digits);
  const result = nchwElement("p", { class: "nchw-result" });
  const why = nchwElement("div", { class: "nchw-why" });
  const element = nchwElement("section", { class: "nchw-value", hidden: true },
    nchwElement("div", { class: "nchw-bar" }, title, isOn),
    hint, nchwElement("div", { class: "nchw-three" }, figure(field, fieldText), figure(before, beforeText), mapFigure),
    result, why);
  let values = null; // The numbers of the chosen layer, or of the one before.
  let rgba = null;
  let explained = 0; // When the explanation was written last.

  map.canvas.addEventListener("pointerdown", (event) => {
    map.canvas.setPointerCapture(event.pointerId);
    point(event);
  });
  map.canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) point(event);
  });

  function point(event) {
    const { rows, columns } = explorer.output(explorer.layer);
    explorer.choose(explorer.layer, explorer.channel, map.at(event, rows, columns));
  }

  function key(event) {
    const { rows, columns } = explorer.output(explorer.layer);
    const step = nchwArrow(event);
    if (step) {
      event.preventDefault();
      const inside = (at, size) => Math.min(Math.max(at, 0), size - 1);
      const [row, column] = explorer.position;
      explorer.choose(explorer.layer, explorer.channel, [inside(row + step[0], rows), inside(column + step[1], columns)]);
      explorer.say(result.textContent);
    } else if (event.key === "Escape") {
      event.preventDefault();
      element.parentElement.querySelector(".nchw-layer canvas[tabindex]")?.focus();
    }
  }

  function paint() {
    const layer = explorer.layers[explorer.layer];
    const shown = layer && layer.kind !== "head" && explorer.channel !== null;
    element.hidden = !shown;
    if (!shown) return;
    const { name, rows, columns, kind } = layer;
    title.textContent = kind === "flatten" ? `Number ${explorer.channel} of ${name}` : `Channel ${explorer.channel} of ${name}`;
    // A flattened number has no map.
    isOn.hidden = mapFigure.hidden = hint.hidden = kind === "flatten";
    box.checked = !explorer.isOff(explorer.layer, explorer.channel);
    const numbers = fill(map, explorer.layer, explorer.channel);
    explorer.position ??= nchwFarthest(numbers, columns);
    const [row, column] = explorer.position;
    mapText.textContent = `${name}, channel ${explorer.channel}: ${rows} x ${columns}`;
    map.canvas.setAttribute("aria-label", `Channel ${explorer.channel} of ${name}, ${rows} rows and ${columns} columns. Arrow keys move the position.`);
    map.frame([[[row, row], [column, column]]], rows, columns, "nchw-frame nchw-at");
    showDigits(numbers, layer);
    explain(row, column);
  }

  // Draws one map in the colours of its layer; returns its numbers.
  function fill(pixels, index, channel) {
    const { channels, rows, columns } = explorer.output(index);
    values = room(values, channels * rows * columns);
    rgba = room(rgba, rows * columns);
    module.call("net_maps", { layer: index, to: values.address });
    const { palette, range } = index < 0 ? { palette: ["red", "green", "blue"][channel], range: undefined } : explorer.scales[index];
    const painted = module.call("paint", { values: values.address, from: channel * rows * columns, count: rows * columns, rgba: rgba.address, palette, range });
    if (index < 0) explorer.scales[-1] = { palette: painted.palette, range: painted.range };
    if (pixels.canvas.width !== columns || pixels.canvas.height !== rows) [pixels.canvas.width, pixels.canvas.height] = [columns, rows];
    pixels.context.putImageData(new ImageData(rgba.bytes.slice(0, 4 * rows * columns), columns, rows), 0, 0);
    return values.values.subarray(channel * rows * columns, (channel + 1) * rows * columns);
  }

  function room(buffer, count) {
    if (buffer?.count >= count) return buffer;
    buffer?.free();
    return Object.defineProperty(module.floats(count), "count", { value: count });
  }

  // Numbers in the map, where they can be read.
  function showDigits(numbers, { rows, columns }) {
    const many = rows > 8 || columns > 8;
    digits.hidden = many;
    if (many) return;
    const shown = Array.from(numbers, (value) => (Number.isFinite(value) ? value : null));
    const colours = module.call("colours", { values: shown.map((value) => value ?? 0), ...explorer.scales[explorer.layer] });
    digits.style.gridTemplateColumns = `repeat(${columns}, 1fr)`;
    digits.replaceChildren(...shown.map((value, index) => nchwElement("span", { style: `color:${value === null ? "#000" : colours[index].ink}` }, nchwNumber(value))));
  }

  function explain(row, column) {
    const index = explorer.layer;
    const layer = explorer.layers[index];
    const all = module.call("net_explain", { layer: index, channel: explorer.channel, row, column, most: 4 });
    const from = all.from === null ? -1 : all.from;
    const source = explorer.output(from);
    const first = all.terms[0]?.channel ?? 0;
    const shown = all.channels[0]?.channel ?? first;
    beforeText.textContent = `${source.name}, ${nchwChannelText(from, shown)}: ${source.rows} x ${source.columns}`;
    fill(before, from, shown);
    before.frame([[all.window.rows, all.window.columns]], source.rows, source.columns);
    before.canvas.setAttribute("aria-label", `${beforeText.textContent}, with the window ${nchwRanges(all.window)}`);
    const seen = all.path[all.path.length - 1];
    if (field.canvas.width !== 32) field.canvas.width = field.canvas.height = 32;
    field.context.drawImage(explorer.image.canvas, 0, 0);
    field.frame([[seen.rows, seen.columns]], 32, 32);
    fieldText.textContent = "The image: what the value sees";
    field.canvas.setAttribute("aria-label", `The value depends on the pixels in ${nchwRanges(seen)}`);
    explorer.image.frame([[seen.rows, seen.columns]], 32, 32);
    const where = layer.kind === "flatten" ? "" : ` in row ${row}, column ${column}`;
    result.textContent = `The value${where} is ${nchwNumber(all.value)}`
      + `${all.is_off ? `: the channel is off. It would be ${nchwNumber(all.sum)}` : ""}. `
      + `It depends on ${nchwRanges(seen)} of the image.`;
    // With the camera, the reader's focus must not be lost, and nobody can read new numbers 25 times per second.
    const now = performance.now();
    if (explorer.live && (why.contains(document.activeElement) || now - explained < 200)) return;
    explained = now;
    why.replaceChildren(...parts[layer.kind](all, from), path(all));
  }

  const parts = {
    conv(all, from) {
      const rest = explorer.output(from).channels - all.channels.length;
      const weights = all.channels.flatMap((channel) => channel.weights);
      const most = Math.max(...weights.map(Math.abs), 1e-9);
      const cards = all.channels.map(({ channel, sum, inputs, weights }) => nchwElement("div", { class: "nchw-card" },
        go(from, channel, all.window, `${nchwChannelText(from, channel)}: ${nchwNumber(sum)}`),
        nchwElement("div", { class: "nchw-product" },
          nchwValueCells(explorer, inputs, explorer.scales[from], 3, "Inputs"), "×",
          nchwValueCells(explorer, weights, { palette: "signed", range: [-most, most] }, 3, "Weights"))));
      const [best] = all.terms;
      return [
        nchwElement("h4", {}, "The largest contributions: input x weight, by channel"),
        nchwElement("div", { class: "nchw-cards" }, ...cards),
        nchwElement("p", {}, sumText(all, rest > 0 ? `${rest} other channel${rest === 1 ? "" : "s"}` : null)),
        best ? nchwElement("p", {}, `The largest of the ${all.count} products: ${nchwNumber(best.input)} × ${nchwNumber(best.weight)} = `
          + `${nchwNumber(best.product)}, in ${nchwChannelText(from, best.channel)}, row ${best.row}, column ${best.column}.`) : null,
      ].filter(Boolean);
    },
    norm(all, from) {
      const { mean, variance, weight, bias } = all.norm;
      const [{ input, channel }] = all.terms;
      const n = nchwNumber(input);
      // As in (−5.61 − (−0.66)).
      const [m, v, w, b] = [mean, variance, weight, bias].map((value) => (value < 0 ? `(${nchwNumber(value)})` : nchwNumber(value)));
      return [
        nchwElement("p", {}, "(input − mean) / √(variance + 0.00001) × weight + bias:"),
        nchwElement("p", { class: "nchw-code" }, `(${n} − ${m}) / √(${v} + 0.00001) × ${w} + ${b} = ${nchwNumber(all.sum)}`),
        go(from, channel, all.window, `The input, ${n}`),
      ];
    },
    relu(all, from) {
      const [{ input, channel }] = all.terms;
      return [
        nchwElement("p", { class: "nchw-code" }, `max(0, ${nchwNumber(input)}) = ${nchwNumber(all.sum)}`),
        go(from, channel, all.window, `The input, ${nchwNumber(input)}`),
      ];
    },
    pool(all, from) {
      const terms = [...all.terms].sort((a, b) => a.row - b.row || a.column - b.column);
      const chosen = all.terms.find(({ weight }) => weight === 1) ?? all.terms[0];
      return [
        nchwElement("p", {}, `The largest of the four values is ${nchwNumber(chosen.input)}, in row ${chosen.row}, column ${chosen.column}.`),
        nchwValueCells(explorer, terms.map(({ input }) => input), explorer.scales[from], 2, "Window"),
        nchwElement("p", {}, go(from, chosen.channel, { rows: [chosen.row, chosen.row], columns: [chosen.column, chosen.column] }, "The largest value")),
      ];
    },
    flatten(all, from) {
      const [{ channel, row, column }] = all.terms;
      return [
        nchwElement("p", {}, `It is channel ${channel}, row ${row}, column ${column} of ${explorer.output(from).name}.`),
        go(from, channel, all.window, "The map that it is from"),
      ];
    },
  };

  function sumText(all, others) {
    const numbers = all.channels.map(({ sum }) => nchwNumber(sum));
    if (others) numbers.push(`${nchwNumber(all.others)} (${others})`);
    numbers.push(all.bias === 0 ? "0 (no bias: the normalisation adds one)" : `${nchwNumber(all.bias)} (bias)`);
    return `${numbers.join(" + ").replaceAll("+ −", "− ")} = ${nchwNumber(all.sum)}`;
  }

  // A button that goes to where an input comes from.
  function go(from, channel, { rows, columns }, text) {
    if (from < 0) return nchwElement("b", {}, text);
    const size = explorer.output(from);
    const middle = ([first, end], most) => Math.min(Math.max(Math.floor((first + end) / 2), 0), most - 1);
    const position = [middle(rows, size.rows), middle(columns, size.columns)];
    const visit = () => {
      explorer.choose(from, channel, position);
      explorer.say(`${title.textContent}. ${result.textContent}`);
      map.canvas.focus();
    };
    return nchwElement("button", { type: "button", title: `Go to ${size.name}, channel ${channel}`, onclick: visit }, `${text} →`);
  }

  function path(all) {
    const steps = all.path.map((sight) => nchwElement("li", {},
      `${sight.layer === null ? "the image" : explorer.layers[sight.layer].name}: ${nchwRanges(sight)}`));
    const open = why.querySelector("details")?.open;
    return nchwElement("details", { open: open === true }, nchwElement("summary", {}, "The way back to the pixels"), nchwElement("ol", {}, ...steps));
  }

  return { element, paint };
}

function nchwChannelText(layer, channel) {
  return layer < 0 ? ["red", "green", "blue"][channel] : `channel ${channel}`;
}

function nchwRanges({ rows, columns }) {
  const range = (one, [first, last]) => (first === last ? `${one} ${first}` : `${one}s ${first} to ${last}`);
  return `${range("row", rows)}, ${range("column", columns)}`;
}

// The position of the number that is farthest from 0.
function nchwFarthest(numbers, columns) {
  const best = nchwLargest(Array.from(numbers, Math.abs));
  return [Math.floor(best / columns), best % columns];
}

// A small matrix in the colours of a scale, with its numbers.
function nchwValueCells(explorer, values, scale, columns, name) {
  const colours = explorer.module.call("colours", { values: values.map((value) => value ?? 0), ...scale });
  const cells = values.map((value, index) => {
    const { paper, ink } = value === null ? { paper: "#f0f", ink: "#000" } : colours[index];
    return nchwElement("span", { style: `background:${paper};color:${ink}` }, nchwNumber(value));
  });
  return nchwElement("div", {
    class: "nchw-cells", role: "img", style: `grid-template-columns:repeat(${columns},auto)`,
    "aria-label": `${name}, row by row: ${values.map(nchwNumber).join(", ")}`,
  }, ...cells);
}
