// The wall of the book: one map from every method, over the same pictures, with a slider for the stage.
//
// The page's figure carries the address of an index, which names for each picture a photograph, a sprite, one grey
// image that holds every map on its own grid, and where each lies in it. The cards below the figure say of each method
// how it is called and its formula; a map that is clicked shows its card in a dialog. Nothing is loaded from elsewhere,
// and without this script the figure shows a still picture and the cards stand below it.

const CELLS = 112; // of a map as it is laid over its picture: enlarged so far by value, and from there as colours
const SIDES = { one: 224, all: 112, card: 448 }; // pixels of a canvas
const COVER = 2; // as in holicam/notebook/overlay.py: from half its scale on a map hides all of its picture that it may

const colours = (text) => Uint8Array.from(text.match(/../g), (two) => parseInt(two, 16));
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

async function loaded(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

// Against fingerprinting some browsers give a page other pixels than were drawn: no map may be read from those.
function readable() {
  const context = make("canvas", { width: 8, height: 8 }).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "rgb(10 120 230)";
  context.fillRect(0, 0, 8, 8);
  return context.getImageData(0, 0, 8, 8).data.every((v, i) => Math.abs(v - [10, 120, 230, 255][i % 4]) < 4);
}

function canvasOf(image, width = image.naturalWidth, height = image.naturalHeight) {
  const canvas = make("canvas", { width, height });
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0, width, height);
  return canvas;
}

function greyed(canvas) {
  const own = canvasOf(canvas, canvas.width, canvas.height), context = own.getContext("2d");
  const image = context.getImageData(0, 0, own.width, own.height), data = image.data;
  for (let p = 0; p < data.length; p += 4) {
    const grey = 0.299 * data[p] + 0.587 * data[p + 1] + 0.114 * data[p + 2];
    data[p] = data[p + 1] = data[p + 2] = grey;
  }
  context.putImageData(image, 0, 0);
  return own;
}

// For each of `count` points along a side: the two cells it lies between, and how far it is from the first.
function between(count, cells) {
  return Array.from({ length: count }, (_, i) => {
    const at = Math.max(((i + 0.5) * cells) / count - 0.5, 0), first = Math.floor(at);
    return [first, Math.min(first + 1, cells - 1), at - first];
  });
}

