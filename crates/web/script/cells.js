// Small matrices with their numbers in coloured cells, and the controls beside them: what the sliding window and
// pooling share.

// A matrix. With `choose`, a position in it can be chosen: by the mouse or a finger, by the arrow keys, Home and End.
//
//   draw({ title, size, cells, padding, shown, flags })
//                      size: rows and columns; cells: { text, paper, ink }, row by row; padding: how many rows and
//                      columns of zeros surround them; shown: how many cells are not empty; flags: marked cells
//   mark(kind, rows, columns)  frames these cells, counted with the padding; "window", "used", "pixel" or "best"
//   fit(width)         draws the matrix in at most so many pixels
//   choose(position, pointer)  is called with [row, column]; pointer: the event, if it was not a key
function nchwCells({ label, choose, leave }) {
  const layers = nchwSvg("g");
  const frames = nchwSvg("g");
  const surface = nchwSvg("svg", {
    role: choose ? "application" : "img", "aria-label": label, tabindex: choose ? "0" : null,
    class: choose ? "nchw-cells nchw-map" : "nchw-cells",
  }, layers, frames);
  const caption = nchwElement("figcaption");
  const element = nchwElement("figure", { class: "nchw-matrix" }, caption, surface);
  const edge = 3; // room for the frames
  let data = null;
  let unit = 40;
  let room = 600;
  let marks = {};
  let position = [0, 0];

  function counts() {
    return data.size.map((count) => count + 2 * (data.padding ?? 0));
  }

  function paint() {
    if (!data) return;
    const [rows, columns] = counts();
    const padding = data.padding ?? 0;
    const longest = Math.max(1, ...data.cells.map(({ text }) => text.length));
    unit = Math.min(Math.max(42, longest * 9 + 8), (room - 2 * edge) / columns);
    const font = unit >= longest * 8.6 + 4 ? 15 : 13;
    const fits = unit >= longest * 7.3 + 1;
    caption.textContent = fits ? data.title : `${data.title} (too narrow for its numbers)`;
    const [width, height] = [columns * unit + 2 * edge, rows * unit + 2 * edge];
    for (const [name, value] of Object.entries({ width, height, viewBox: `${-edge} ${-edge} ${width} ${height}` })) {
      surface.setAttribute(name, value);
    }
    layers.replaceChildren();
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        const [top, left] = [row - padding, column - padding];
        const inside = top >= 0 && left >= 0 && top < data.size[0] && left < data.size[1];
        const index = inside ? top * data.size[1] + left : -1;
        const empty = inside && index >= (data.shown ?? Infinity);
        const cell = inside ? data.cells[index] : { text: "0" };
        const at = { x: column * unit, y: row * unit, width: unit, height: unit };
        const name = inside ? (empty ? "nchw-cell nchw-empty" : "nchw-cell") : "nchw-cell nchw-padding";
        const style = inside && !empty ? `fill:${cell.paper}` : null;
        layers.append(nchwSvg("rect", { ...at, class: name, style }));
        if (data.flags?.[index]) {
          // A corner as well as a frame, so that the mark does not depend on its colour.
          const corner = Math.min(11, unit / 3);
          layers.append(nchwSvg("path", { class: "nchw-flag", d: `M${at.x + unit - corner} ${at.y}h${corner}v${corner}z` }));
        }
        if (fits && !empty) {
          layers.append(nchwSvg("text", {
            x: at.x + unit / 2, y: at.y + unit / 2, "font-size": inside ? font : 13, class: inside ? null : "nchw-zero",
            style: inside ? `fill:${cell.ink}` : null,
          }, cell.text));
        }
      }
    }
    paintMarks();
  }

  // The parts of a sorted list without gaps, as [first, last].
  function runs(list) {
    const found = [];
    for (const at of list) {
      const last = found[found.length - 1];
      if (last && last[1] === at - 1) last[1] = at;
      else found.push([at, at]);
    }
    return found;
  }

  function paintMarks() {
    frames.replaceChildren();
    for (const [kind, [rows, columns]] of Object.entries(marks)) {
      let path = "";
      for (const [top, bottom] of runs(rows)) {
        for (const [left, right] of runs(columns)) {
          path += `M${left * unit} ${top * unit}h${(right - left + 1) * unit}v${(bottom - top + 1) * unit}H${left * unit}z`;
        }
      }
      if (path) frames.append(nchwSvg("path", { d: path, class: "nchw-halo" }), nchwSvg("path", { d: path, class: `nchw-frame nchw-frame-${kind}` }));
    }
  }

  if (choose) {
    const under = (event) => {
      const box = surface.getBoundingClientRect();
      const at = (part, count) => Math.min(Math.max(Math.floor((part - edge) / unit), 0), count - 1);
      const [rows, columns] = counts();
      return [at(event.clientY - box.top, rows), at(event.clientX - box.left, columns)];
    };
    const move = (event) => {
      position = under(event);
      choose(position, event);
    };
    surface.addEventListener("pointerdown", (event) => {
      surface.setPointerCapture(event.pointerId);
      move(event);
    });
    surface.addEventListener("pointermove", (event) => {
      if (event.pointerType === "mouse" || event.buttons) move(event);
    });
    surface.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse" && leave) leave();
    });
    surface.addEventListener("focus", () => {
      if (surface.matches(":focus-visible")) choose(position);
    });
    surface.addEventListener("blur", () => leave?.());
    surface.addEventListener("keydown", (event) => {
      const [rows, columns] = counts();
      const step = nchwArrow(event);
      let to = null;
      if (step) to = [position[0] + step[0], position[1] + step[1]];
      else if (event.key === "Home") to = [event.ctrlKey ? 0 : position[0], 0];
      else if (event.key === "End") to = [event.ctrlKey ? rows - 1 : position[0], columns - 1];
      if (!to) return;
      event.preventDefault();
      position = [Math.min(Math.max(to[0], 0), rows - 1), Math.min(Math.max(to[1], 0), columns - 1)];
      choose(position);
    });
  }
  return {
    element,
    surface,
    draw(next) {
      data = next;
      const [rows, columns] = counts();
      position = [Math.min(position[0], rows - 1), Math.min(position[1], columns - 1)];
      marks = {};
      paint();
    },
    // How many of the cells are not empty.
    reveal(shown) {
      if (data.shown === shown) return;
      data.shown = shown;
      paint();
    },
    mark(kind, rows, columns) {
      if (rows.length * columns.length > 0) marks[kind] = [rows, columns];
      else delete marks[kind];
      paintMarks();
    },
    fit(width) {
      room = width;
      paint();
    },
    // The position from which the arrow keys move.
    stand(at) {
      position = at;
    },
  };
}

