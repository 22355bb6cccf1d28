// The deletion and insertion game on the page: a slider, the picture that is left, and the curve.
import { labelled, make, percent, range, select } from "../dom.mjs";
import { SIDE } from "../maps/methods.mjs";
import { upsample } from "../maps/upsample.mjs";
import { paintPixels } from "../paint.mjs";
import { Curve } from "./curve.mjs";
import { blurred, grey, ranked, removed, shuffled } from "./deletion.mjs";

const BRUSH = 14; // pixels: the radius of the reader's own brush

export async function deletionGame(lab, room, asked, current) {
  const { rgb } = asked.photo, M = await lab.map(asked);
  if (!current()) return;
  const fillings = { grey: grey(rgb, lab.index.preprocessing.mean), blur: blurred(rgb, SIDE) };
  const orders = { map: ranked(upsample(M, SIDE, SIDE).data), random: shuffled(SIDE * SIDE) };
  const word = lab.index.classes[asked.target], say = make("p", { class: "lab-reading", "aria-live": "polite" });
  const canvas = make("canvas", { width: 448, height: 448, role: "img", "aria-label": "what is left of the photograph" });
  let game = "deletion", filling = "grey", share = 0, curve = null, touched = new Set(), waiting = false;

  const picture = (order, part) => (game === "deletion" ? removed(rgb, fillings[filling], order, part)
    : removed(fillings[filling], rgb, order, part));
  const chance = async (pixels) => (await lab.answer(pixels))[asked.target];

  function begin() {
    touched = new Set();
    curve?.svg.remove();
    curve = new Curve(["map", "random"], `Curves of the probability of ${word}, by the map's order and at random`);
    side.prepend(curve.svg);
    return play();
  }

  // Only the newest position is asked about: a slider is faster than any network.
  async function play() {
    paintPixels(canvas, picture(orders.map, share));
    if (waiting) return;
    for (waiting = true; ;) {
      const now = share, line = curve, one = await chance(picture(orders.map, now));
      const other = await chance(picture(orders.random, now));
      if (!current()) return;
      if (line === curve) {
        line.add("map", now, one);
        line.add("random", now, other);
        say.textContent = `${Math.round(100 * now)} % ${game === "deletion" ? "taken away" : "given"}: ${word} `
          + `${percent(one)} by the map's order, ${percent(other)} at random.`;
        room.dataset.played = `${game} ${filling} ${Math.round(100 * now)}`;
      }
      if (now === share && line === curve) break;
    }
    waiting = false;
  }

  // The brush takes away what the reader points at, and counts for itself.
  async function brush(event) {
    if (!event.buttons || game !== "deletion") return;
    const box = canvas.getBoundingClientRect(), x = (SIDE * (event.clientX - box.left)) / box.width;
    const y = (SIDE * (event.clientY - box.top)) / box.height;
    for (let p = 0; p < SIDE * SIDE; p++) {
      if (Math.hypot((p % SIDE) - x, Math.floor(p / SIDE) - y) <= BRUSH) touched.add(p);
    }
    const pixels = removed(rgb, fillings[filling], Uint32Array.from(touched), 1);
    paintPixels(canvas, pixels);
    if (waiting) return;
    waiting = true;
    const part = touched.size / (SIDE * SIDE), p = await chance(pixels);
    waiting = false;
    if (current()) say.textContent = `Your brush took ${Math.round(100 * part)} %: ${word} ${percent(p)}.`;
  }
  canvas.addEventListener("pointermove", brush);
  canvas.addEventListener("pointerdown", brush);

  const slider = range(0, 100, 1, (value) => { share = value / 100; play(); });
  slider.value = 0;
  const side = make("div", { class: "lab-side" }, say,
    labelled("share of pixels", slider),
    labelled("game", select([["deletion", "take the brightest away"], ["insertion", "give the brightest back"]],
      (value) => { game = value; begin(); })),
    labelled("in their place", select([["grey", "grey"], ["blur", "a blurred copy"]],
      (value) => { filling = value; begin(); })),
    make("p", {}, "The solid line follows the map, the dotted one a random order. "
      + "Or take pixels away yourself: drag over the picture."));
  room.replaceChildren(make("div", { class: "lab-two" }, canvas, side));
  await begin();
}
