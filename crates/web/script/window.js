// The sliding window: an image, a kernel and the result of the convolution. The module computes every number.

nchwFigures.window = (root, module, options) => {
  let seed = 1;
  let presets = module.call("window_presets", { seed });
  let channels = 1;
  let image = ""; // As text; an empty line separates the channels.
  let imageName = null; // The name of the preset; null for the reader's own numbers.
  let weights = []; // The texts of the weights: channel, row, column.
  let kernelName = null;
  let valid = null; // The last request that fits, and its answer.
  let position = [0, 1]; // Of the window, in the output.
  let shown = null; // While the window moves step by step: how many results are filled in. Otherwise null.
  let timer = 0; // While the animation runs.
  let inImage = false; // Whether a number of the image is chosen instead of one of the output.
  const settings = { stride: 1, padding: 0, dilation: 1 };

  const imageMenu = nchwPresets("Image", "Your own numbers", (index) => chooseImage(of(presets.images)[index]));
  const kernelMenu = nchwPresets("Kernel", "Your own weights", (index) => chooseKernel(of(presets.kernels)[index]));
  const redraw = nchwElement("button", { type: "button", onclick: () => {
    seed += 1;
    presets = module.call("window_presets", { seed });
    chooseImage(of(presets.images).find(({ name }) => name === imageName));
  } }, "Other digits");
  const three = nchwElement("input", { type: "checkbox", onchange: () => switchChannels(three.checked ? 3 : 1) });
  const numbers = nchwNumbers("Change the numbers of the image",
    "One row in each line; an empty line between red, green and blue", (text) => {
      imageName = null;
      image = text;
      if (/\S[^\S\n]*\n\s*\n\s*\S/.test(text) !== (channels === 3)) {
        channels = 4 - channels;
        fitKernel();
      }
      showMenus();
      update();
    });
  const size = ["height", "width"].map((name, axis) => nchwStepper(`Kernel ${name}`, [1, 5], 3, (count) => resize(axis, count)));
  const steppers = Object.fromEntries([["stride", [1, 5]], ["padding", [0, 4]], ["dilation", [1, 4]]].map(([name, range]) =>
    [name, nchwStepper(name[0].toUpperCase() + name.slice(1), range, settings[name], (value) => { settings[name] = value; update(); })]));
  const bias = nchwElement("input", { value: "0", size: 5, autocomplete: "off", oninput: update });
  const problem = nchwElement("div");
  const sheets = nchwElement("div", { class: "nchw-channels" });
  const result = nchwCells({
    label: "Result. Arrow keys, Home and End move the window; with Control, Home and End go to the first and the last position.",
    choose: (at) => { stop(); shown = null; go(at); },
  });
  const says = nchwElement("p", { class: "nchw-says" });
  const total = nchwElement("p", { class: "nchw-total" });
  const rounded = nchwElement("p", { class: "nchw-small" });
  const play = nchwElement("button", { type: "button", class: "nchw-main", onclick: () => (timer ? stop() : start()) });
  const next = nchwElement("button", { type: "button", onclick: () => { stop(); step(); } }, "Next step");
  const formula = nchwElement("div", { class: "nchw-formula" });
  const stage = nchwElement("div", { class: "nchw-stage" }, sheets,
    nchwElement("div", { class: "nchw-middle" }, result.element, total, says, nchwElement("div", { class: "nchw-bar" }, play, next), rounded));
  const announcer = nchwAnnouncer();
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  let parts = []; // For each channel: its cells, its weights, the list of its products and its sum.

  root.append(
    nchwElement("div", { class: "nchw-bar" }, imageMenu.element, redraw, kernelMenu.element,
      nchwElement("label", { class: "nchw-check" }, three, "Three channels: red, green, blue")),
    numbers.element,
    nchwElement("div", { class: "nchw-bar" }, ...size.map(({ element }) => element),
      ...Object.values(steppers).map(({ element }) => element), nchwLabelled("Bias", bias)),
    nchwElement("p", { class: "nchw-small" },
      "Move over the result with the mouse, a finger or the arrow keys: the window moves. Point at a number of the image to see which results use it."),
    problem, stage, formula, announcer);
  calm.addEventListener("change", showMotion);
  nchwWidth(root, fit);
  begin();

  function begin() {
    const first = of(presets.images)[0];
    for (const name of Object.keys(settings)) {
      settings[name] = options[name] ?? settings[name];
      steppers[name].set(settings[name]);
    }
    bias.value = options.bias ?? "0";
    image = options.image ?? first.text;
    channels = split(image).length === 3 ? 3 : 1;
    imageName = options.image === undefined ? first.name : null;
    const kernel = of(presets.kernels)[0];
    kernelName = options.kernel === undefined ? kernel.name : null;
    weights = read(options.kernel ?? kernel.text);
    fitKernel();
    showMotion();
    build();
    showMenus();
    update();
  }

  // The presets with as many channels as are chosen.
  function of(list) {
    return list.filter((preset) => preset.channels === channels);
  }

  function split(text) {
    return text.trim().split(/\n\s*\n/);
  }

  function read(text) {
    return split(text).map((sheet) => sheet.split("\n").map((row) => row.trim().split(/[\s,]+/)));
  }

  function chooseImage(preset) {
    image = preset.text;
    imageName = preset.name;
    showMenus();
    update();
  }

  function chooseKernel(preset) {
    weights = read(preset.text);
    kernelName = preset.name;
    build();
    showMenus();
    update();
  }

  function switchChannels(count) {
    channels = count;
    const sheet = split(image)[0];
    const preset = of(presets.images).find(({ name }) => name === imageName) ?? of(presets.images)[0];
    image = imageName === null ? Array(count).fill(sheet).join("\n\n") : preset.text;
    imageName = imageName === null ? null : preset.name;
    fitKernel();
    showMenus();
    update();
  }

  // A kernel has as many channels as its image.
  function fitKernel() {
    if (weights.length === channels) return;
    weights = Array.from({ length: channels }, () => weights[0].map((row) => [...row]));
    if (!of(presets.kernels).some(({ name }) => name === kernelName)) kernelName = null;
    build();
  }

  function resize(axis, count) {
    const line = (list, blank) => Array.from({ length: count }, (_, at) => list[at] ?? blank());
    weights = weights.map((sheet) => axis === 0
      ? line(sheet, () => sheet[0].map(() => "0"))
      : sheet.map((row) => line(row, () => "0")));
    kernelName = null;
    build();
    showMenus();
    update();
  }

  function showMenus() {
    const index = (list, name) => list.findIndex((preset) => preset.name === name);
    for (const [menu, list, name] of [[imageMenu, of(presets.images), imageName], [kernelMenu, of(presets.kernels), kernelName]]) {
      menu.show(list.map((preset) => preset.name), index(list, name));
    }
    three.checked = channels === 3;
    redraw.hidden = !imageName?.startsWith("Random");
    numbers.set(image);
    size[0].set(weights[0].length);
    size[1].set(weights[0][0].length);
  }

  // The elements of each channel.
  function build() {
    const names = channels === 3 ? ["red", "green", "blue"] : [""];
    parts = names.map((name, channel) => {
      const cells = nchwCells({
        label: `Image${name && `, ${name}`}. Arrow keys choose a number and mark the results that use it.`,
        choose: (at, event) => inspect(channel, at, event),
        leave: () => { if (inImage) go(position); },
      });
      const inputs = weights[channel].flatMap((row, y) => row.map((value, x) => nchwElement("input", {
        value, autocomplete: "off", "aria-label": `Weight${name && ` for ${name}`}, row ${y}, column ${x}`,
        onfocus: (event) => event.target.select(),
        oninput: (event) => {
          weights[channel][y][x] = event.target.value;
          if (kernelName !== null) {
            kernelName = null;
            showMenus();
          }
          update();
        },
      })));
      const kernel = nchwElement("div", { class: "nchw-kernel", style: `grid-template-columns:repeat(${weights[0][0].length},auto)` }, ...inputs);
      const products = nchwElement("ul", { class: "nchw-products" });
      const sum = nchwElement("p", { class: "nchw-sum" });
      const element = nchwElement("div", { class: `nchw-channel nchw-channel-${name}` }, cells.element,
        nchwElement("div", { class: "nchw-middle" },
          nchwElement("figure", { class: "nchw-matrix" }, nchwElement("figcaption", {}, name ? `Weights for ${name}` : "Kernel"), kernel),
          nchwElement("p", { class: "nchw-small" }, "Number × weight, at this position:"), products, sum));
      return { cells, inputs, products, sum, element, name };
    });
    stage.classList.toggle("nchw-three", channels === 3);
    sheets.replaceChildren(...parts.map(({ element }) => element));
    fit();
  }

  function fit() {
    const width = root.clientWidth - 4; // without its padding
    if (width <= 0) return;
    const wide = width > 826;
    const many = channels === 3;
    const columns = weights[0][0].length;
    // On a wide page, image, kernel and result are side by side; the products of a broad kernel need more room.
    const share = width * (columns > 3 ? .265 : .33);
    const room = wide ? (many ? (width - 48) / 3 - 14 : share) : width - (many ? 14 : 0);
    const list = wide && !many ? (columns > 3 ? 415 : 290) : room;
    // On a phone, a sheet and its weights are side by side if the numbers of the sheet can be read.
    const beside = room - 10 - 40 * columns;
    const stacked = wide || !many || beside / ((valid?.answer.size[1] ?? 6) + 2 * settings.padding) < 25;
    stage.classList.toggle("nchw-stacked", stacked);
    stage.classList.toggle("nchw-row", wide && !many);
    for (const { cells, products } of parts) {
      cells.fit(stacked ? room : beside);
      products.style.gridTemplateColumns = columns * 83 <= list ? `repeat(${columns},minmax(80px,92px))` : "repeat(auto-fill,minmax(80px,1fr))";
    }
    result.fit(wide ? (many ? width * .6 : share) : width);
  }

  function update() {
    stop();
    const kernel = weights.map((sheet) => sheet.map((row) => row.map((text) => text.trim() || "?").join(" ")).join("\n")).join("\n\n");
    const ask = { image, kernel, bias: bias.value, ...settings };
    try {
      valid = { ask, answer: module.call("window", ask) };
    } catch (error) {
      nchwProblem(problem, error);
      stage.classList.add("nchw-stale");
      formula.classList.add("nchw-stale");
      announcer.say(error.message);
      return;
    }
    nchwProblem(problem, null);
    stage.classList.remove("nchw-stale");
    formula.classList.remove("nchw-stale");
    const { answer } = valid;
    shown = null;
    const across = ([rows, columns]) => `${rows} x ${columns}`;
    answer.sheets.forEach(({ name, cells, weights: colours }, channel) => {
      const padded = settings.padding ? ` + padding ${settings.padding}` : "";
      const title = `${name ? name[0].toUpperCase() + name.slice(1) : "Image"}: ${across(answer.size)}${padded}`;
      parts[channel].cells.draw({ title, size: answer.size, cells, padding: settings.padding });
      colours.forEach(({ paper, ink }, at) => {
        parts[channel].inputs[at].style.cssText = `background:${paper};color:${ink}`;
      });
    });
    result.draw({ title: `Result: ${across(answer.output)}`, size: answer.output, cells: answer.result });
    nchwFormula(formula, answer.formula);
    fit();
    go(position);
    announcer.say(`${answer.says} ${says.textContent}`);
  }

  // The window stands at a position of the output.
  function go(to) {
    if (!valid) return;
    inImage = false;
    position = to.map((at, axis) => Math.min(Math.max(at, 0), valid.answer.output[axis] - 1));
    result.stand(position);
    const at = module.call("window_at", { ...valid.ask, row: position[0], col: position[1] });
    for (const [channel, { cells, products, sum, name }] of parts.entries()) {
      const found = at.channels[channel];
      cells.mark("pixel", [], []);
      cells.mark("window", at.rows, at.cols);
      products.replaceChildren(...found.products.map(({ factors, padding, text, paper, ink }) =>
        nchwElement("li", { class: padding ? "nchw-zeros" : null, title: padding ? "a zero of the padding" : null },
          nchwElement("span", {}, factors), nchwElement("span", { style: `background:${paper};color:${ink}` }, `= ${text}`))));
      sum.textContent = name ? `Sum for ${name}: ${found.sum}` : "";
    }
    result.reveal(shown ?? undefined);
    result.mark("used", [], []);
    result.mark("window", [position[0]], [position[1]]);
    total.textContent = at.total;
    says.textContent = at.says;
    rounded.textContent = at.rounded ? "Numbers are shown rounded." : "";
    if (document.activeElement === result.surface) announcer.say(`${at.says}. ${at.total}`);
  }

  // A number of the image is chosen: with a pressed pointer that moves, the window follows.
  function inspect(channel, [row, col], event) {
    if (!valid) return;
    stop();
    const uses = module.call("window_uses", { ...valid.ask, row, col });
    if (event?.type === "pointermove" && event.buttons) {
      shown = null;
      go(uses.nearest);
      return;
    }
    inImage = true;
    for (const { cells } of parts) {
      cells.mark("window", [], []);
      cells.mark("pixel", [row], [col]);
    }
    result.mark("window", [], []);
    result.mark("used", uses.rows, uses.cols);
    total.textContent = "";
    says.textContent = uses.says;
    if (document.activeElement === parts[channel].cells.surface) announcer.say(uses.says);
  }

  function showMotion() {
    play.hidden = calm.matches;
    stop();
  }

  function start() {
    step();
    timer = setInterval(step, 900);
    play.textContent = "❚❚ Pause";
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "▶ Play";
  }

  // The next position; the first one after the last.
  function step() {
    if (!valid) return;
    const [rows, columns] = valid.answer.output;
    const count = rows * columns;
    const index = shown === null || shown >= count ? 0 : shown;
    shown = index + 1;
    go([Math.floor(index / columns), index % columns]);
    announcer.say(`${says.textContent}. ${total.textContent}`);
    if (shown === count) stop();
  }
};
