// Helps for reading: a click enlarges a figure, a formula that is too wide for the column is set smaller, a table that
// is too wide becomes a list, and the parts of the book fold in the sidebar. Without scripts figures stand at the
// column's width, wide formulas and tables scroll, and all parts are open.

const FIGURES = ".bd-content .cell_output img, .bd-content figure img";

// --- figures ------------------------------------------------------------------------------------

const dialog = document.createElement("dialog");
dialog.className = "enlarged";
dialog.setAttribute("aria-label", "Figure, enlarged");
dialog.addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => dialog.replaceChildren());

function enlarge(image) {
  // In dark mode a stored figure is two views of one file (tools/site_pictures.py): both are shown.
  const shown = (image.closest(".picture") ?? image).cloneNode(true);
  for (const each of [shown, ...shown.querySelectorAll("img")]) {
    each.removeAttribute("tabindex");
    each.removeAttribute("role");
    each.removeAttribute("width");
    each.removeAttribute("height");
    each.removeAttribute("title"); // a click closes it
    each.classList.remove("can-enlarge");
    if (each.tagName === "IMG") each.removeAttribute("style");
  }
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  const page = document.createElement("div");
  page.className = "bd-content";
  page.append(shown);
  dialog.replaceChildren(close, page);
  dialog.showModal();
}

function offer(image) {
  if (image.closest("a:not(.image-reference), button, .wall, .hero, .cam-explorer, .sd-card, .laboratory")) return;
  image.classList.add("can-enlarge");
  image.tabIndex = 0;
  image.closest("a")?.removeAttribute("href"); // a link to the file, for readers without scripts
  image.setAttribute("role", "button");
  image.title = "Enlarge";
  image.addEventListener("click", () => enlarge(image));
  image.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    enlarge(image);
  });
}

// --- what is too wide -----------------------------------------------------------------------------

const SMALLEST = 0.7; // of a formula's own size: smaller letters cannot be read
const TABLES = ".bd-content :is(.pst-scrollable-table-container > table, table.results)";
const WIDE = ".bd-content :is(div.math, .cell_output, pre, .pst-scrollable-table-container)";

// What a box holds and what it has room for, in pixels. MathJax draws a formula in an element of its own, which leaves
// room for the number beside it and scrolls by itself.
function sizes(box) {
  const drawn = box.querySelector(":scope > mjx-container") ?? box;
  return drawn.scrollWidth - drawn.clientWidth > box.scrollWidth - box.clientWidth
    ? [drawn.scrollWidth, drawn.clientWidth]
    : [box.scrollWidth, box.clientWidth];
}

function overflows(box) {
  const [holds, room] = sizes(box);
  return room > 0 && holds > room + 1;
}

// A formula that is too wide gives its number a line of its own, and is set smaller where that is not enough.
function fit(formula) {
  const drawn = formula.querySelector("mjx-container");
  if (!drawn) return;
  drawn.dataset.size ??= drawn.style.fontSize || "100%"; // MathJax fits its letters to those of the text
  drawn.style.fontSize = drawn.dataset.size;
  formula.classList.remove("number-below");
  if (!overflows(formula)) return;
  formula.classList.add("number-below");
  const [holds, room] = sizes(formula);
  const share = Math.min(1, Math.max(SMALLEST, room / holds));
  drawn.style.fontSize = `${Math.floor(share * parseFloat(drawn.dataset.size))}%`;
}

// A table that is too wide is set tighter; where that is not enough it becomes a list of its rows, in which each value
// stands beside its column's name.
function stack(table) {
  table.classList.remove("tight", "stacked");
  if (!overflows(table.parentElement)) return;
  table.classList.add("tight");
  if (!overflows(table.parentElement)) return;
  if (!table.querySelector("td > .head")) label(table);
  table.classList.add("stacked");
}

// The name of its column in each cell but the first of a row, unseen until the table is a list.
function label(table) {
  const heads = [...table.querySelectorAll("thead tr:last-child > *")];
  for (const row of table.tBodies[0]?.rows ?? [])
    [...row.cells].slice(1).forEach((cell, i) => {
      const head = document.createElement("span");
      head.className = "head";
      head.append(...[...(heads[i + 1]?.childNodes ?? [])].map((node) => node.cloneNode(true)));
      cell.prepend(head);
    });
}

// What still is wider than its box scrolls in it, and a shadow at its right edge says so.
function cue(box) {
  const more = overflows(box);
  box.classList.toggle("scrolls", more);
  if (more) box.tabIndex = 0;
  else box.removeAttribute("tabindex");
}

function widths() {
  document.querySelectorAll(".bd-content div.math").forEach(fit);
  document.querySelectorAll(TABLES).forEach(stack);
  document.querySelectorAll(WIDE).forEach(cue);
}

let column = 0;
const watched = new ResizeObserver(([entry]) => {
  if (Math.abs(entry.contentRect.width - column) < 1) return;
  column = entry.contentRect.width;
  widths();
});

// --- the parts of the book ------------------------------------------------------------------------

function fold(caption) {
  const list = caption.nextElementSibling;
  if (list?.tagName !== "UL") return;
  const part = document.createElement("details");
  const head = document.createElement("summary");
  part.className = "part";
  part.open = list.querySelector(".current") !== null;
  caption.before(part);
  head.append(caption);
  part.append(head, list);
}

document.body.append(dialog);
document.querySelectorAll(FIGURES).forEach(offer);
const captions = [...document.querySelectorAll(".bd-sidebar-primary .bd-links p.caption, .bd-sidebar-primary nav p.caption")];
captions.forEach(fold);
const parts = [...document.querySelectorAll("details.part")];
if (parts.length && !parts.some((part) => part.open)) parts[0].open = true;

async function watch() {
  // This file may run before MathJax is there, and pages without a formula never have it.
  if (document.readyState !== "complete") await new Promise((done) => addEventListener("load", done, { once: true }));
  await window.MathJax?.startup?.promise;
  const article = document.querySelector(".bd-article");
  if (article) watched.observe(article);
}

watch();
document.addEventListener("toggle", (event) => event.target.matches?.("details") && widths(), true);
