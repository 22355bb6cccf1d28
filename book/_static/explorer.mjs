// The explorer of the book: maps with their controls, from files and without a server.
//
// A figure carries the address of a manifest, which names the photographs and the sprite, one grey picture that
// holds every map on its own grid. `render({model, el})` turns such a figure into controls and a canvas; `model.get`
// gives "manifest" (an object) and "root" (the address its files are relative to). The last lines do so for every
// figure of the page. Nothing is loaded from elsewhere, and without this script the figure shows its picture.

// The book's colours, as in holicam/notebook/plot.py: magma for evidence, RdBu_r for signed maps; six hex digits a step.
const TABLES = {
  evidence: "00000401000501010601010802010902020b02020d03030f03031204041405041606051806051a07061c08071e0907200a08220b09240c09260d0a290e0b2b100b2d110c2f120d31130d34140e36150e38160f3b180f3d19103f1a10421c10441d11471e114920114b21114e22115024125325125527125829115a2a115c2c115f2d11612f116331116533106734106936106b38106c390f6e3b0f703d0f713f0f72400f74420f75440f764510774710784910784a10794c117a4e117b4f127b51127c52137c54137d56147d57157e59157e5a167e5c167f5d177f5f187f601880621980641a80651a80671b80681c816a1c816b1d816d1d816e1e81701f81721f817320817521817621817822817922827b23827c23827e24828025828125818326818426818627818827818928818b29818c29818e2a81902a81912b81932b80942c80962c80982d80992d809b2e7f9c2e7f9e2f7fa02f7fa1307ea3307ea5317ea6317da8327daa337dab337cad347cae347bb0357bb2357bb3367ab5367ab73779b83779ba3878bc3978bd3977bf3a77c03a76c23b75c43c75c53c74c73d73c83e73ca3e72cc3f71cd4071cf4070d0416fd2426fd3436ed5446dd6456cd8456cd9466bdb476adc4869de4968df4a68e04c67e24d66e34e65e44f64e55064e75263e85362e95462ea5661eb5760ec5860ed5a5fee5b5eef5d5ef05f5ef1605df2625df2645cf3655cf4675cf4695cf56b5cf66c5cf66e5cf7705cf7725cf8745cf8765cf9785df9795df97b5dfa7d5efa7f5efa815ffb835ffb8560fb8761fc8961fc8a62fc8c63fc8e64fc9065fd9266fd9467fd9668fd9869fd9a6afd9b6bfe9d6cfe9f6dfea16efea36ffea571fea772fea973feaa74feac76feae77feb078feb27afeb47bfeb67cfeb77efeb97ffebb81febd82febf84fec185fec287fec488fec68afec88cfeca8dfecc8ffecd90fecf92fed194fed395fed597fed799fed89afdda9cfddc9efddea0fde0a1fde2a3fde3a5fde5a7fde7a9fde9aafdebacfcecaefceeb0fcf0b2fcf2b4fcf4b6fcf6b8fcf7b9fcf9bbfcfbbdfcfdbf",
  signed: "05306106326407346708366a09386d0a3b700c3d730d3f760e41790f437b10457e114781124984134c87144e8a15508d1752901854931956961a58991b5a9c1c5c9f1d5fa21e61a51f63a82065ab2267ac2369ad246aae266caf276eb02870b12a71b22b73b32c75b42e77b52f79b5307ab6327cb7337eb83480b93681ba3783bb3885bc3a87bd3b88be3c8abe3e8cbf3f8ec0408fc14291c24393c34695c44997c54c99c64f9bc7529dc8569fc959a1ca5ca3cb5fa5cd62a7ce65a9cf68abd06bacd16eaed271b0d375b2d478b4d57bb6d67eb8d781bad884bcd987beda8ac0db8dc2dc90c4dd93c6de96c7df98c8e09bc9e09dcbe1a0cce2a2cde3a5cee3a7d0e4a9d1e5acd2e5aed3e6b1d5e7b3d6e8b6d7e8b8d8e9bbdaeabddbeac0dcebc2ddecc5dfecc7e0edcae1eecce2efcfe4efd1e5f0d2e6f0d4e6f1d5e7f1d7e8f1d8e9f1dae9f2dbeaf2ddebf2deebf2e0ecf3e1edf3e3edf3e4eef4e6eff4e7f0f4e9f0f4eaf1f5ecf2f5edf2f5eff3f5f0f4f6f2f5f6f3f5f6f5f6f7f6f7f7f7f6f6f7f5f4f8f4f2f8f3f0f8f2eff8f1edf9f0ebf9efe9f9eee7f9ede5f9ebe3faeae1fae9dffae8defae7dcfbe6dafbe5d8fbe4d6fbe3d4fce2d2fce0d0fcdfcffcdecdfdddcbfddcc9fddbc7fdd9c4fcd7c2fcd5bffcd3bcfbd0b9fbceb7fbccb4facab1fac8aff9c6acf9c4a9f9c2a7f8bfa4f8bda1f8bb9ef7b99cf7b799f7b596f6b394f6b191f6af8ef5ac8bf5aa89f5a886f4a683f3a481f2a17ff19e7df09c7bef9979ee9677ec9374eb9172ea8e70e98b6ee8896ce6866ae58368e48066e37e64e27b62e17860df765ede735cdd7059dc6e57db6b55da6853d86551d7634fd6604dd55d4cd35a4ad25849d05548cf5246ce4f45cc4c44cb4942c94741c84440c6413ec53e3dc43b3cc2383ac13639bf3338be3036bd2d35bb2a34ba2832b82531b72230b61f2eb41c2db3192cb1182bae172aab162aa81529a51429a213289f12289c1127991027960f27930e26900d268d0c258a0b25870a248409248108237f08237c07227906227605217304217003206d02206a011f67001f",
};
const SIDE = 448; // pixels of the canvas at most: photographs are enlarged by whole numbers

