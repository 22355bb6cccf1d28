// Elements in one line, and the few kinds of controls that the page has.

export function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...inside);
  return element;
}

let count = 0;
const id = () => `lab-${count++}`;

// A control below its word. `input` is made by one of the functions below.
export function labelled(word, input, ...after) {
  input.id ||= id();
  return make("div", { class: "lab-control" }, make("label", { for: input.id }, word), input, ...after);
}

export const select = (options, change) => make("select", { onchange: (e) => change(e.target.value) },
  ...options.map(([value, text]) => make("option", { value }, text)));

export const range = (low, high, step, change) => make("input",
  { type: "range", min: low, max: high, step, oninput: (e) => change(Number(e.target.value)) });

export const button = (text, press, attributes = {}) => (
  make("button", { type: "button", onclick: press, ...attributes }, text));

// A line that is seen on light and on dark.
export function outlined(canvas, draw) {
  const context = canvas.getContext("2d");
  for (const [lineWidth, strokeStyle] of [[4, "black"], [2, "white"]]) {
    Object.assign(context, { lineWidth, strokeStyle });
    draw(context);
  }
}

export const percent = (p) => (p >= 0.0995 ? `${Math.round(100 * p)} %` : p >= 0.001 ? `${(100 * p).toFixed(1)} %` : "< 0.1 %");
