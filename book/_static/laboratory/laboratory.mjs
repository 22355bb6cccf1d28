// The laboratory: a network in the reader's browser. The page's figure says where the files lie; nothing is loaded
// before the reader asks for it, everything comes from this site, and a photograph of the reader's own stays here.
import { button, labelled, make, percent, range, select } from "./dom.mjs";
import { Engine } from "./engine.mjs";
import { deletionGame } from "./games/deletion_page.mjs";
import { lieDetector } from "./games/lie_page.mjs";
import { weighing } from "./games/weigh_page.mjs";
import { intake } from "./intake.mjs";
import { colours } from "./paint.mjs";
import { Panel } from "./panel.mjs";
import { own } from "./photo.mjs";
import { Questions } from "./questions.mjs";
import { GAMES, View } from "./view.mjs";

const PLAYS = { deletion: deletionGame, lie: lieDetector, weigh: weighing };

class Laboratory extends Questions {
  constructor(figure) {
    super();
    this.figure = figure;
    this.files = new URL(figure.dataset.files, document.baseURI).href;
    this.runtime = new URL(figure.dataset.runtime, document.baseURI).href;
    this.view = new View(figure.id, (state, news) => this.draw(state, news));
    this.status = make("p", { class: "lab-status", role: "status" });
    this.go = button("Start the laboratory", () => this.start(), { class: "lab-start" });
    const size = figure.dataset.megabytes, comes = size ? `${size} MB come from this site. ` : "";
    figure.prepend(make("div", { class: "lab-door" }, this.go,
      make("p", { class: "lab-size" }, `${comes}Your photograph stays on this page.`), this.status));
    figure.querySelector(":scope > .lab-hint").hidden = true;
    addEventListener("hashchange", () => this.follow());
    addEventListener("click", ({ target }) => { // a link to the view that the address names already changes nothing
      const link = target.closest?.("a[href]");
      if (link?.href === location.href) this.follow();
    });
    this.follow();
  }

  // The address names a view: it is shown, or will be when the reader starts.
  follow() {
    if (!this.view.read(this.photos.has("own"))) return;
    this.forget();
    if (this.room) this.view.change({ ...this.view.state });
    else this.go.textContent = "Start the laboratory with this view";
    this.figure.scrollIntoView({ block: "start" });
  }

  // What is read out while it changes: no word twice.
  tell(words) {
    if (this.status.textContent !== words) this.status.textContent = words;
  }

  async start() {
    this.go.disabled = true;
    try {
      if (typeof WebAssembly !== "object") throw new Error("This browser has no WebAssembly, which the network needs.");
      this.status.textContent = "loading …";
      const answer = await fetch(new URL("network.json", this.files)).catch(() => {
        throw new Error("The network did not come: is there a connection?");
      });
      if (!answer.ok) throw new Error(`The network did not come (${answer.status}).`);
      this.index = await answer.json();
      this.engine = new Engine({ files: this.files, runtime: this.runtime, index: this.index });
      await this.engine.start(
        (share) => this.tell(share < 1 ? `loading the network … ${Math.floor(100 * share)} %` : "starting the network …"));
      this.build();
      this.figure.dataset.state = "ready";
    } catch (error) {
      this.status.textContent = `${error.message} The rest of the page works without it.`;
      this.figure.dataset.state = "failed";
      this.go.disabled = false;
    }
  }

  build() {
    const names = this.index.classes, alike = names.map((name) => name.toLowerCase()); // a jacket and a dog
    this.index.classes = names.map((name, k) => (
      alike.indexOf(alike[k]) === alike.lastIndexOf(alike[k]) ? name : `${name} (${k})`));
    const { index, view } = this;
    this.table = colours(index.colours);
    this.classList = `${this.figure.id}-classes`;
    view.allow([...index.pictures.map(({ name }) => name), "own"], index.classes.length);
    this.panels = [new Panel(this, ""), new Panel(this, "2")];
    this.likely = make("div", { class: "lab-likely", role: "group", "aria-label": "the five likeliest classes" });
    this.credit = make("p", { class: "lab-credit" });
    const slider = (key, word) => {
      const input = range(0, 100, 1, (value) => view.change({ [key]: value }));
      this[key] = input;
      return labelled(word, input);
    };
    this.game = select(Object.entries(GAMES), (game) => view.change({ game }));
    this.bench = make("div", { class: "lab-game", "aria-live": "off" });
    this.room = make("div", { class: "lab-room", role: "group", "aria-label": "laboratory", tabindex: -1 },
      make("datalist", { id: this.classList }, ...index.classes.map((value) => make("option", { value }))),
      this.photoBar(), make("p", { class: "lab-asks" }, "What the network says; click to ask about another:"),
      this.likely, make("div", { class: "lab-panels" }, ...this.panels.map((panel) => panel.element)),
      make("div", { class: "lab-shared" }, slider("opacity", "opacity"), slider("threshold", "threshold"),
        labelled("experiment", this.game)), this.bench, this.credit);
    this.figure.querySelector(":scope > img").hidden = true;
    this.figure.querySelector(".lab-door").replaceWith(this.status, this.room);
    this.status.textContent = "";
    this.room.focus({ preventScroll: true }); // the button that was pressed is gone
    view.change({ ...view.state });
  }

