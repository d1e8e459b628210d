// The quiz: random questions without end, answered with the keyboard. The module asks and grades.

nchwFigures.quiz = (root, module, options) => {
  const score = nchwScore();
  let which = null;
  let counted = false; // Only the first attempt at a question counts.
  let hints = [];

  const level = nchwMenu("Level", [
    [1, "1: one layer, as in the lecture"], [2, "2: stride and padding"],
    [3, "3: dilation, flatten"], [4, "4: two layers; use paper"],
  ], (value) => ask(Number(value)));
  const title = nchwElement("p", { class: "nchw-small" });
  const text = nchwElement("p", { class: "nchw-question" });
  const id = nchwId();
  const label = nchwElement("label", { for: id });
  const answer = nchwElement("input", { id, type: "text", inputmode: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
  const check = nchwElement("button", { type: "submit", class: "nchw-main" }, "Check");
  const next = nchwElement("button", { type: "button", onclick: () => ask() }, "Next question");
  const hint = nchwElement("button", { type: "button", onclick: showHint }, "Hint");
  const solve = nchwElement("button", { type: "button", onclick: showAnswer }, "Show the arithmetic");
  const reply = nchwElement("div", { class: "nchw-reply", role: "status", "aria-live": "polite" });
  const line = nchwElement("span");
  const note = nchwElement("span", { class: "nchw-small" });
  const reset = nchwElement("button", { type: "button", onclick: () => {
    score.reset();
    showScore();
  } }, "Reset the score");
  const form = nchwElement("form", { onsubmit: submit },
    nchwElement("div", { class: "nchw-bar" }, nchwElement("span", { class: "nchw-field" }, label, answer), check, next, hint, solve));
  root.append(nchwElement("div", { class: "nchw-bar" }, level), title, text, form, reply,
    nchwElement("div", { class: "nchw-bar nchw-score" }, line, reset, note));
  level.querySelector("select").value = options.level ?? 1;
  ask(options.level ?? 1, options.seed, false);

  // Asks another question. At the beginning the page, not the quiz, has the focus.
  function ask(wanted = which.level, seed = Math.floor(Math.random() * 2 ** 32), focus = true) {
    which = { seed, level: wanted };
    counted = false;
    const question = module.call("quiz", which);
    hints = question.hints;
    title.textContent = `Question ${question.id}`;
    text.textContent = question.text;
    label.textContent = `Your answer: ${question.parts.join(", ")}`;
    answer.value = "";
    answer.removeAttribute("aria-invalid");
    answer.placeholder = question.parts.map((_, index) => index + 1).join("x").replace(/\d/g, "?");
    reply.replaceChildren();
    hint.disabled = false;
    next.classList.remove("nchw-main");
    check.classList.add("nchw-main");
    showScore();
    if (focus) answer.focus();
  }

  function submit(event) {
    event.preventDefault();
    const graded = module.call("quiz_check", { ...which, answer: answer.value });
    const right = graded.verdict === "right";
    answer.setAttribute("aria-invalid", String(!right));
    say(graded.verdict, graded.head, ...(right && graded.marks.length === 1 ? [] : graded.marks.map((mark) => mark.text)), ...graded.says);
    if (graded.verdict === "unclear") {
      answer.select();
      return;
    }
    count(right);
    if (right) {
      // Enter now asks the next question.
      check.classList.remove("nchw-main");
      next.classList.add("nchw-main");
      next.focus();
    } else {
      answer.select();
    }
  }

  function count(right) {
    if (!counted) score.add(right);
    counted = true;
    showScore();
  }

  function say(kind, head, ...lines) {
    const shown = lines.map((text) => nchwElement("div", { class: text.startsWith("✗") ? "nchw-bad" : null }, text));
    reply.replaceChildren(nchwElement("div", { class: `nchw-verdict nchw-${kind}` }, head), ...shown);
  }

  function showHint() {
    const [first, ...others] = hints;
    hints = others;
    reply.append(nchwElement("div", {}, `Hint: ${first}`));
    hint.disabled = hints.length === 0;
    answer.focus();
  }

  function showAnswer() {
    const { answer: truth, steps } = module.call("quiz_explained", which);
    count(false);
    say("shown", `The answer is ${truth}.`);
    reply.append(nchwElement("pre", { tabindex: "0" }, steps));
    next.focus();
  }

  function showScore() {
    const { asked, right, row } = score.read();
    line.textContent = asked === 0 ? "No answers yet."
      : `Right at the first try: ${right} of ${asked}. In a row: ${row}.`;
    reset.hidden = asked === 0;
    note.textContent = score.kept ? "" : "This browser does not keep the score of this page.";
  }
};

// The score, kept in the browser. Where a browser keeps nothing, it lasts as long as the page.
function nchwScore() {
  const key = "nchw-quiz-score";
  const none = { asked: 0, right: 0, row: 0 };
  let kept = true;
  let now = none;
  try {
    const stored = JSON.parse(localStorage.getItem(key));
    if (stored && ["asked", "right", "row"].every((name) => Number.isInteger(stored[name]))) now = stored;
  } catch {
    kept = false;
  }
  const write = (score) => {
    now = score;
    try {
      localStorage.setItem(key, JSON.stringify(score));
    } catch {
      kept = false;
    }
  };
  return {
    get kept() {
      return kept;
    },
    read: () => now,
    add: (right) => write({ asked: now.asked + 1, right: now.right + (right ? 1 : 0), row: right ? now.row + 1 : 0 }),
    reset: () => write(none),
  };
}
