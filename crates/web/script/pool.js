// Pooling: a map, the maximum and the average of each window, and the same after a shift by one pixel. The module
// computes every number.

nchwFigures.pool = (root, module, options) => {
  let seed = 1;
  let presets = module.call("pool_presets", { seed });
  let map = options.map ?? presets[0].text;
  let name = options.map === undefined ? presets[0].name : null; // null for the reader's own numbers.
  const settings = { window: options.window ?? 2, stride: options.stride ?? 2 };
  let shift = { down: 0, right: 0 };
  let position = [0, 0];
  let valid = null; // The last request that fits, and its answer.

  const menu = nchwPresets("Map", "Your own numbers", (index) => choose(presets[index]));
  const redraw = nchwElement("button", { type: "button", onclick: () => {
    seed += 1;
    presets = module.call("pool_presets", { seed });
    choose(presets.find((preset) => preset.name === name));
  } }, "Other digits");
  const numbers = nchwNumbers("Change the numbers of the map", "One row in each line", (text) => {
    map = text;
    name = null;
    showMenu();
    update();
  });
  const steppers = [["window", "Kernel", 5], ["stride", "Stride", 5]].map(([key, text, most]) =>
    nchwStepper(text, [1, most], settings[key], (value) => { settings[key] = value; update(); }));
  const pad = nchwElement("div", { class: "nchw-shift", role: "group", "aria-label": "Shift the map by one pixel" },
    ...[["left", "←", 0, -1], ["right", "→", 0, 1], ["up", "↑", -1, 0], ["down", "↓", 1, 0], ["back", "Back", 0, 0]].map(([at, sign, down, right]) =>
      nchwElement("button", {
        type: "button", "aria-label": at === "back" ? "Back to the unshifted map" : `Shift ${at}`, onclick: () => move(at === "back" ? null : [down, right]),
      }, sign)));
  pad.addEventListener("keydown", (event) => {
    const step = nchwArrow(event);
    if (!step) return;
    event.preventDefault();
    move(step);
  });
  const problem = nchwElement("div");
  const changes = nchwElement("p", { class: "nchw-changes" });
  const source = nchwCells({
    label: "Map. Arrow keys, Home and End choose a number and its window.",
    choose: (at) => {
      const found = valid && module.call("pool_under", { ...valid.ask, row: at[0], col: at[1] });
      if (found) go(found);
    },
  });
  const panels = ["Maximum", "Average"].map((title) => ({
    title,
    cells: nchwCells({ label: `${title}. Arrow keys, Home and End move the window.`, choose: go }),
    count: nchwElement("p", { class: "nchw-count" }),
    working: nchwElement("p", { class: "nchw-working" }),
  }));
  const rounded = nchwElement("p", { class: "nchw-small" });
  const formula = nchwElement("div", { class: "nchw-formula" });
  const announcer = nchwAnnouncer();
  const stage = nchwElement("div", { class: "nchw-stage" },
    source.element,
    ...panels.map(({ cells, count: changed, working }) => nchwElement("div", { class: "nchw-pooled" }, cells.element, changed, working)));
  root.append(
    nchwElement("div", { class: "nchw-bar" }, menu.element, redraw, ...steppers.map(({ element }) => element),
      nchwElement("span", { class: "nchw-field" }, nchwElement("span", { class: "nchw-small", "aria-hidden": "true" }, "Shift the map by one pixel"), pad)),
    numbers.element,
    nchwElement("p", { class: "nchw-small" },
      "Move over a result with the mouse, a finger or the arrow keys. The dashed number is the largest of its window. Zeros enter when the map is shifted."),
    problem, changes, stage, rounded, formula, announcer);
  nchwWidth(root, fit);
  showMenu();
  update();

  function showMenu() {
    menu.show(presets.map((preset) => preset.name), presets.findIndex((preset) => preset.name === name));
    redraw.hidden = !name?.startsWith("Random");
    numbers.set(map);
  }

  function choose(preset) {
    map = preset.text;
    name = preset.name;
    shift = { down: 0, right: 0 };
    showMenu();
    update();
  }

  function move(step) {
    const far = (value) => Math.min(Math.max(value, -12), 12);
    shift = step ? { down: far(shift.down + step[0]), right: far(shift.right + step[1]) } : { down: 0, right: 0 };
    update();
  }

  function fit() {
    const width = root.clientWidth - 4; // without its padding
    if (width <= 0) return;
    const wide = width > 826;
    source.fit(wide ? width * .4 : width);
    for (const { cells } of panels) cells.fit(wide ? width * .27 : width);
  }

  function update() {
    const ask = { map, ...settings, ...shift };
    try {
      valid = { ask, answer: module.call("pool", ask) };
    } catch (error) {
      nchwProblem(problem, error);
      stage.classList.add("nchw-stale");
      announcer.say(error.message);
      return;
    }
    nchwProblem(problem, null);
    stage.classList.remove("nchw-stale");
    const { size, output, panels: shown, formula: lines, says } = valid.answer;
    const across = ([rows, columns]) => `${rows} x ${columns}`;
    const moved = shift.down !== 0 || shift.right !== 0;
    source.draw({ title: `Feature map: ${across(size)}`, size, cells: shown[0].cells });
    panels.forEach(({ title, cells, count: changed }, index) => {
      const panel = shown[index + 1];
      cells.draw({ title: `${title}: ${across(output)}`, size: output, cells: panel.cells, flags: panel.changed });
      changed.textContent = moved ? `◥ ${panel.says}` : "";
    });
    changes.textContent = says;
    nchwFormula(formula, lines);
    go(position);
    announcer.say(says);
  }

  // The window of one position of both results.
  function go(to) {
    if (!valid) return;
    position = to.map((at, axis) => Math.min(Math.max(at, 0), valid.answer.output[axis] - 1));
    const at = module.call("pool_at", { ...valid.ask, row: position[0], col: position[1] });
    source.mark("window", at.rows, at.cols);
    source.mark("best", [at.chosen[0]], [at.chosen[1]]);
    for (const [index, { cells, working }] of panels.entries()) {
      cells.stand(position);
      cells.mark("window", [position[0]], [position[1]]);
      working.textContent = [at.maximum, at.mean][index];
    }
    rounded.textContent = at.rounded ? "Numbers are shown rounded." : "";
    if (root.contains(document.activeElement) && document.activeElement.tagName === "svg") announcer.say(at.says);
  }
};