  photoBar() {
    this.radios = this.index.pictures.map(({ name, title }) => {
      const image = make("img", { src: new URL(`${name}-small.jpg`, this.files), alt: title, width: 56, height: 56 });
      const radio = make("input", { type: "radio", name: `${this.figure.id}-photo`, value: name,
        onchange: () => { this.forget(); this.view.change({ photo: name, class: "", class2: "" }); } });
      return make("label", { title }, radio, image);
    });
    this.bar = make("fieldset", {}, make("legend", {}, "photograph"), ...this.radios);
    return make("div", { class: "lab-photos" }, this.bar,
      intake(this.figure, (source) => this.take(source), (said) => { this.status.textContent = said; }));
  }

  // Whatever is being read comes too late: another photograph was chosen.
  forget() {
    this.taken = (this.taken ?? 0) + 1;
    if (this.room) this.status.textContent = "";
  }

  // The reader's own photograph among the others, so that there is a way back to it.
  offer(photo) {
    this.radios.find((label) => label.dataset.own)?.remove();
    const radio = make("input", { type: "radio", name: `${this.figure.id}-photo`, value: "own",
      onchange: () => { this.forget(); this.view.change({ photo: "own", class: "", class2: "" }); } });
    const small = make("canvas", { width: 56, height: 56, role: "img", "aria-label": "your own photograph" });
    small.getContext("2d").drawImage(photo.square, 0, 0, 56, 56);
    const label = make("label", { title: "your own photograph", "data-own": "true" }, radio, small);
    this.radios = [...this.radios.filter((one) => !one.dataset.own), label];
    this.bar.append(label);
  }

  async take(source) {
    const turn = this.taken = (this.taken ?? 0) + 1;
    this.status.textContent = "reading the picture …";
    try {
      const photo = await own(source, this.engine, this.index.preprocessing);
      if (turn !== this.taken) return; // another came meanwhile
      photo.key = `own-${turn}`; // another picture of the same name
      this.photos.set("own", Promise.resolve(photo));
      this.offer(photo);
      this.status.textContent = "";
      this.view.change({ photo: "own", class: "", class2: "" });
    } catch (error) {
      if (turn === this.taken) this.status.textContent = error.message;
    }
  }

  draw(state, news) {
    for (const key of ["opacity", "threshold"]) this[key].value = state[key];
    this.game.value = state.game;
    for (const label of this.radios) {
      const radio = label.querySelector("input");
      radio.checked = radio.value === state.photo;
    }
    const keys = Object.keys(news);
    if (keys.every((key) => ["opacity", "threshold"].includes(key))) {
      for (const panel of this.panels) panel.repaint(state);
      this.repaintGame?.();
      return;
    }
    if (keys.some((key) => !["game", "forgotten"].includes(key))) {
      for (const panel of this.panels) panel.draw(state);
      this.drawClasses(state).catch(() => {}); // the panels say what is wrong
    }
    const asked = state.game === "weigh" ? [] : ["method", "stage"]; // its map is always Grad-CAM's of the last stage
    if (keys.some((key) => ["game", "photo", "class", ...asked].includes(key))) this.play(state);
  }

  // The five likeliest classes; the buttons stay, so that who presses one keeps the keyboard there.
  async drawClasses(state) {
    const { photo, target } = await this.asked(state), p = photo.answer;
    if (photo !== await this.photo(this.view.state.photo)) return;
    this.credit.textContent = photo.credit;
    const best = p.map((_, k) => k).sort((a, b) => p[b] - p[a]).slice(0, 5);
    while (this.likely.children.length < best.length) {
      this.likely.append(button("", (e) => this.view.change({ class: Number(e.target.value), class2: "" })));
    }
    best.forEach((k, i) => {
      const one = this.likely.children[i];
      one.value = k;
      one.textContent = `${this.index.classes[k]} ${percent(p[k])}`;
      one.setAttribute("aria-pressed", String(k === target));
    });
  }

  async play(state) {
    this.playing?.abort();
    this.repaintGame = null;
    const { signal } = this.playing = new AbortController();
    this.bench.replaceChildren();
    if (!state.game) return;
    const word = make("p", { class: "lab-status", role: "status" });
    this.bench.append(word);
    word.textContent = "asking …";
    const progress = (share) => { word.textContent = `asking at four sizes … ${Math.round(100 * share)} %`; };
    try {
      const asked = { ...await this.asked(state), method: state.method, stage: state.stage };
      if (!signal.aborted) await PLAYS[state.game](this, this.bench, asked, { signal, progress });
    } catch (error) {
      if (signal.aborted) return;
      word.textContent = error.message;
      this.bench.replaceChildren(word);
    }
  }
}

for (const figure of document.querySelectorAll("figure.laboratory[data-files]")) new Laboratory(figure);
