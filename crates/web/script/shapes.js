// The shape lab: layers as text, the table of their shapes and costs, and the receptive field of one
// value. The module computes everything.

nchwFigures.shapes = (root, module, options) => {
  const presets = module.call("shapes_presets");
  const start = { ...presets[0], ...options };
  let table = null;
  let chosen = 0; // The number of the layer whose receptive field is shown; 0 is none.
  let byReader = false; // Otherwise it is the last one that has a map.
  let position = null; // The chosen position in its output; null is the middle.

  const input = nchwMarked("Input (C x H x W, or N x C x H x W)", false, update);
  const layers = nchwMarked("Layers, one in each line or separated by ;", true, update);
  const problem = nchwElement("div");
  const output = nchwElement("div");
  const field = nchwElement("div");
  const arithmetic = nchwElement("details", {});
  const announcer = nchwAnnouncer();
  const menu = nchwMenu("Begin with", presets.map(({ name }, index) => [index, name]), (index) => load(presets[index]));
  root.append(
    nchwElement("div", { class: "nchw-bar" }, menu, input.element),
    nchwElement("div", { class: "nchw-columns" },
      nchwElement("div", {}, layers.element,
        nchwElement("p", { class: "nchw-small" },
          "For example: ", nchwElement("code", {}, "conv 16 3x3 padding 1 stride 2; relu; maxpool 2; flatten; linear 10"),
          ". PyTorch's ", nchwElement("code", {}, "nn.Conv2d(3, 16, 3)"), " works, too."),
        problem),
      field),
    output, arithmetic, announcer);
  load(start);

  function load(chain) {
    input.set(chain.input);
    layers.set(chain.layers);
    byReader = false;
    update();
  }

  function texts() {
    return { input: input.value(), layers: layers.value() };
  }

  function update() {
    const answer = module.call("shapes", texts());
    const { mistake } = answer;
    for (const [name, marked] of [["input", input], ["layers", layers]]) {
      marked.mark(mistake && mistake.field === name ? mistake : null);
    }
    showProblem(mistake);
    // While a word is half typed, the last table remains, but pale.
    output.classList.toggle("nchw-stale", !answer.rows);
    field.classList.toggle("nchw-stale", !answer.rows);
    if (!answer.rows) {
      announcer.say(mistake.says[0]);
      return;
    }
    table = answer;
    position = null;
    const last = table.rows.length - 1;
    if (!byReader || chosen > last) chosen = lastWithPositions(last);
    showTable();
    showField();
    announcer.say(mistake ? mistake.says.join(" ") : `The output is ${table.output}, ${table.total[6]} parameters.`);
  }

  // The last layer whose output has more than one position.
  function lastWithPositions(last) {
    for (let layer = last; layer > 0; layer -= 1) {
      const size = table.rows[layer].positions;
      if (size && size[0] * size[1] > 1 && table.rows[layer].cells[3] !== "-") return layer;
    }
    return Math.min(1, last);
  }

  function showProblem(mistake) {
    problem.replaceChildren();
    if (!mistake) return;
    const [first, ...others] = mistake.says;
    const box = nchwElement("div", { class: "nchw-problem" }, nchwElement("b", {}, first));
    for (const line of others) box.append(nchwElement("p", {}, line));
    if (mistake.instead) {
      box.append(nchwElement("button", { type: "button", onclick: () => {
        layers.replace(mistake.from, mistake.to, mistake.instead);
        update();
        layers.focus();
      } }, "Write ", nchwElement("code", {}, mistake.instead)));
    }
    problem.append(box);
  }

  function showTable() {
    const { head, rows, total, batched } = table;
    const columns = head.map((_, index) => index).filter((index) => index !== 1 || batched);
    const group = nchwId();
    const cell = (tag, text, attributes) => nchwElement(tag, attributes, nchwKorean(text));
    const line = ({ cells }, layer) => {
      let name = nchwElement("span", {}, cells[0]);
      if (layer > 0) {
        name = nchwElement("label", {}, nchwElement("input", {
          type: "radio", name: group, onchange: () => choose(layer),
        }), nchwElement("span", {}, cells[0]));
        name.firstChild.checked = layer === chosen;
      }
      const others = columns.slice(1).map((index) => cell("td", cells[index]));
      return nchwElement("tr", { class: layer === chosen && layer > 0 ? "nchw-chosen" : null },
        nchwElement("th", { scope: "row" }, name), ...others);
    };
    const hadFocus = output.contains(document.activeElement);
    output.replaceChildren(nchwElement("div", { class: "nchw-scroll", tabindex: "0", role: "region", "aria-label": "Table of the layers" },
      nchwElement("table", {},
        nchwElement("caption", { class: "nchw-hidden" }, "Choose a layer to see its receptive field"),
        nchwElement("thead", {}, nchwElement("tr", {}, ...columns.map((index) => cell("th", head[index], { scope: "col" })))),
        nchwElement("tbody", {}, ...rows.map(line)),
        nchwElement("tfoot", {}, nchwElement("tr", {}, nchwElement("th", { scope: "row" }, total[0]),
          ...columns.slice(1).map((index) => cell("td", total[index])))))));
    // A table that is drawn again must not lose the focus.
    if (hadFocus) output.querySelector("input:checked")?.focus();
  }

  function choose(layer) {
    chosen = layer;
    byReader = true;
    position = null;
    showTable();
    showField();
  }

  function showField() {
    field.replaceChildren();
    const row = table.rows[chosen];
    arithmetic.hidden = chosen === 0;
    if (chosen === 0) return;
    arithmetic.replaceChildren(nchwElement("summary", {}, "The arithmetic of ", nchwElement("code", {}, row.cells[0])));
    // The module writes this HTML itself and escapes what the reader typed.
    arithmetic.insertAdjacentHTML("beforeend", row.explained);
    const size = row.positions;
    const sides = table.input.slice(-2);
    if (!size || table.input.length < 3 || Math.max(...size, ...sides) > 100000) return;
    position ??= size.map((side) => Math.floor((side - 1) / 2));
    const map = nchwGrid("Output", size, {
      label: `Output of ${row.cells[0]}, ${size[0]} rows and ${size[1]} columns. Arrow keys move the position.`,
      moved: move,
    });
    const seen = nchwGrid("Input", sides, { label: `Input, ${sides[0]} rows and ${sides[1]} columns` });
    const says = nchwElement("p");
    field.append(
      nchwElement("h3", {}, "What one value after ", nchwElement("code", {}, row.cells[0]), " sees"),
      nchwElement("p", { class: "nchw-small" }, size[0] * size[1] > 1
        ? "Choose a position in the output with the mouse, a finger or the arrow keys."
        : "The output has one position."),
      nchwElement("div", { class: "nchw-grids" }, map.element, nchwElement("span", { class: "nchw-arrow", "aria-hidden": "true" }, "→"), seen.element),
      says);
    move(position);

    function move(to) {
      position = to.map((at, axis) => Math.min(Math.max(at, 0), size[axis] - 1));
      map.show([[position[0], position[0]]], [[position[1], position[1]]], "nchw-position");
      try {
        const answer = module.call("field", { ...texts(), layer: chosen, row: position[0], col: position[1] });
        seen.show(answer.rows, answer.cols, "nchw-seen");
        says.textContent = answer.says;
        if (document.activeElement === map.surface) announcer.say(answer.says);
      } catch (error) {
        says.textContent = error.message;
      }
    }
    map.position = () => position;
  }
};

