// What panels and games ask for: photographs, what the network says of them, and maps.
import { softmax } from "./network.mjs";
import { sample } from "./photo.mjs";

export class Questions {
  // files: where they lie; index: what network.json says; engine: who answers. They come when the reader starts.
  files = "";
  index = null;
  engine = null;
  photos = new Map(); // {name: promise of a photograph}

  photo(name) {
    if (!this.photos.has(name)) {
      const picture = this.index.pictures.find((one) => one.name === name);
      const found = sample(picture, this.files);
      found.catch(() => this.photos.delete(name)); // and is asked for again the next time
      this.photos.set(name, found);
    }
    return this.photos.get(name);
  }

  photoNames() {
    const names = this.index.pictures.map(({ name, title }) => [name, title]);
    return this.photos.has("own") ? [...names, ["own", "Your photograph"]] : names;
  }

  numberOf(name) {
    if (name === "") return "";
    const { classes } = this.index, at = classes.findIndex((one) => one.toLowerCase() === name.toLowerCase());
    return at >= 0 ? at : /^\d+$/.test(name) && Number(name) < classes.length ? Number(name) : "";
  }

  // The probabilities of all classes, of a photograph or of pixels.
  async answer(rgb, forgotten = 0, how = {}) {
    return softmax(await this.engine.ask("logits", { rgb, forgotten }, how));
  }

  // Those of a photograph as it is; both panels wait for the same answer.
  believed(photo) {
    photo.believed ??= this.answer(photo.rgb).then((p) => { photo.answer = p; return p; },
      (error) => { photo.believed = null; throw error; });
    return photo.believed;
  }

  // What a panel asks: its photograph and class, and how likely the network finds that.
  async asked(state, end = "") {
    const photo = await this.photo((end && state.photo2) || state.photo), p = await this.believed(photo);
    const likeliest = p.indexOf(Math.max(...p)), same = !end || !state.photo2 || state.photo2 === state.photo;
    const own = end ? state.class2 : state.class, shared = same && state.class !== "" ? state.class : likeliest;
    const target = own !== "" ? own : shared;
    return { photo, target, p: p[target], forgotten: 0 };
  }

  // What a question says: its photograph, class and method. `how` holds progress and signal, as the engine takes them.
  map(asked, how) {
    return this.engine.ask("map", this.question(asked), how);
  }

  layer(asked, how) {
    return this.engine.ask("layer", this.question(asked), how);
  }

  question({ photo, target, method, stage, forgotten = 0 }) {
    return { photo: photo.key ?? photo.name, rgb: photo.rgb, target, method, stage, forgotten };
  }
}
