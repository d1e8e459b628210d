// Starts the figures of a page, and what all figures use to build themselves.

// The figures by name. A figure is a function (root, module, options) that fills the element `root`;
// it may be async.
const nchwFigures = {};

// Counts elements that labels and descriptions refer to, over all figures of the page.
let nchwCount = 0;

// An id that no other element of the page has.
function nchwId() {
  nchwCount += 1;
  return `nchw-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 8)}-${nchwCount}`;
}

// An element with attributes and children; `onclick` and the like are listeners.
function nchwElement(tag, attributes = {}, ...children) {
  return nchwFill(document.createElement(tag), attributes, children);
}

// The same for an element of SVG.
function nchwSvg(tag, attributes = {}, ...children) {
  return nchwFill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function nchwFill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A field with its label before it: `nchwLabelled("Kernel", input)`.
function nchwLabelled(text, field) {
  field.id ||= nchwId();
  return nchwElement("span", { class: "nchw-field" }, nchwElement("label", { for: field.id }, text), field);
}

// A menu of [value, text] pairs; `chosen` is called with the value.
function nchwMenu(text, choices, chosen) {
  const menu = nchwElement("select", { onchange: () => chosen(menu.value) });
  for (const [value, name] of choices) menu.append(nchwElement("option", { value }, name));
  return nchwLabelled(text, menu);
}

// A line that a screen reader reads when it changes. While the reader types, only the last of
// several changes is read.
function nchwAnnouncer() {
  const line = nchwElement("p", { class: "nchw-hidden", role: "status", "aria-live": "polite" });
  let timer = 0;
  line.say = (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (line.textContent !== text) line.textContent = text;
    }, 500);
  };
  return line;
}

// How far an arrow key moves, as [rows, columns]; undefined for another key.
function nchwArrow(event) {
  const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  return event.ctrlKey || event.altKey || event.metaKey ? undefined : steps[event.key];
}

// Fills an element with an interactive figure. Until the figure is ready, and if it cannot start,
// what the element shows remains: the still figure.
async function nchwPlay(element, name, options = {}) {
  const root = nchwElement("div", { class: "nchw-figure" });
  // Keys that are typed into the figure must not trigger the notebook's shortcuts; Ctrl+S still saves it.
  const isShortcut = (event) => event.ctrlKey || event.metaKey;
  root.addEventListener("keydown", (event) => isShortcut(event) || event.stopPropagation());
  // JupyterLab asks this attribute before the key arrives here.
  window.addEventListener("keydown", (event) => {
    if (root.contains(event.target)) root.toggleAttribute("data-lm-suppress-shortcuts", !isShortcut(event));
  }, true);
  try {
    const figure = nchwFigures[name];
    if (figure === undefined) throw new Error(`there is no figure "${name}"`);
    await figure(root, await nchwLoadModule(NCHW_MODULE_OF[name]), options);
    element.replaceChildren(root);
    element.dataset.ready = "yes";
  } catch (error) {
    element.dataset.ready = "failed";
    const says = `The interactive figure did not start: ${error.message}`;
    element.append(nchwElement("p", { class: "nchw-problem" }, says));
    console.error(error);
  }
}

// Starts all figures on the page that this script can start and that have not started. JupyterLab runs the script
// of a saved output before the output is on the page; therefore it looks for figures during the first minute.
function nchwStart(seconds = 60) {
  let found = false;
  for (const element of document.querySelectorAll(".nchw-play:not([data-ready])")) {
    const { figure, options } = element.dataset;
    if (nchwFigures[figure] === undefined) continue;
    found = true;
    element.dataset.ready = "loading";
    nchwPlay(element, figure, JSON.parse(options || "{}"));
  }
  if (!found && seconds > 0) setTimeout(() => nchwStart(seconds - 0.2), 200);
}