// Marks the Korean word of `채 C` as Korean, so that a screen reader pronounces it correctly.
function nchwKorean(text) {
  const [korean, ...rest] = text.split(" ");
  if (!/^[가-힣]+$/.test(korean)) return text;
  return nchwElement("span", {}, nchwElement("span", { lang: "ko" }, korean), ` ${rest.join(" ")}`);
}

// A text field in which characters can be underlined: a copy of the text with the mark lies behind it.
function nchwMarked(text, many, changed) {
  const id = nchwId();
  const area = nchwElement("textarea", {
    id, rows: 1, spellcheck: "false", autocapitalize: "off", autocomplete: "off", class: "nchw-code",
    oninput: () => { fit(); changed(); },
    onkeydown: (event) => { if (!many && event.key === "Enter") event.preventDefault(); },
  });
  const behind = nchwElement("div", { class: "nchw-behind nchw-code", "aria-hidden": "true" });
  const element = nchwElement("div", { class: many ? "nchw-marked nchw-many" : "nchw-marked" },
    nchwElement("label", { for: id }, text), nchwElement("div", { class: "nchw-layered" }, behind, area));
  let marked = null;

  // The field is as high as its text, so it never scrolls and the mark stays in place.
  function fit() {
    const lines = Math.max(many ? 3 : 1, area.value.split("\n").length);
    area.rows = lines;
    area.style.height = "auto";
    if (area.scrollHeight > 0) area.style.height = `${area.scrollHeight + 2}px`;
    paint();
  }

  function paint() {
    // The module counts characters, JavaScript counts UTF-16 units.
    const letters = Array.from(area.value);
    behind.replaceChildren();
    if (!marked) return;
    const { from } = marked;
    const to = Math.max(marked.to, from + 1);
    const wrong = letters.slice(from, to).join("") || " ";
    behind.append(letters.slice(0, from).join(""), nchwElement("mark", {}, wrong), letters.slice(to).join(""));
  }

  new ResizeObserver(fit).observe(element);
  return {
    element,
    value: () => area.value,
    focus: () => area.focus(),
    set(value) {
      area.value = value;
      marked = null;
      fit();
    },
    replace(from, to, value) {
      const letters = Array.from(area.value);
      area.value = letters.slice(0, from).join("") + value + letters.slice(to).join("");
      fit();
    },
    mark(place) {
      marked = place;
      area.setAttribute("aria-invalid", String(place !== null));
      paint();
    },
  };
}

