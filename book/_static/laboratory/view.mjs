// What is shown, in one place, which the address holds: #laboratory?photo=cat&method=layer-cam&stage=1
// Only what differs from the beginning stands there. A photograph of the reader's own is never part of it.
import { METHODS } from "./maps/methods.mjs";

export const GAMES = { "": "none", deletion: "take pixels away", lie: "which map is real?", weigh: "weigh the channels" };

export const INITIAL = {
  photo: "cat", method: "grad-cam", stage: 4, class: "", photo2: "", method2: "holistic-cam", stage2: 1, class2: "",
  opacity: 80, threshold: 0, game: "", forgotten: 0,
};

const PHOTOS = ["photo", "photo2"];

export class View {
  constructor(name, draw) {
    Object.assign(this, { name, draw, state: { ...INITIAL }, timer: 0 });
  }

  // photos: names that may stand in an address; classes: how many there are.
  allow(photos, classes) {
    Object.assign(this, { photos, classes });
  }

  change(news) {
    Object.assign(this.state, news);
    this.settle();
    this.draw(this.state, news);
    clearTimeout(this.timer); // browsers refuse an address that changes with every step of a slider
    const seen = location.hash; // another one was followed meanwhile, and its event is on the way
    this.timer = setTimeout(() => {
      const own = PHOTOS.filter((key) => this.state[key] === "own"); // for who comes back to this page
      if (location.hash === seen) history.replaceState({ ...history.state, own }, "", this.address());
    }, 120);
  }

  address() {
    const said = Object.entries(this.state).filter(([key, value]) => value !== INITIAL[key] && value !== "own");
    return `#${this.name}${said.length ? `?${new URLSearchParams(said)}` : ""}`;
  }

  // Whether the address names this place. own: whether there is a photograph of the reader's own to come back to.
  read(own = false) {
    const [place, said] = location.hash.slice(1).split("?");
    if (place !== this.name) return false;
    this.state = { ...INITIAL, ...Object.fromEntries(new URLSearchParams(said ?? "")) };
    for (const key of PHOTOS) {
      if (own && history.state?.own?.includes(key)) this.state[key] = "own";
      else if (this.state[key] === "own") this.state[key] = INITIAL[key];
    }
    return true;
  }

  // What an address may have wrong becomes what it is at the beginning.
  settle() {
    const s = this.state, pick = (key, values) => { if (!values.includes(s[key])) s[key] = INITIAL[key]; };
    const number = (key, low, high) => {
      const value = Math.round(Number(s[key]));
      s[key] = s[key] !== "" && Number.isFinite(value) ? Math.min(Math.max(value, low), high) : INITIAL[key];
    };
    pick("photo", this.photos);
    pick("photo2", ["", ...this.photos]);
    for (const key of ["method", "method2"]) pick(key, Object.keys(METHODS));
    for (const key of ["stage", "stage2"]) number(key, 1, 4);
    for (const key of ["class", "class2"]) number(key, 0, this.classes - 1);
    for (const key of ["opacity", "threshold"]) number(key, 0, 100);
    number("forgotten", 0, 5);
    pick("game", Object.keys(GAMES));
  }
}
