// One of the two panels: a photograph, a method, a stage and a class, and the map that follows from them.
import { button, labelled, make, outlined, percent, range, select } from "./dom.mjs";
import { METHODS } from "./maps/methods.mjs";
import { paint } from "./paint.mjs";

export class Panel {
  // lab: photos, questions and classes; end: "" or "2", of the names in the view.
  constructor(lab, end) {
    Object.assign(this, { lab, end, at: null, held: false });
    const change = (key) => (value) => lab.view.change({ [key + end]: value });
    const title = end ? "second panel" : "first panel";
    this.canvas = make("canvas", { width: 448, height: 448, tabindex: 0, role: "application", "aria-label": title });
    this.status = make("p", { class: "lab-status", role: "status" });
    this.reading = make("p", { class: "lab-reading", "aria-live": "polite" }, "Point at a cell to read it, or use the arrow keys.");
    this.method = select(Object.entries(METHODS).map(([name, { title: text }]) => [name, text]), change("method"));
    this.stage = range(1, 4, 1, change("stage"));
    this.shown = make("output");
    this.class = make("input", { list: lab.classList, autocomplete: "off", oninput: () => { this.typed = true; },
      onchange: (e) => { this.typed = false; this.named(e.target); },
      onblur: () => { this.typed = false; } }); // what is typed and taken back is no change
    this.photo = select([], change("photo"));
    const controls = [labelled("method", this.method), labelled("stage", this.stage, this.shown),
      labelled("class", this.class), labelled("photograph", this.photo)];
    this.element = make("section", { class: "lab-panel", "aria-label": title }, this.canvas, this.status, this.reading,
      make("div", { class: "lab-controls" }, ...(end ? controls : controls.slice(0, 3))),
      button("save as PNG", () => this.save()));
    for (const kind of ["pointerdown", "pointermove"]) { // a finger that taps does not move
      this.canvas.addEventListener(kind, (e) => {
        const box = this.canvas.getBoundingClientRect();
        this.point((e.clientX - box.left) / box.width, (e.clientY - box.top) / box.height);
      });
    }
    this.canvas.addEventListener("keydown", (e) => this.step(e));
    this.canvas.addEventListener("blur", () => this.hold(false));
  }

  // A class by its name, or by its number; an empty field is the network's own answer.
  named(input) {
    const said = input.value.trim().replace(/ \d+ %$|,? < 0.1 %$/, ""), found = this.lab.numberOf(said);
    if (said && found === "") input.setCustomValidity("The network knows no class of this name: choose one of the list.");
    else input.setCustomValidity("");
    input.reportValidity();
    if (input.checkValidity()) this.lab.view.change({ [`class${this.end}`]: found });
  }

  // Shows what the view says; a question that is answered, or on its way, is not asked again.
  async draw(state) {
    const { lab, end } = this, method = state[`method${end}`], stage = state[`stage${end}`], turn = this.turn = {};
    let key = null;
    this.show(state, method, stage);
    this.busy(true);
    try {
      const asked = await lab.asked(state, end);
      if (turn !== this.turn) return;
      key = [asked.photo.key ?? asked.photo.name, asked.target, method, stage].join();
      if (!this.typed) {
        this.class.value = lab.index.classes[asked.target];
        this.class.setCustomValidity("");
      }
      if (key === this.key) {
        this.busy(key !== this.answered);
        return;
      }
      this.key = key;
      await this.ask({ ...asked, method, stage });
      this.answered = key;
      this.busy(false);
    } catch (error) {
      const newest = turn === this.turn || (key !== null && key === this.key);
      if (error.name !== "AbortError" && newest) this.fail(error);
    }
  }

  show(state, method, stage) {
    this.method.value = method;
    this.stage.value = stage;
    const { grid } = this.lab.index.stages[stage - 1], names = [["", "the same"], ...this.lab.photoNames()];
    this.shown.textContent = `${stage}, ${grid.join(" × ")}`;
    this.stage.setAttribute("aria-valuetext", `${stage} of 4, ${grid.join(" by ")} cells`);
    if (this.photo.options.length !== names.length) {
      this.photo.replaceChildren(...names.map(([value, text]) => make("option", { value }, text)));
    }
    this.photo.value = state.photo2;
  }

  // A new question takes the place of the one that runs.
  async ask(asked) {
    const { lab } = this, { method, stage, target, photo } = asked, began = performance.now();
    this.asking?.abort();
    const { signal } = this.asking = new AbortController();
    this.status.textContent = "asking …";
    const progress = (share) => { this.status.textContent = `asking at four sizes … ${Math.round(100 * share)} %`; };
    const M = await lab.map(asked, { progress, signal });
    Object.assign(this, { asked, M, name: `${METHODS[method].title}, stage ${stage}` });
    this.element.dataset.seconds = ((performance.now() - began) / 1000).toFixed(3);
    this.status.textContent = `${this.name}: ${lab.index.classes[target]}, ${percent(asked.p)}`;
    this.canvas.setAttribute("aria-label", `Map of ${this.name}, for ${lab.index.classes[target]}, over ${photo.title}`);
    this.repaint(lab.view.state);
    this.element.dataset.count = Number(this.element.dataset.count ?? 0) + 1; // for who waits for a new map
  }

  // One sentence; the last map stays, under the words that say what it is.
  fail(error) {
    this.asking?.abort(); // an older question may still run
    this.key = this.answered = null;
    this.status.textContent = error.message;
    this.busy(false);
  }

  busy(yes) {
    this.canvas.setAttribute("aria-busy", String(yes));
  }

  repaint({ opacity, threshold }) {
    if (!this.M) return;
    paint(this.canvas, this.asked.photo, this.M, this.lab.table, { opacity, threshold });
    if (this.at) this.point(...this.at);
    if (this.held) this.mark();
  }

  // Where the keys are, for who reads by them.
  mark() {
    const { width, height } = this.M, cell = [this.canvas.width / width, this.canvas.height / height];
    const [x, y] = [width, height].map((n, i) => Math.floor(this.at[i] * n) * cell[i]);
    outlined(this.canvas, (context) => context.strokeRect(x - 1, y - 1, cell[0] + 2, cell[1] + 2));
  }

  hold(yes) {
    if (this.held === yes) return;
    this.held = yes;
    this.repaint(this.lab.view.state);
  }

  // What the map says at a place, 0..1 across and down.
  point(across, down) {
    if (!this.M) return;
    this.at = [across, down].map((v) => Math.min(Math.max(v, 0), 0.999999));
    const column = Math.floor(this.at[0] * this.M.width), row = Math.floor(this.at[1] * this.M.height);
    const value = this.M.data[row * this.M.width + column];
    const top = this.M.data.reduce((a, b) => Math.max(a, b)), what = this.M.width > 56 ? "pixel" : "cell";
    const share = top > 0 ? `, ${Math.round((100 * value) / top)} % of the largest` : "";
    this.reading.textContent = `${what} in row ${row + 1}, column ${column + 1}: ${value.toPrecision(3)}${share}`;
  }

  step(event) {
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!move || !this.M || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
    const cells = Math.min(this.M.width, 56), at = this.at ?? [0.5, 0.5];
    this.point(at[0] + move[0] / cells, at[1] + move[1] / cells);
    this.held = true;
    this.repaint(this.lab.view.state);
  }

  save() {
    this.hold(false);
    this.canvas.toBlob((blob) => {
      if (!blob) { this.status.textContent = "This browser could not write the picture as PNG."; return; }
      const link = make("a", { href: URL.createObjectURL(blob), download: `${this.name ?? "photograph"}.png` });
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000); // a browser may read it later
    });
  }
}