const colours = (text) => Uint8Array.from(text.match(/../g), (two) => parseInt(two, 16));
const percent = (share) => `${Math.round(100 * share)} %`;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// Against fingerprinting some browsers give a page other pixels than were drawn: no map may be read from those.
function readable() {
  const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "rgb(10 120 230)";
  context.fillRect(0, 0, 8, 8);
  return context.getImageData(0, 0, 8, 8).data.every((v, i) => Math.abs(v - [10, 120, 230, 255][i % 4]) < 4);
}

async function pixels(url, width, height) {
  const image = new Image();
  image.crossOrigin = "anonymous"; // a notebook's figure carries its data with it, and may read them
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width ?? image.naturalWidth, height ?? image.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// What a map is on its own scale: 0..1 between its extremes, or -1..1 about zero; and its raw values.
function unpack(entry, sprite, signed) {
  const raw = new Float64Array(entry.w * entry.h), scaled = new Float64Array(raw.length);
  // Whether a map is constant up to rounding was settled when it was stored: then its ends are equal.
  const top = Math.max(-entry.min, entry.max), constant = entry.max === entry.min;
  let sum = 0;
  for (let i = 0; i < raw.length; i++) {
    const x = entry.x + (i % entry.w), y = entry.y + Math.floor(i / entry.w);
    const byte = sprite.data[4 * (y * sprite.width + x)];
    raw[i] = entry.min + ((entry.max - entry.min) * byte) / 255;
    scaled[i] = signed ? (top > 0 ? raw[i] / top : 0) : constant ? 0 : byte / 255;
    sum += signed ? Math.abs(raw[i]) : Math.max(raw[i], 0);
  }
  return { ...entry, raw, scaled, sum };
}

// For each pixel along one side: the two cells it lies between and how far it is from the first (half-pixel centres).
function between(pixelCount, cellCount) {
  return Array.from({ length: pixelCount }, (_, i) => {
    const at = Math.max(((i + 0.5) * cellCount) / pixelCount - 0.5, 0), first = Math.floor(at);
    return [first, Math.min(first + 1, cellCount - 1), at - first];
  });
}

function paint(image, photo, map, table, state, signed) {
  const { width, height } = image, across = between(width, map.w), down = between(height, map.h);
  const opacity = state.opacity / 100, threshold = state.threshold / 100, m = map.scaled;
  for (let y = 0, p = 0; y < height; y++) {
    const [top, bottom, v] = down[y], cellY = Math.floor((y * map.h) / height);
    for (let x = 0; x < width; x++, p += 4) {
      const [left, right, u] = across[x];
      const value = state.grid ? m[cellY * map.w + Math.floor((x * map.w) / width)]
        : (1 - v) * ((1 - u) * m[top * map.w + left] + u * m[top * map.w + right])
          + v * ((1 - u) * m[bottom * map.w + left] + u * m[bottom * map.w + right]);
      const level = Math.round(255 * clamp(signed ? (value + 1) / 2 : value, 0, 1));
      // Nothing without evidence, the whole opacity from half the scale on, as in holicam/notebook/overlay.py.
      const share = Math.abs(value) >= threshold ? opacity * Math.min(1, 2 * Math.abs(value)) : 0;
      const grey = 0.299 * photo[p] + 0.587 * photo[p + 1] + 0.114 * photo[p + 2];
      for (let c = 0; c < 3; c++) {
        const under = photo[p + c] + share * (grey - photo[p + c]);
        image.data[p + c] = under + share * (table[3 * level + c] - under);
      }
      image.data[p + 3] = 255;
    }
  }
}

// --- the address: "#explorer-a?method=…&at=3,4;explorer-b?…", so that a view can be linked ----------------------

const parts = () => location.hash.slice(1).split(";").filter(Boolean);

function fromAddress(id) {
  const own = parts().find((part) => part.split("?")[0] === id);
  return own === undefined ? null : new URLSearchParams(own.slice(id.length + 1));
}

function toAddress(id, said) {
  const others = parts().filter((part) => part.includes("?") && part.split("?")[0] !== id);
  const query = new URLSearchParams(said).toString();
  const hash = [...others, ...(query ? [`${id}?${query}`] : [])].join(";");
  history.replaceState(history.state, "", hash ? `#${hash}` : location.pathname + location.search);
}

// --- the controls ------------------------------------------------------------------------------------------------

function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

function labelled(id, word, control, ...after) {
  control.id = id;
  return make("div", { class: "cam-explorer-control" }, make("label", { for: id }, word), control, ...after);
}

const unique = (values) => [...new Set(values)];

export async function render({ model, el }) {
  if (!readable()) throw new Error("this browser does not let a page read its own pictures");
  const manifest = model.get("manifest"), root = model.get("root");
  const resolve = (name) => (name.startsWith("data:") ? name : new URL(name, root).href);
  const zoom = Math.max(1, Math.floor(SIDE / manifest.size[1]));
  const [height, width] = manifest.size.map((side) => side * zoom);
  const sprite = await pixels(resolve(manifest.sprite));
  const photos = await Promise.all(manifest.targets.map((target) => pixels(resolve(target.image), width, height)));
  const maps = manifest.maps.map((entry) => unpack(entry, sprite, manifest.signed));
  const table = colours(TABLES[manifest.signed ? "signed" : "evidence"]);
  const has = { random: maps.some((map) => map.random), target: manifest.targets.length > 1 };
  const initial = {
    ...manifest.start, opacity: Math.round(100 * manifest.start.opacity),
    threshold: Math.round(100 * manifest.start.threshold), random: 0, grid: 0, at: "",
  };
  let state = { ...initial }, hover = null;

  // Names that all begin with one word, "step: clip", "step: median", are no methods: the control is called so.
  const first = (values) => (values.every((one) => one.split(": ")[0] === values[0].split(": ")[0])
    && values[0].includes(": ") ? values[0].split(": ")[0] : "");
  const called = (values, otherwise) => first(values) || otherwise;
  const options = (values) => values.map((value) => make("option", { value },
    first(values) ? value.slice(first(values).length + 2) : value));
  const names = (key) => unique(maps.map((map) => map[key]));
  const range = () => make("input", { type: "range", min: 0, max: 100, step: 1 });
  const choice = {
    method: make("select", {}, ...options(unique(maps.map((map) => map.method)))),
    layer: make("select"),
    target: make("select", {}, ...options(manifest.targets.map((target) => target.name))),
    opacity: range(), threshold: range(),
    random: make("input", { type: "checkbox" }), grid: make("input", { type: "checkbox" }),
  };
  const shown = { opacity: make("span"), threshold: make("span") };
  const id = (word) => `${el.id}-${word}`;
  const rows = [
    labelled(id("method"), called(names("method"), "method"), choice.method),
    labelled(id("layer"), called(names("layer"), "layer"), choice.layer),
    ...(has.target ? [labelled(id("target"), called(names("target"), "target"), choice.target)] : []),
    labelled(id("opacity"), "opacity", choice.opacity, shown.opacity),
    labelled(id("threshold"), "threshold", choice.threshold, shown.threshold),
    ...(has.random ? [labelled(id("random"), "randomised network", choice.random)] : []),
    labelled(id("grid"), "true grid", choice.grid),
  ];
  const canvas = make("canvas", { width, height, tabindex: 0, role: "application", id: id("canvas"),
    "aria-describedby": id("help") });
  const readout = make("output", { "aria-live": "polite", id: id("readout") });
  const scale = make("p", { class: "cam-explorer-scale" });
  const help = make("p", { class: "cam-explorer-help", id: id("help") },
    "Point at the map or, with the map in focus, use the arrow keys to read its cells; the view is in the address.");
  const reset = make("button", { type: "button", id: id("reset") }, "back to the first view");
  const panel = make("div", { class: "cam-explorer-panel" },
    make("div", { class: "cam-explorer-map" }, canvas, scale),
    make("div", { class: "cam-explorer-controls", role: "group", "aria-label": "what is shown" }, ...rows, reset,
      readout, help));
  const context = canvas.getContext("2d"), image = context.createImageData(width, height);
  let map = null;

  const layersOf = (method) => unique(maps.filter((one) => one.method === method).map((one) => one.layer));
  const find = () => maps.find((one) => one.target === state.target && one.method === state.method
    && one.layer === state.layer && one.random === Boolean(state.random));

  // Whatever an address says, the state is one that exists.
  function settle() {
    const known = (value, values, otherwise) => (values.includes(value) ? value : otherwise);
    state.method = known(state.method, unique(maps.map((one) => one.method)), initial.method);
    state.target = known(state.target, manifest.targets.map((one) => one.name), initial.target);
    const layers = layersOf(state.method);
    state.layer = known(state.layer, layers, layers[layers.length - 1]);
    for (const key of ["opacity", "threshold"]) {
      const value = Math.round(Number(state[key]));
      state[key] = Number.isFinite(value) ? clamp(value, 0, 100) : initial[key];
    }
    state.random = has.random && Number(state.random) ? 1 : 0;
    state.grid = Number(state.grid) ? 1 : 0;
    map = find();
    const at = /^(\d+),(\d+)$/.exec(state.at ?? "");
    state.at = at && at[1] >= 1 && at[2] >= 1 && at[1] <= map.h && at[2] <= map.w ? `${+at[1]},${+at[2]}` : "";
  }

  const cursor = () => (state.at ? state.at.split(",").map((n) => n - 1) : null);
  const cellAt = (place) => [map.h, map.w].map((n, i) => clamp(Math.floor(place[i] * n), 0, n - 1));

  function draw() {
    const layers = layersOf(state.method);
    if ([...choice.layer.options].map((one) => one.value).join() !== layers.join()) {
      choice.layer.replaceChildren(...options(layers));
    }
    for (const key of ["method", "layer", "target", "opacity", "threshold"]) choice[key].value = state[key];
    for (const key of ["random", "grid"]) choice[key].checked = Boolean(state[key]);
    for (const key of ["opacity", "threshold"]) {
      shown[key].textContent = percent(state[key] / 100);
      choice[key].setAttribute("aria-valuetext", percent(state[key] / 100));
    }
    const photo = photos[manifest.targets.findIndex((target) => target.name === state.target)];
    paint(image, photo.data, map, table, state, manifest.signed);
    context.putImageData(image, 0, 0);
    const cell = hover ? cellAt(hover) : cursor();
    if (cell) {
      const [y, x] = [(cell[0] * height) / map.h, (cell[1] * width) / map.w];
      for (const [stroke, wide] of [["#23252b", 4], ["#ffffff", 2]]) {
        Object.assign(context, { strokeStyle: stroke, lineWidth: wide });
        context.strokeRect(x + 1, y + 1, Math.max(width / map.w - 2, 2), Math.max(height / map.h - 2, 2));
      }
    }
    readout.textContent = say(cell);
    const named = [state.method, state.layer, state.random ? "randomised network" : "", state.target];
    canvas.setAttribute("aria-label", `Map: ${named.filter(Boolean).join(", ")}`);
    scale.replaceChildren(make("span", {}, lowest()), make("span", { class: "cam-explorer-bar", role: "img",
      "aria-label": "colours from the lowest to the highest value", style: `background:${gradient}` }),
    make("span", {}, highest()));
  }

  const stops = [0, 32, 64, 96, 128, 160, 192, 224, 255].map((i) => `rgb(${table.slice(3 * i, 3 * i + 3).join()})`);
  const gradient = `linear-gradient(to right, ${stops.join()})`;
  const top = () => Math.max(-map.min, map.max);
  const short = (value) => (Math.abs(value) < 1e-4 * top() ? "0" : String(Number(value.toPrecision(2))));
  const lowest = () => short(manifest.signed ? -top() : map.min);
  const highest = () => short(manifest.signed ? top() : map.max);

  function say(cell) {
    const threshold = state.threshold / 100;
    let above = 0, count = 0;
    map.scaled.forEach((value, i) => {
      if (Math.abs(value) < threshold) return;
      above += manifest.signed ? Math.abs(map.raw[i]) : Math.max(map.raw[i], 0);
      count += 1;
    });
    const [rows, columns] = map.grid, made = rows === map.h && columns === map.w ? ""
      : ` (averaged from ${rows} by ${columns})`;
    const where = cell ? `Row ${cell[0] + 1} of ${map.h}, column ${cell[1] + 1} of ${map.w}${made}: `
      + `${map.scaled[cell[0] * map.w + cell[1]].toFixed(2)} of the scale, `
      + `raw ${map.raw[cell[0] * map.w + cell[1]].toPrecision(3)}.`
      : `The map has ${map.h} by ${map.w} cells${made}.`;
    const share = `Above the threshold: ${percent(map.sum > 0 ? above / map.sum : 0)} of the evidence `
      + `in ${percent(count / map.scaled.length)} of the cells.`;
    const scores = manifest.targets.find((target) => target.name === state.target).scores;
    const answer = scores.length ? ` The ${state.random ? "randomised " : ""}network's score: ${scores[state.random].toFixed(2)}.` : "";
    return `${where} ${share}${answer}`;
  }

  let timer = 0;
  function remember() { // browsers refuse an address that changes with every step of a slider
    clearTimeout(timer);
    const own = () => fromAddress(el.id)?.toString(), seen = own();
    timer = setTimeout(() => {
      if (own() !== seen) return; // a link was followed meanwhile, and its event is on the way
      toAddress(el.id, Object.entries(state).filter(([key, value]) => value !== initial[key]));
    }, 120);
  }

  function change(news) {
    const before = map, cell = cursor();
    Object.assign(state, news);
    settle();
    if (cell && !("at" in news) && (map.h !== before.h || map.w !== before.w)) { // the same place on another grid
      state.at = [[cell[0], map.h, before.h], [cell[1], map.w, before.w]]
        .map(([i, now, then]) => Math.floor(((i + 0.5) * now) / then) + 1).join();
    }
    draw();
    remember();
  }

  for (const key of ["method", "layer", "target"]) {
    choice[key].addEventListener("change", () => change({ [key]: choice[key].value }));
  }
  for (const key of ["opacity", "threshold"]) {
    choice[key].addEventListener("input", () => change({ [key]: Number(choice[key].value) }));
  }
  for (const key of ["random", "grid"]) {
    choice[key].addEventListener("change", () => change({ [key]: choice[key].checked ? 1 : 0 }));
  }
  reset.addEventListener("click", () => change({ ...initial }));

  const under = (event) => { // 0..1 down and across: the grid may change below a pointer that rests
    const box = canvas.getBoundingClientRect();
    return [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
  };
  canvas.addEventListener("pointermove", (event) => { hover = under(event); draw(); });
  canvas.addEventListener("pointerleave", () => { hover = null; draw(); });
  canvas.addEventListener("click", (event) => change({ at: cellAt(under(event)).map((n) => n + 1).join() }));
  canvas.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
      Home: [0, -map.w], End: [0, map.w], PageUp: [-map.h, 0], PageDown: [map.h, 0] };
    const step = steps[event.key];
    if (event.key === "Escape") change({ at: "" });
    if (!step || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
    hover = null;
    const cell = cursor();
    const next = cell ? [clamp(cell[0] + step[0], 0, map.h - 1), clamp(cell[1] + step[1], 0, map.w - 1)]
      : [Math.floor(map.h / 2), Math.floor(map.w / 2)];
    change({ at: next.map((n) => n + 1).join() });
  });

  function read() {
    const said = fromAddress(el.id);
    state = { ...initial, ...(said ? Object.fromEntries(said) : {}) };
    settle();
    draw();
    return said;
  }
  // A link to a section says nothing of explorers.
  const heard = () => { if (!location.hash || parts().some((part) => part.includes("?"))) read(); };
  addEventListener("hashchange", heard);
  const said = read();
  const still = el.querySelector("img"), hint = el.querySelector(".cam-explorer-hint");
  for (const element of [still, hint]) if (element) element.hidden = true;
  el.prepend(panel);
  if (said && parts()[0].startsWith(`${el.id}?`)) el.scrollIntoView({ block: "nearest" });
  return () => {
    removeEventListener("hashchange", heard);
    panel.remove();
    for (const element of [still, hint]) if (element) element.hidden = false;
  };
}

// Every figure of the page. One that fails keeps its picture, and says why below it and in the console.
for (const el of document.querySelectorAll("figure.cam-explorer:not([data-state])")) {
  el.dataset.state = "loading";
  const root = new URL(el.dataset.manifest, document.baseURI).href;
  fetch(root).then((answer) => answer.json())
    .then((manifest) => render({ model: { get: (key) => ({ manifest, root })[key] }, el }))
    .then(() => { el.dataset.state = "ready"; })
    .catch((error) => {
      el.dataset.state = "failed";
      const hint = el.querySelector(".cam-explorer-hint");
      if (hint) hint.textContent = `Its controls did not come: ${error.message}.`;
      console.error(`${el.id}:`, error);
    });
}
