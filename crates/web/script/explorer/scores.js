// The answer of the network explorer: scores and probabilities; and what the score of a class consists of.

function nchwScores(explorer) {
  const winner = nchwElement("p", { class: "nchw-winner" });
  const note = nchwElement("p", { class: "nchw-small" });
  const lines = explorer.classes.map((name, index) => {
    const fill = nchwElement("span", { class: "nchw-fill" });
    const mark = nchwElement("span", { class: "nchw-mark", title: "with all channels on" });
    const [score, probability] = [nchwElement("td"), nchwElement("td")];
    const button = nchwElement("button", { type: "button", title: `What the score of ${name} consists of`, onclick: () => explorer.choose(explorer.layers.length - 1, index) }, name);
    const row = nchwElement("tr", {}, nchwElement("th", { scope: "row" }, button),
      nchwElement("td", { class: "nchw-bar-cell" }, nchwElement("span", { class: "nchw-track" }, fill, mark)), score, probability);
    return { row, fill, mark, score, probability };
  });
  const head = nchwElement("tr", {}, nchwElement("th", { scope: "col" }, "Class"), nchwElement("td"),
    nchwElement("th", { scope: "col" }, "Score"), nchwElement("th", { scope: "col" }, "Probability"));
  const element = nchwElement("div", { class: "nchw-scores" }, winner,
    nchwElement("table", {}, nchwElement("caption", { class: "nchw-hidden" }, "Scores, and their probabilities by softmax"),
      nchwElement("thead", {}, head), nchwElement("tbody", {}, ...lines.map(({ row }) => row))), note);

  function says() {
    const { probabilities } = explorer.answer ?? {};
    if (!probabilities?.length) return "There is no answer.";
    const best = nchwLargest(probabilities);
    return `The answer: ${explorer.classes[best]}, ${nchwPercent(probabilities[best])}`;
  }

  return {
    element,
    says,
    show() {
      const { scores = [], probabilities = [] } = explorer.answer ?? {};
      const best = nchwLargest(probabilities);
      const isOff = explorer.off.size > 0;
      winner.textContent = says();
      lines.forEach(({ row, fill, mark, score, probability }, index) => {
        const known = index < scores.length;
        row.classList.toggle("nchw-best", known && index === best);
        fill.style.width = known ? `${100 * (probabilities[index] ?? 0)}%` : "0";
        score.textContent = known ? nchwNumber(scores[index]) : "–";
        probability.textContent = known ? nchwPercent(probabilities[index]) : "–";
        const was = isOff ? explorer.allOn?.probabilities?.[index] : undefined;
        mark.hidden = was === undefined;
        if (was !== undefined) mark.style.left = `${100 * was}%`;
      });
      note.textContent = isOff && explorer.allOn ? "Some channels are off. The thin lines show the probabilities with all channels on."
        : isOff ? "Some channels are off." : "Softmax turns the scores into probabilities.";
    },
  };
}

// What the score of the chosen class consists of.
function nchwHead(explorer) {
  const { module } = explorer;
  const title = nchwElement("h3");
  const text = nchwElement("p");
  const image = nchwPixels("The image, with the parts of the last maps");
  const heat = nchwPixels("The sum of the products of all channels, for each position of the last maps");
  const digits = nchwElement("div", { class: "nchw-digits" });
  heat.element.append(digits);
  const sum = nchwElement("p", { class: "nchw-result" });
  const cards = nchwElement("div", { class: "nchw-cards" });
  const element = nchwElement("section", { class: "nchw-head", hidden: true }, title, text,
    nchwElement("div", { class: "nchw-three" },
      nchwElement("figure", {}, nchwElement("figcaption", {}, "The image"), image.element),
      nchwElement("figure", {}, nchwElement("figcaption", {}, "What each position adds to the score"), heat.element)),
    sum, nchwElement("h4", {}, "The channels that add or subtract most"), cards);
  let buffer = null;

  function paint() {
    const layer = explorer.layers[explorer.layer];
    const shown = layer?.kind === "head" && explorer.answer !== null;
    element.hidden = !shown;
    if (layer?.kind === "head" || explorer.channel === null) explorer.image.frame([], 32, 32);
    if (!shown) return;
    const index = explorer.channel;
    const name = explorer.classes[index];
    const flat = explorer.layers[explorer.layer - 1].channels;
    if (buffer?.count !== flat) {
      buffer?.free();
      buffer = Object.assign(Object.create(module.floats(flat)), { count: flat });
    }
    const sums = module.call("net_head", { class: index, to: buffer.address });
    const maps = explorer.layers[sums.from];
    title.textContent = `The score of "${name}"`;
    text.textContent = `Each of the ${flat.toLocaleString("en")} numbers of ${maps.name} (${nchwShapeText(maps)}) is multiplied with a weight of this class. `
      + "The sum over all channels, for each position:";
    const colours = paintGrid(heat, sums.positions, maps);
    digits.style.gridTemplateColumns = `repeat(${maps.columns}, 1fr)`;
    const readable = maps.columns <= 8;
    digits.replaceChildren(...(readable ? sums.positions.map((value, at) => nchwElement("span", { style: `color:${colours[at].ink}` }, nchwNumber(value))) : []));
    if (image.canvas.width !== 32) image.canvas.width = image.canvas.height = 32;
    image.context.drawImage(explorer.image.canvas, 0, 0);
    const cells = readable ? sums.positions.map((_, at) => [Math.floor(at / maps.columns), at % maps.columns]) : [];
    image.frame(cells.map(([row, column]) => [[row, row], [column, column]]), maps.rows, maps.columns, "nchw-frame nchw-thin");
    const { probabilities } = explorer.answer;
    sum.textContent = `All ${sums.positions.length} sums and the bias ${nchwNumber(sums.bias)} make the score ${nchwNumber(sums.score)}. `
      + `Softmax: e^${nchwNumber(sums.score)}, divided by the sum of e^score of all classes, is ${nchwPercent(probabilities[index])}.`;
    if (explorer.live && cards.contains(document.activeElement)) return;
    const order = sums.channels.map((value, channel) => ({ value, channel })).sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, 8);
    cards.replaceChildren(...order.map(({ value, channel }) => nchwElement("button", {
      type: "button", onclick: () => {
        explorer.choose(sums.from, channel, undefined);
        explorer.say(`Channel ${channel} of ${maps.name}`);
        element.parentElement.querySelector(".nchw-value canvas[tabindex]")?.focus();
      },
    }, `channel ${channel}: ${nchwNumber(value)} →`)));
  }

  function paintGrid(pixels, values, { rows, columns }) {
    const most = Math.max(...values.map((value) => Math.abs(value ?? 0)), 1e-9);
    const colours = module.call("colours", { values: values.map((value) => value ?? 0), palette: "signed", range: [-most, most] });
    if (pixels.canvas.width !== columns || pixels.canvas.height !== rows) [pixels.canvas.width, pixels.canvas.height] = [columns, rows];
    values.forEach((value, at) => {
      pixels.context.fillStyle = value === null ? "#f0f" : colours[at].paper;
      pixels.context.fillRect(at % columns, Math.floor(at / columns), 1, 1);
    });
    return colours;
  }

  return { element, paint };
}