// A grid of rows and columns. With `moved`, a position in it can be chosen.
function nchwGrid(title, [rows, columns], { label, moved }) {
  const across = Math.max(rows, columns);
  const unit = 210 / across;
  const [height, width] = [rows * unit, columns * unit];
  const marks = nchwSvg("path");
  const lines = nchwSvg("path", { class: "nchw-lines", d: unit >= 3 ? gridLines() : "" });
  const surface = nchwSvg("svg", {
    viewBox: `-1 -1 ${width + 2} ${height + 2}`, width: width + 2, height: height + 2, role: moved ? "application" : "img",
    "aria-label": label, tabindex: moved ? "0" : null, class: moved ? "nchw-map" : null,
  }, nchwSvg("rect", { class: "nchw-ground", width, height }), marks, lines);
  const element = nchwElement("figure", {}, nchwElement("figcaption", {}, `${title}: ${rows} x ${columns}`), surface);
  let position = [0, 0];

  function gridLines() {
    let path = "";
    for (let row = 0; row <= rows; row += 1) path += `M0 ${row * unit}h${width}`;
    for (let column = 0; column <= columns; column += 1) path += `M${column * unit} 0v${height}`;
    return path;
  }

  if (moved) {
    const choose = (event) => {
      const box = surface.getBoundingClientRect();
      const at = (part, side, count) => Math.floor((part / side) * count);
      moved([at(event.clientY - box.top, box.height, rows), at(event.clientX - box.left, box.width, columns)]);
    };
    surface.addEventListener("pointerdown", (event) => {
      surface.setPointerCapture(event.pointerId);
      choose(event);
    });
    surface.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" || event.buttons) choose(event);
    });
    surface.addEventListener("keydown", (event) => {
      const step = nchwArrow(event);
      if (!step) return;
      event.preventDefault();
      moved([position[0] + step[0], position[1] + step[1]]);
    });
  }
  return {
    element,
    surface,
    // Fills the cells in these ranges of rows and columns.
    show(rowRanges, columnRanges, name) {
      position = [rowRanges[0]?.[0] ?? 0, columnRanges[0]?.[0] ?? 0];
      let path = "";
      for (const [top, bottom] of rowRanges) {
        for (const [left, right] of columnRanges) {
          // A cell of a large grid is still visible.
          const [w, h] = [Math.max((right - left + 1) * unit, 2), Math.max((bottom - top + 1) * unit, 2)];
          path += `M${left * unit} ${top * unit}h${w}v${h}h${-w}z`;
        }
      }
      marks.setAttribute("d", path);
      marks.setAttribute("class", name);
    },
  };
}