// A map in colours, the more opaque the stronger: 0..1 between its extremes, or -1..1 about zero.
function overlay(map, sprite, signed, table) {
  const { x, y, w, h, low, high } = map, top = Math.max(-low, high), scaled = new Float64Array(w * h);
  for (let i = 0; i < scaled.length; i++) {
    const byte = sprite.data[4 * ((y + Math.floor(i / w)) * sprite.width + x + (i % w))] / 255;
    scaled[i] = !signed ? (high > low ? byte : 0) : top > 0 ? (low + (high - low) * byte) / top : 0;
  }
  const canvas = make("canvas", { width: CELLS, height: CELLS }), context = canvas.getContext("2d");
  const image = context.createImageData(CELLS, CELLS), across = between(CELLS, w), down = between(CELLS, h);
  for (let row = 0, p = 0; row < CELLS; row++) {
    const [above, below, v] = down[row];
    for (let column = 0; column < CELLS; column++, p += 4) {
      const [left, right, u] = across[column];
      const value = (1 - v) * ((1 - u) * scaled[above * w + left] + u * scaled[above * w + right])
        + v * ((1 - u) * scaled[below * w + left] + u * scaled[below * w + right]);
      const level = Math.round(255 * clamp(signed ? (value + 1) / 2 : value, 0, 1));
      for (let c = 0; c < 3; c++) image.data[p + c] = table[3 * level + c];
      image.data[p + 3] = Math.round(255 * clamp(COVER * Math.abs(value), 0, 1));
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

async function wall(el) {
  if (!readable()) throw new Error("this browser does not let a page read its own pictures");
  const root = new URL(el.dataset.wall, document.baseURI).href;
  const resolve = (name) => new URL(name, root).href;
  const index = await (await fetch(root)).json();
  const tables = { evidence: colours(index.tables.evidence), signed: colours(index.tables.signed) };
  const there = index.pictures.filter((picture) => picture.photo);
  if (!there.length) throw new Error("no photograph came with this build");
  const families = [...new Set(index.methods.map((method) => method.family))];
  const initial = { picture: there[0].name, stage: 2, opacity: 80, family: "", method: "", of: "" };
  let state = { ...initial };

  // --- what a picture needs is loaded when it is first shown --------------------------------------------------------

  const known = new Map();
  function data(name) {
    if (!known.has(name)) {
      const picture = index.pictures.find((one) => one.name === name);
      known.set(name, Promise.all([loaded(resolve(picture.photo)), loaded(resolve(picture.sprite))])
        .then(([photo, sprite]) => {
          const bits = canvasOf(sprite);
          const colour = canvasOf(photo);
          const maps = {};
          for (const [method, rows] of Object.entries(picture.maps)) {
            maps[method] = rows.map(([stage, x, y, w, h, down, across, low, high]) => (
              { stage, x, y, w, h, grid: [down, across], low, high, drawn: null }));
          }
          return { picture, colour, grey: greyed(colour), maps,
            sprite: bits.getContext("2d").getImageData(0, 0, bits.width, bits.height) };
        }));
      known.get(name).catch(() => { // and is asked for again the next time
        known.delete(name);
        credit.textContent = "A picture did not come: choose another, and then this one again.";
      });
    }
    return known.get(name);
  }

  const find = (of, method, stage) => of.maps[method.name]?.find((map) => map.stage === stage || map.stage === 0);

  // The picture; over it, where the map has evidence, the picture in grey; over that the map.
  const masked = make("canvas");
  function paint(canvas, of, method, stage) {
    const context = canvas.getContext("2d"), side = canvas.width, map = method && find(of, method, stage);
    context.imageSmoothingQuality = "high";
    context.globalAlpha = 1;
    context.drawImage(of.colour, 0, 0, side, side);
    if (!map) return map;
    map.drawn ??= overlay(map, of.sprite, method.signed, method.signed ? tables.signed : tables.evidence);
    masked.width = masked.height = side; // empties it, too
    const grey = masked.getContext("2d");
    grey.drawImage(of.grey, 0, 0, side, side);
    grey.globalCompositeOperation = "destination-in";
    grey.drawImage(map.drawn, 0, 0, side, side);
    context.globalAlpha = state.opacity / 100;
    context.drawImage(masked, 0, 0);
    context.drawImage(map.drawn, 0, 0, side, side);
    return map;
  }

  // --- the controls -------------------------------------------------------------------------------------------------

  const id = (word) => `${el.id}-${word}`;
  const radios = [...index.pictures.map((picture) => {
    const radio = make("input", { type: "radio", name: id("picture"), value: picture.name, id: id(picture.name) });
    if (picture.photo) {
      const small = make("canvas", { width: 96, height: 96, role: "img", "aria-label": picture.title });
      loaded(resolve(picture.small)).then((image) => small.getContext("2d").drawImage(image, 0, 0, 96, 96));
      return make("label", { title: picture.title }, radio, small);
    }
    radio.disabled = true;
    return make("label", { title: picture.missing }, radio, `${picture.title} (missing)`);
  }), make("label", {}, make("input", { type: "radio", name: id("picture"), value: "all", id: id("all") }),
    make("span", {}, "all"))];
  const pictures = make("fieldset", { class: "wall-pictures" }, make("legend", {}, "picture"), ...radios);
  const stage = make("input", { type: "range", min: 1, max: index.stages.length, step: 1, id: id("stage") });
  const opacity = make("input", { type: "range", min: 0, max: 100, step: 5, id: id("opacity") });
  const family = make("select", { id: id("family") }, make("option", { value: "" }, "all families"),
    ...families.map((name) => make("option", { value: name }, name)));
  const shown = { stage: make("output", { for: stage.id }), opacity: make("output", { for: opacity.id }) };
  const control = (word, input, ...after) => make("div", { class: "wall-control" },
    make("label", { for: input.id }, word), input, ...after);
  const bar = make("div", { class: "wall-bar", role: "group", "aria-label": "what is shown" }, pictures,
    make("div", { class: "wall-controls" }, control("stage", stage, shown.stage),
      control("opacity", opacity, shown.opacity), control("family", family)));
  const stops = (table) => Array.from({ length: 9 }, (_, i) => {
    const at = Math.round(255 * i / 8);
    return `rgb(${table.slice(3 * at, 3 * at + 3).join()})`;
  }).join();
  const key = (low, high, table, label) => make("span", { class: "wall-key" }, low,
    make("span", { role: "img", "aria-label": label, style: `background:linear-gradient(to right,${stops(table)})` }),
    high);
  const keys = make("p", { class: "wall-keys" }, key("none", "most evidence", tables.evidence, "dark to bright"),
    key("against", "for the class", tables.signed, "blue over white to red"));
  const help = make("p", { class: "wall-help", id: id("help") },
    "Click a map, or go from map to map with the arrow keys and press Enter: its card opens. "
    + "A faint picture is no map: the method has none at this stage.");
  const credit = make("p", { class: "wall-credit", "aria-live": "polite" });
  const grid = make("div", { class: "wall-grid", role: "group", "aria-label": "maps", "aria-describedby": help.id });
  const panel = make("div", { class: "wall-panel" }, bar, keys, help, grid, credit);

  // --- the maps -----------------------------------------------------------------------------------------------------

  let tiles = [], laid = "";
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const tile = tiles.find((one) => one.button === entry.target);
      if (tile) { tile.visible = entry.isIntersecting; if (tile.visible) refresh(tile); }
    }
  }, { rootMargin: "200px" });

  async function refresh(tile) {
    const wanted = `${state.stage} ${state.opacity}`;
    if (tile.done === wanted) return;
    tile.done = wanted;
    const of = await data(tile.picture).catch(() => null);
    if (!of) { tile.done = ""; return; }
    const map = paint(tile.canvas, of, tile.method, state.stage);
    if (tile.note) tile.note.textContent = !map ? "no map here" : map.stage === 0 ? "one map" : "";
    tile.button.classList.toggle("wall-none", !map);
    if (!tile.note) tile.button.setAttribute("aria-label", map ? tile.called : `${tile.called}, no map at this stage`);
    tile.button.dataset.painted = wanted;
  }

  function tileOf(method, picture, side, note) {
    const canvas = make("canvas", { width: side, height: side, "aria-hidden": "true" });
    const words = note ? [make("span", { class: "wall-name" }, method.title), note] : [];
    const title = index.pictures.find((one) => one.name === picture).title;
    const called = `${method.title}, ${title}`;
    const button = make("button", { type: "button", class: "wall-tile", tabindex: -1, "aria-haspopup": "dialog",
      "data-method": method.name, "data-picture": picture, ...(note ? {} : { "aria-label": called }) },
    canvas, ...words);
    const tile = { method, picture, called, canvas, button, note, visible: false, done: "" };
    button.addEventListener("click", () => change({ method: method.name, of: picture }));
    tiles.push(tile);
    return button;
  }

  // The tiles are laid out again where another picture or family is chosen.
  function lay() {
    const wanted = `${state.picture} ${state.family}`;
    if (laid === wanted) return;
    laid = wanted;
    seen.disconnect();
    tiles = [];
    const all = state.picture === "all", parts = [];
    const chosen = index.methods.filter((method) => !state.family || method.family === state.family);
    const photos = (all ? there : there.filter((one) => one.name === state.picture)).map((picture) => {
      const canvas = make("canvas", { width: all ? SIDES.all : SIDES.one, height: all ? SIDES.all : SIDES.one,
        role: "img", "aria-label": `Photograph: ${picture.title}` });
      data(picture.name).then((of) => paint(canvas, of, null, 0), () => {});
      return make("div", { class: "wall-photo" }, canvas,
        ...(all ? [] : [make("span", { class: "wall-name" }, `asked: ${picture.label}`)]));
    });
    if (all) parts.push(make("p", { class: "wall-row-name" }, "The pictures"), make("div", { class: "wall-row" }, ...photos));
    for (const name of families) {
      const own = chosen.filter((method) => method.family === name);
      if (!own.length) continue;
      parts.push(make("h2", { class: "wall-family" }, name));
      if (!all) {
        const first = parts.length === 1 ? photos : [];
        parts.push(make("div", { class: "wall-tiles" }, ...first,
          ...own.map((method) => tileOf(method, state.picture, SIDES.one, make("span", { class: "wall-note" })))));
      } else {
        for (const method of own) {
          parts.push(make("p", { class: "wall-row-name" }, method.title), make("div", { class: "wall-row" },
            ...there.map((picture) => tileOf(method, picture.name, SIDES.all, null))));
        }
      }
    }
    grid.replaceChildren(...parts);
    if (tiles.length) tiles[0].button.tabIndex = 0;
    for (const tile of tiles) seen.observe(tile.button);
  }

  function go(from, key) {
    const at = tiles.findIndex((tile) => tile.button === from), last = tiles.length - 1;
    const step = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[key];
    if (step !== undefined) return tiles[clamp(step, 0, last)].button;
    const own = from.getBoundingClientRect(), sign = key === "ArrowDown" ? 1 : -1;
    const others = tiles.map((tile) => [tile.button, tile.button.getBoundingClientRect()])
      .filter(([, box]) => sign * (box.top - own.top) > 4)
      .sort(([, a], [, b]) => sign * (a.top - b.top) || Math.abs(a.left - own.left) - Math.abs(b.left - own.left));
    return others.length ? others[0][0] : from;
  }
  grid.addEventListener("keydown", (event) => {
    const from = event.target.closest(".wall-tile");
    if (!from || !/^(Arrow(Left|Right|Up|Down)|Home|End)$/.test(event.key)) return;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
    go(from, event.key).focus();
  });
  grid.addEventListener("focusin", (event) => {
    const to = event.target.closest(".wall-tile");
    if (to) for (const tile of tiles) tile.button.tabIndex = tile.button === to ? 0 : -1;
  });

  // --- the card of a method -----------------------------------------------------------------------------------------

  const title = make("h2", { id: id("card-title"), tabindex: -1 });
  const close = make("button", { type: "button", class: "wall-close", "aria-label": "close" }, "×");
  const previous = make("button", { type: "button" }, "← previous"), next = make("button", { type: "button" }, "next →");
  const strip = make("div", { class: "wall-strip" }), reading = make("p", { class: "wall-reading", "aria-live": "polite" });
  const body = make("div", { class: "wall-body" });
  const card = make("dialog", { class: "wall-card", "aria-labelledby": title.id },
    make("div", { class: "wall-card-head" }, title, previous, next, close), strip, reading, body);
  const slots = new Map([...document.querySelectorAll(".wall-entry")].map((entry) => [entry.dataset.method, entry]));
  let lent = null; // the card's words belong to the list below the wall, and go back there

  function giveBack() {
    if (lent) lent.slot.append(lent.words);
    lent = null;
  }

  async function open() {
    const method = index.methods.find((one) => one.name === state.method);
    const name = state.picture === "all" ? state.of || there[0].name : state.picture;
    const of = await data(name).catch(() => null);
    if (!of || state.method !== method.name) return;
    title.textContent = method.title;
    const maps = (of.maps[method.name] ?? []);
    const buttons = index.stages.map((one, i) => {
      const map = maps.find((m) => m.stage === i + 1);
      if (!map) return null;
      const canvas = make("canvas", { width: SIDES.one, height: SIDES.one, "aria-hidden": "true" });
      paint(canvas, of, method, i + 1);
      const button = make("button", { type: "button", "aria-pressed": String(state.stage === i + 1) }, canvas,
        make("span", {}, `stage ${i + 1}, ${one.grid.join(" × ")}`));
      button.addEventListener("click", () => change({ stage: i + 1 }));
      return button;
    }).filter(Boolean);
    const large = make("canvas", { width: SIDES.card, height: SIDES.card, role: "img",
      "aria-label": `Map of ${method.title} over the picture “${of.picture.title}”, asked for ${of.picture.label}` });
    const map = paint(large, of, method, state.stage);
    const held = strip.contains(document.activeElement)
      ? [...strip.querySelectorAll("button")].indexOf(document.activeElement) : -1;
    strip.replaceChildren(large, make("div", { class: "wall-small" }, ...buttons));
    if (held >= 0) strip.querySelectorAll("button")[held]?.focus();
    const short = (value) => String(Number(value.toPrecision(2)));
    const kind = !map ? "no map at this stage" : `${map.stage ? `stage ${map.stage}, layer ${index.stages[map.stage - 1].layer}`
      : method.takes === "joint" ? "one map from several stages" : "one map of the image itself"}: `
      + `${map.grid.join(" × ")} cells, raw values ${short(map.low)} to ${short(map.high)}. Asked for: ${of.picture.label}`;
    reading.textContent = `${method.title}, ${kind}.`;
    if (lent?.method !== method.name) {
      giveBack();
      const slot = slots.get(method.name), words = slot?.querySelector("summary ~ div");
      if (words) { lent = { method: method.name, slot, words }; body.replaceChildren(words); } else body.replaceChildren();
      card.scrollTop = 0;
    }
    if (!card.open) { card.showModal(); title.focus(); }
  }

  const listed = () => index.methods.filter((method) => !state.family || method.family === state.family);
  function turn(step) {
    const all = listed(), at = all.findIndex((method) => method.name === state.method);
    change({ method: all[(at + step + all.length) % all.length].name });
  }
  previous.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));
  close.addEventListener("click", () => card.close());
  card.addEventListener("click", (event) => { if (event.target === card) card.close(); }); // beside it
  card.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow")) event.stopPropagation();
    if (event.key !== "Escape") return;
    event.preventDefault(); // closed here, whatever the page makes of the key
    event.stopPropagation();
    card.close();
  });
  card.addEventListener("close", () => {
    const last = state.method, over = state.of;
    giveBack();
    change({ method: "", of: "" });
    const tile = tiles.find((one) => one.method.name === last && (!over || one.picture === over));
    tile?.button.focus();
  });

  // --- the state, which the address holds ---------------------------------------------------------------------------

  function settle() {
    const pick = (value, values, otherwise) => (values.includes(value) ? value : otherwise);
    state.picture = pick(state.picture, [...there.map((one) => one.name), "all"], initial.picture);
    state.family = pick(state.family, families, "");
    state.of = state.picture === "all" ? pick(state.of, there.map((one) => one.name), "") : "";
    state.method = pick(state.method, index.methods.map((one) => one.name), "");
    for (const [key, low, high] of [["stage", 1, index.stages.length], ["opacity", 0, 100]]) {
      const value = Math.round(Number(state[key]));
      state[key] = Number.isFinite(value) ? clamp(value, low, high) : initial[key];
    }
  }

  function draw() {
    lay();
    for (const label of radios) {
      const radio = label.querySelector("input");
      radio.checked = radio.value === state.picture;
    }
    stage.value = state.stage;
    opacity.value = state.opacity;
    family.value = state.family;
    const one = index.stages[state.stage - 1];
    shown.stage.textContent = `${state.stage} of ${index.stages.length}, ${one.grid.join(" × ")} cells`;
    stage.setAttribute("aria-valuetext", `${shown.stage.textContent}, ${one.layer}`);
    shown.opacity.textContent = `${state.opacity} %`;
    opacity.setAttribute("aria-valuetext", shown.opacity.textContent);
    credit.textContent = there.find((picture) => picture.name === state.picture)?.credit
      ?? "Whose the photographs are stands at the end of the page.";
    grid.classList.toggle("wall-all", state.picture === "all");
    for (const tile of tiles) if (tile.visible) refresh(tile);
    if (state.method) open(); else if (card.open) card.close();
  }

  let timer = 0;
  function change(news) {
    Object.assign(state, news);
    settle();
    draw();
    clearTimeout(timer); // browsers refuse an address that changes with every step of a slider
    const seen = location.hash;
    timer = setTimeout(() => {
      if (location.hash !== seen) return; // a link was followed meanwhile, and its event is on the way
      const said = new URLSearchParams(Object.entries(state)
        .filter(([key, value]) => key in initial && value !== initial[key])).toString();
      history.replaceState(history.state, "", said ? `#${el.id}?${said}` : location.pathname + location.search);
    }, 120);
  }

  function read() {
    const [place, said] = location.hash.slice(1).split("?");
    if (place !== el.id) return false;
    state = { ...initial, ...Object.fromEntries(new URLSearchParams(said ?? "")) };
    settle();
    draw();
    return true;
  }

  pictures.addEventListener("change", (event) => change({ picture: event.target.value }));
  stage.addEventListener("input", () => change({ stage: Number(stage.value) }));
  opacity.addEventListener("input", () => change({ opacity: Number(opacity.value) }));
  family.addEventListener("change", () => change({ family: family.value }));
  addEventListener("hashchange", read);
  addEventListener("beforeprint", () => tiles.forEach(refresh)); // also those that nobody has scrolled to

  await data(there[0].name);
  for (const element of el.querySelectorAll(":scope > img, :scope > .wall-hint")) element.hidden = true;
  el.prepend(panel);
  el.append(card);
  if (read()) el.scrollIntoView({ block: "nearest" }); else { settle(); draw(); }
}

for (const el of document.querySelectorAll("figure.wall:not([data-state])")) {
  el.dataset.state = "loading";
  wall(el).then(() => { el.dataset.state = "ready"; })
    .catch((error) => {
      el.dataset.state = "failed";
      const hint = el.querySelector(".wall-hint");
      if (hint) hint.textContent = `The wall did not come: ${error.message}.`;
      console.error(`${el.id}:`, error);
    });
}