// Calls `changed` when the width of an element changes; a figure that is drawn again also changes its height.
function nchwWidth(element, changed) {
  let width = 0;
  new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    changed();
  }).observe(element);
}

// A whole number with a button for less and one for more; `changed` is called with the new number.
function nchwStepper(text, [least, most], value, changed) {
  const shown = nchwElement("output", {}, value);
  const button = (sign, step, what) => nchwElement("button", {
    type: "button", "aria-label": `${text}: ${what}`, onclick: () => {
      const next = Math.min(Math.max(value + step, least), most);
      if (next === value) return;
      value = next;
      shown.value = value;
      changed(value);
    },
  }, sign);
  const element = nchwElement("span", { class: "nchw-field nchw-stepper", role: "group", "aria-label": text },
    nchwElement("span", { class: "nchw-small", "aria-hidden": "true" }, text),
    nchwElement("span", {}, button("−", -1, "less"), shown, button("+", 1, "more")));
  return {
    element,
    set(next) {
      value = next;
      shown.value = value;
    },
  };
}

// A menu of presets whose last entry is the reader's own numbers.
function nchwPresets(text, own, chosen) {
  const field = nchwMenu(text, [], (index) => chosen(Number(index)));
  const menu = field.querySelector("select");
  return {
    element: field,
    // Index -1 chooses the last entry.
    show(names, index) {
      const options = names.map((name, at) => nchwElement("option", { value: at }, name));
      menu.replaceChildren(...options, nchwElement("option", { value: -1, hidden: index >= 0 }, own));
      menu.value = String(index);
    },
  };
}

// The numbers of a matrix as text, which the reader can change.
function nchwNumbers(summary, help, changed) {
  const area = nchwElement("textarea", {
    rows: 7, spellcheck: "false", autocomplete: "off", class: "nchw-code", oninput: () => changed(area.value),
  });
  const element = nchwElement("details", { class: "nchw-numbers" }, nchwElement("summary", {}, summary), nchwLabelled(help, area));
  return { element, set: (text) => { if (area.value !== text) area.value = text; } };
}

// The formula for the size of the output, with the numbers for rows and columns.
function nchwFormula(element, [formula, rows, columns]) {
  const line = (name, [numbers, ...notes]) => nchwElement("p", {}, nchwElement("span", { class: "nchw-axis" }, name),
    nchwElement("code", {}, numbers), ...notes.map((note) => nchwElement("span", { class: "nchw-note" }, note)));
  element.replaceChildren(nchwElement("h3", {}, "Size of the output"), line("", formula), line("rows", rows), line("columns", columns));
}

// The message about numbers that do not fit, and what to change.
function nchwProblem(element, error) {
  element.replaceChildren();
  if (!error) return;
  const [first, ...others] = error.message.split("\n").map((line) => line.trim());
  element.append(nchwElement("div", { class: "nchw-problem" }, nchwElement("b", {}, first),
    ...others.map((line) => nchwElement("p", {}, line)),
    nchwElement("p", { class: "nchw-small" }, "Below is the last result that fits.")));
}
