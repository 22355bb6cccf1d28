// The deletion and insertion game on the page: a slider, the reader's own brush, the picture that is left, the curve.
import { button, labelled, make, percent, range, select } from "../dom.mjs";
import { SIDE } from "../maps/methods.mjs";
import { upsample } from "../maps/upsample.mjs";
import { paintPixels } from "../paint.mjs";
import { Brush } from "./brush.mjs";
import { Curve } from "./curve.mjs";
import { blurred, grey, ranked, removed, shuffled } from "./deletion.mjs";

const BRUSH = 14; // pixels: the radius of the reader's own brush
const KEYS = "Drag over the picture to take pixels with a brush of your own, or move the brush with the arrow keys and put it "
  + "down with the space bar.";

export async function deletionGame(lab, room, asked, how) {
  const { rgb } = asked.photo, M = await lab.map(asked, how);
  const fillings = { grey: grey(rgb, lab.index.preprocessing.mean), blur: blurred(rgb, SIDE) };
  const orders = { map: ranked(upsample(M, SIDE, SIDE).data), random: shuffled(SIDE * SIDE) };
  const word = lab.index.classes[asked.target], say = make("p", { class: "lab-reading", "aria-live": "polite" });
  const canvas = make("canvas", { width: 448, height: 448, tabindex: 0, role: "application", class: "lab-brush",
    "aria-label": `What is left of the photograph. ${KEYS}` });
  let game = "deletion", filling = "grey", share = 0, byHand = false, curve = null, running = null, newer = false;

  const picture = (order, part) => (game === "deletion" ? removed(rgb, fillings[filling], order, part)
    : removed(fillings[filling], rgb, order, part));
  const mine = () => Uint32Array.from(brush.touched);
  const chance = async (order, part) => (await lab.answer(picture(order, part), 0, how))[asked.target];
  const round = (part) => `${Math.round(100 * part)} %`;

  const brush = new Brush(canvas, SIDE, BRUSH, (touched) => {
    byHand ||= touched;
    if (touched) play(); else draw();
  });

  function draw() {
    paintPixels(canvas, byHand ? picture(mine(), 1) : picture(orders.map, share));
    brush.ring();
  }

  // Only the newest position is asked about: a hand is faster than any network.
  function play() {
    draw();
    newer = true;
    running ??= follow().catch((error) => { if (!how.signal.aborted) say.textContent = error.message; })
      .finally(() => { running = null; });
    return running;
  }

  async function follow() {
    while (newer) {
      newer = false;
      await (byHand ? stroke(curve, mine()) : position(curve, share));
    }
  }

  async function position(line, now) {
    const one = await chance(orders.map, now), other = await chance(orders.random, now);
    if (line !== curve) return;
    line.add("map", now, one);
    line.add("random", now, other);
    say.textContent = `${round(now)} ${game === "deletion" ? "taken away" : "given back"}: ${word} `
      + `${percent(one)} by the map's order, ${percent(other)} at random.`;
    room.dataset.played = `${game} ${filling} ${Math.round(100 * now)}`;
  }

  async function stroke(line, pixels) {
    const now = pixels.length / (SIDE * SIDE), p = await chance(pixels, 1);
    if (line !== curve) return;
    line.add("brush", now, p);
    say.textContent = `Your brush ${game === "deletion" ? "took" : "gave back"} ${round(now)}: ${word} ${percent(p)}.`;
    room.dataset.played = `${game} ${filling} brush ${pixels.length}`;
  }

  function begin() {
    brush.touched.clear();
    byHand = false;
    curve?.svg.remove();
    curve = new Curve(["map", "random", "brush"],
      `Curves of the probability of ${word}: by the map's order, at random, and by your brush`);
    side.prepend(curve.svg);
    return play();
  }

  const slider = range(0, 100, 1, (value) => { share = value / 100; byHand = false; play(); });
  slider.value = 0;
  const side = make("div", { class: "lab-side" }, say,
    labelled("share of pixels", slider),
    labelled("game", select([["deletion", "take the brightest away"], ["insertion", "give the brightest back"]],
      (value) => { game = value; begin(); })),
    labelled("in their place", select([["grey", "grey"], ["blur", "a blurred copy"]],
      (value) => { filling = value; begin(); })),
    button("clear brush and curve", begin),
    make("p", {}, `The solid line follows the map, the dotted one a random order, the dots are your brush. ${KEYS}`));
  room.replaceChildren(make("div", { class: "lab-two" }, canvas, side));
  await begin();
}
