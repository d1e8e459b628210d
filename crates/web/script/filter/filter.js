// The filter lab: a filter applied to a photo, or to the camera, with every change drawn at once. The module
// computes everything.
//
// Options: `photos` as in photo.js, `filter` {name, channels, kernel, weights, bias}, `same` and `relu`.

nchwFigures.filter = (root, module, options) => {
  const presets = module.call("filter_presets");
  const memory = nchwPhotoMemory(module);
  const start = { channels: 1, same: false, relu: false, ...presets[0], ...options.filter, ...options.settings };
  const state = {}; // What `filter_map` takes: channels, kernel, weights, bias, same, relu.
  let base = presets[0]; // The kernel that the filters for colours are made of.
  let photo = null;
  let planes = null; // The photo's numbers.
  let [map, rgba, pixels] = [null, null, 0]; // Buffers for the map and its colours.
  let drawn = null; // The last answer of `filter_map`.
  let position = null; // Of the window, in the map.
  let chosen = false; // Whether the reader chose it; otherwise it is the middle.

  const announcer = nchwAnnouncer();
  const problem = nchwElement("div");
  const sum = nchwElement("p");

  // The filter.
  const own = options.filter ? [["start", options.filter.name ?? "my filter"]] : [];
  const named = [...own, ...presets.map(({ name }, index) => [String(index), name])];
  const preset = nchwMenu("Filter", [...named, ["own", "own weights"]], choosePreset);
  const colour = nchwMenu("For the colour", [["red", "red"], ["green", "green"], ["blue", "blue"], ["yellow", "yellow"],
    ["alike", "all channels alike"], ["own", "own weights"]], chooseColour);
  const input = nchwMenu("Input", [["1", "grey: 1 channel"], ["3", "colour: 3 channels"]], (channels) => chooseChannels(Number(channels)));
  const padding = nchwMenu("Padding", [["none", "none"], ["same", "same"]], (name) => { state.same = name === "same"; draw(); });
  for (const field of [preset, colour, input, padding]) field.menu = field.querySelector("select");
  for (const { menu } of [preset, colour]) menu.querySelector("[value=own]").hidden = true;

  const sheets = nchwElement("div", { class: "nchw-lab-sheets" });
  let weights = []; // The fields.
  const bias = nchwNumberField("Bias", changed, select);
  const slider = nchwElement("input", { type: "range", step: "0.1", oninput: () => {
    selected.write(slider.valueAsNumber);
    changed();
  } });
  let selected = bias;
  const sliderField = nchwLabelled("", slider);
  const relu = nchwElement("input", { type: "checkbox", onchange: () => { state.relu = relu.checked; draw(); } });
  const button = (text, pressed) => nchwElement("button", { type: "button", onclick: pressed }, text);

  // The photo and the map.
  const photoView = nchwCanvasView("Photo");
  const mapView = nchwCanvasView("Feature map");
  const scale = nchwScaleBar(module);
  const products = nchwElement("div", { class: "nchw-lab-window" });
  const windowSays = nchwElement("p");
  const surface = mapView.canvas;
  for (const [name, value] of Object.entries({ tabindex: "0", role: "application" })) surface.setAttribute(name, value);
  nchwPointed(surface, () => drawn && [drawn.rows, drawn.columns], (at) => choose(at));
  nchwPointed(photoView.canvas, () => photo && [photo.height, photo.width], (at) => {
    choose(at.map((place, axis) => place - (state.same ? 0 : Math.floor((state.kernel[axis] - 1) / 2))));
  });
  surface.addEventListener("keydown", (event) => {
    const step = nchwArrow(event);
    if (!step || !drawn) return;
    event.preventDefault();
    const far = event.shiftKey ? 10 : 1;
    choose(position.map((at, axis) => at + far * step[axis]));
    announcer.say(windowSays.textContent);
  });

  const empty = nchwElement("p", { hidden: options.photos?.length > 0 }, "Open a photo, drop one here, or start the camera.");
  const photoInput = nchwPhotoInput({ photos: options.photos, zone: root, changed: (taken) => {
    photo = taken;
    empty.hidden = true;
    readPhoto();
    draw();
  } });
  root.append(photoInput.element,
    nchwElement("div", { class: "nchw-bar" }, preset, input, colour,
      nchwElement("span", { class: "nchw-lab-buttons" },
        button("Negate", () => change("negate")), button("Rotate 90°", () => change("rotate")), button("Reset", reset))),
    problem, empty,
    nchwElement("div", { class: "nchw-lab" },
      photoView.element,
      nchwElement("div", { class: "nchw-lab-filter" },
        nchwElement("div", {}, nchwElement("p", { class: "nchw-lab-title" }, "Weights"), sheets),
        nchwElement("div", {}, sliderField,
          nchwElement("div", { class: "nchw-bar" }, bias.element, padding,
            nchwElement("label", { class: "nchw-lab-relu" }, relu, "ReLU")))),
      nchwElement("div", {}, mapView.element, scale.element)),
    sum,
    nchwElement("h3", {}, "One number of the map"),
    windowSays, products,
    nchwElement("p", { class: "nchw-small" },
      "Point at the map, or move over it with the arrow keys (with Shift by 10). In a field of a weight, the arrow keys change it by 0.1 (with Shift by 1)."),
    announcer);
  reset();

  function reset() {
    base = start.channels === 1 ? start : presets[0];
    Object.assign(state, { channels: start.channels, same: start.same, relu: start.relu, bias: start.bias ?? 0 });
    relu.checked = state.relu;
    padding.menu.value = state.same ? "same" : "none";
    input.menu.value = String(state.channels);
    show(start.kernel, start.weights, options.filter ? "start" : "0", "own");
    readPhoto();
    draw();
  }

  function choosePreset(name) {
    if (name === "own") return;
    const { kernel, weights: numbers, bias: added, channels } = name === "start" ? start : presets[Number(name)];
    state.bias = added ?? 0;
    if ((channels ?? 1) === 3) {
      if (state.channels === 1) {
        input.menu.value = "3";
        state.channels = 3;
        readPhoto();
      }
      show(kernel, numbers, name, "own");
    } else {
      base = { kernel, weights: numbers };
      if (state.channels === 3) inColour(name, colour.menu.value === "own" ? "red" : colour.menu.value);
      else show(kernel, numbers, name, "own");
    }
    draw();
  }

  function chooseColour(name) {
    if (name === "own") return;
    inColour(preset.menu.value, name);
    draw();
  }

  // The kernel for a colour: three kernels.
  function inColour(name, how) {
    const made = module.call("filter_change", { kernel: base.kernel, weights: base.weights.map((weight) => weight ?? 0), how });
    show(made.kernel, made.weights, name, how);
  }

  function chooseChannels(channels) {
    if (state.channels === 1) base = { kernel: state.kernel, weights: state.weights };
    state.channels = channels;
    const name = preset.menu.value;
    if (channels === 3) inColour(name, "red");
    else show(base.kernel, base.weights, name === "start" && start.channels === 3 ? "own" : name, "own");
    readPhoto();
    draw();
  }

  function change(how) {
    const made = module.call("filter_change", { kernel: state.kernel, weights: state.weights, how });
    show(made.kernel, made.weights, "own", "own");
    draw();
  }

  // Shows other weights in the fields.
  function show(kernel, numbers, name, forColour) {
    const [rows, columns] = kernel;
    const size = `${state.channels} ${kernel}`;
    if (sheets.dataset.size !== size) {
      sheets.dataset.size = size;
      weights = [];
      sheets.replaceChildren();
      const names = state.channels === 1 ? [""] : ["red", "green", "blue"];
      for (const channel of names) {
        const sheet = nchwElement("div", { class: columns > 4 ? "nchw-lab-sheet nchw-many" : "nchw-lab-sheet", style: `--columns: ${columns}` });
        for (let row = 0; row < rows; row += 1) {
          for (let column = 0; column < columns; column += 1) {
            const field = nchwNumberField(`${channel ? `${channel}, ` : ""}row ${row}, column ${column}`, changed, select);
            weights.push(field);
            sheet.append(field.input);
          }
        }
        sheets.append(nchwElement("div", { role: "group", "aria-label": `Weights${channel && ` of the ${channel} channel`}`,
          class: channel && `nchw-lab-${channel}` }, channel && nchwElement("span", { class: "nchw-small" }, channel), sheet));
      }
    }
    state.kernel = kernel;
    weights.forEach((field, index) => field.write(numbers[index]));
    bias.write(state.bias);
    readFields();
    preset.menu.value = name;
    colour.menu.value = forColour;
    select(weights[Math.floor((weights.length - 1) / 2)]);
  }

  // A reader changed a field or the slider.
  function changed(field) {
    if (field !== bias && selected !== bias) {
      preset.menu.value = "own";
      colour.menu.value = "own";
    }
    readFields();
    select(field ?? selected);
    draw();
    if (drawn) announcer.say(`${drawn.size}. ${drawn.sum}`);
  }

  function readFields() {
    state.weights = weights.map((field) => field.read());
    state.bias = bias.read();
  }

  // The slider belongs to the field that was used last.
  function select(field) {
    selected = field;
    for (const each of [...weights, bias]) each.input.classList.toggle("nchw-lab-selected", each === field);
    const value = field.read();
    const most = Math.max(2, Math.ceil(Math.abs(value)));
    if (document.activeElement !== slider || most > Number(slider.max)) {
      slider.min = -most;
      slider.max = most;
    }
    slider.value = value;
    nchwSay(sliderField.querySelector("label"), field === bias ? "Bias" : `Weight in ${field.name}`);
  }

  // Turns the photo into numbers, and shows what the filter gets.
  function readPhoto() {
    colour.hidden = state.channels === 1;
    root.classList.toggle("nchw-lab-three", state.channels === 3);
    if (!photo) return;
    planes = memory.planes(photo, state.channels);
    const { height, width } = photo;
    if (pixels !== height * width) {
      map?.free();
      rgba?.free();
      pixels = height * width;
      [map, rgba] = [module.floats(pixels), module.floats(pixels)];
    }
    photoView.resize(height, width, photo);
    if (state.channels === 1) {
      module.call("paint", { values: planes.address, count: pixels, rgba: rgba.address, palette: "grey", range: [0, 1] });
      photoView.put(rgba.bytes, height, width);
    } else {
      photoView.context.drawImage(photo.canvas, 0, 0);
    }
    photoView.says(`Photo  C=${state.channels}  H=${height}  W=${width}`);
    photoView.canvas.setAttribute("role", "img");
    photoView.canvas.setAttribute("aria-label", photo.says);
  }

  function request() {
    return { ...state, image: planes.address, rows: photo.height, columns: photo.width, map: map.address, rgba: rgba.address };
  }

  function draw() {
    const wrong = [...weights, bias].filter((field) => field.wrong());
    const lines = wrong.length === 0 ? [] : [
      `Expected a number such as 0.5 or -1, found none: ${wrong.slice(0, 3).map(({ name }) => name).join("; ")}${
        wrong.length > 3 ? `; and ${wrong.length - 3} more` : ""}. Until then it counts as 0.`];
    paintWeights();
    if (photo) {
      try {
        drawn = module.call("filter_map", request());
        if (drawn.problem) lines.push(drawn.problem);
        mapView.resize(drawn.rows, drawn.columns, photo);
        mapView.put(rgba.bytes, drawn.rows, drawn.columns);
        mapView.says(`Feature map  ${drawn.size}`);
        scale.show(drawn.palette, drawn.scale);
        nchwSay(sum, drawn.sum);
        surface.setAttribute("aria-label", `Feature map, ${drawn.rows} rows and ${drawn.columns} columns. Arrow keys move the window.`);
        move(chosen ? position : [drawn.rows, drawn.columns].map((side) => Math.floor((side - 1) / 2)));
      } catch (error) {
        lines.push(error.message);
        drawn = null;
      }
      for (const element of [mapView.element, scale.element, products, windowSays, sum]) element.classList.toggle("nchw-lab-stale", !drawn);
    }
    const text = lines.join("\n");
    if (problem.dataset.text !== text) {
      problem.dataset.text = text;
      problem.replaceChildren(...lines.map((line) => nchwElement("p", { class: "nchw-problem" }, line)));
      if (text) announcer.say(text);
    }
  }

  // Each weight in its colour, as in the notebooks.
  function paintWeights() {
    const most = Math.max(...state.weights.map(Math.abs)) || 1;
    const colours = module.call("colours", { values: state.weights, palette: "signed", range: [-most, most] });
    weights.forEach(({ input: field }, index) => {
      const { paper, ink } = colours[index];
      nchwColour(field, paper, ink);
    });
  }

  function choose(to) {
    if (!drawn) return;
    chosen = true;
    move(to);
  }

  // Shows how one number of the map is computed.
  function move(to) {
    const size = [drawn.rows, drawn.columns];
    position = to.map((at, axis) => Math.min(Math.max(at, 0), size[axis] - 1));
    const answer = module.call("filter_window", { ...request(), position });
    const [rows, columns] = state.kernel;
    mapView.mark(position[0], position[1], 1, 1);
    photoView.mark(answer.top, answer.left, rows, columns);
    nchwSay(windowSays, answer.says);
    nchwProducts(products, answer.channels, state.kernel);
  }
};
