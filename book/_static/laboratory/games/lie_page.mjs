// The lie detector on the page: four maps, one question, and what each was when it is over.
import { button, labelled, make, percent, range } from "../dom.mjs";
import { METHODS, SIDE } from "../maps/methods.mjs";
import { sobel } from "../maps/sobel.mjs";
import { paint } from "../paint.mjs";
import { ANSWERS, correlation, dealt } from "./lie.mjs";

const STEPS = ["nothing", "the classifier", "all behind stage 3", "all behind stage 2", "all behind stage 1", "everything"];

// A class that is surely not there: that which the network believes least, and never the one that is asked for.
const absent = ({ answer }, asked) => answer.reduce((least, p, k) => (k !== asked && !(answer[least] <= p) ? k : least), -1);

export async function lieDetector(lab, room, asked, how) {
  const steps = range(1, 5, 1, (value) => lab.view.change({ forgotten: value }));
  const said = make("output"), say = make("p", { class: "lab-reading", "aria-live": "polite" });
  const cards = make("div", { class: "lab-cards" }), title = `${METHODS[asked.method].title}, stage ${asked.stage}`;
  let dealing = null, guessed = false;

  async function deal(forgotten) {
    dealing?.abort();
    const { signal } = dealing = new AbortController();
    steps.value = forgotten;
    said.textContent = STEPS[forgotten];
    say.textContent = "drawing four maps …";
    const other = absent(asked.photo, asked.target);
    const maps = { edges: sobel(asked.photo.rgb, SIDE) };
    for (const [name, news] of [["real", {}], ["absent", { target: other }], ["forgotten", { forgotten }]]) {
      maps[name] = await lab.map({ ...asked, ...news }, { signal });
    }
    const lost = (await lab.answer(asked.photo.rgb, forgotten, { signal }))[asked.target];
    guessed = false;
    say.textContent = `One of these is the map of ${title}, for ${lab.index.classes[asked.target]}. Which?`;
    const hand = dealt(), shown = [];
    lab.repaintGame = () => shown.forEach((show) => show());
    cards.replaceChildren(...hand.map((name, i) => {
      const canvas = make("canvas", { width: 224, height: 224, "aria-hidden": "true" });
      const show = () => paint(canvas, asked.photo, maps[name], lab.table, lab.view.state);
      show();
      shown.push(show);
      const card = button("", () => reveal(hand, name, maps, other, lost, forgotten),
        { class: "lab-card", "aria-label": `map ${i + 1} of 4` });
      card.append(canvas);
      return make("div", {}, card, make("p"));
    }));
    room.dataset.dealt = `${forgotten} ${asked.target}`;
  }

  function reveal(hand, guess, maps, other, lost, forgotten) {
    if (guessed) return; // a second guess is none
    guessed = true;
    [...cards.children].forEach((card, i) => {
      const name = hand[i], alike = correlation(maps.real, maps[name]);
      const blank = Number.isNaN(alike) ? "one of the two is the same everywhere" : alike.toFixed(2);
      const more = { absent: ` (${lab.index.classes[other]})`, forgotten: ` (${STEPS[forgotten]})` }[name] ?? "";
      card.querySelector("p").textContent = name === "real" ? `This is it. ${ANSWERS.real}.`
        : `${ANSWERS[name]}${more}; correlation with the map: ${blank}.`;
      card.classList.toggle("lab-real", name === "real");
    });
    say.textContent = `${guess === "real" ? "Right." : "No."} After forgetting, the network gives `
      + `${lab.index.classes[asked.target]} ${percent(lost)}.`;
  }

  const again = (forgotten) => deal(forgotten).catch((error) => {
    if (error.name !== "AbortError") say.textContent = error.message;
  });
  how.signal.addEventListener("abort", () => dealing?.abort());
  room.replaceChildren(say, cards, make("div", { class: "lab-shared" }, labelled("forget", steps, said),
    button("deal again", () => again(Number(steps.value)))));
  steps.addEventListener("change", () => again(Number(steps.value)));
  await again(lab.view.state.forgotten || 5);
}
