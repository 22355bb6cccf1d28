// Weigh it yourself, on the page: the heaviest channels of the last stage, each with a switch.
import { make } from "../dom.mjs";
import { paint } from "../paint.mjs";
import { heaviest, without } from "./weigh.mjs";

const COUNT = 12;

export async function weighing(lab, room, asked, how) {
  const { A, G, logit } = await lab.layer({ ...asked, stage: 4 }, how);
  const rows = heaviest(A, G, COUNT), off = new Set(), word = lab.index.classes[asked.target];
  const large = make("canvas", { width: 448, height: 448, role: "img", "aria-label": "Grad-CAM of the channels left" });
  const say = make("p", { class: "lab-reading", "aria-live": "polite" });
  function draw() {
    const left = without(A, G, logit, rows, off);
    paint(large, asked.photo, left.map, lab.table, lab.view.state);
    say.textContent = `Logit of ${word}: ${left.logit.toFixed(2)} of ${logit.toFixed(2)}; ${off.size} of ${COUNT} channels are off.`;
    room.dataset.weighed = [...off].join();
  }
  const shown = [draw];
  lab.repaintGame = () => shown.forEach((show) => show());
  const switches = rows.map((row) => {
    const small = make("canvas", { width: 112, height: 112, "aria-hidden": "true" });
    const show = () => paint(small, asked.photo, row.map, lab.table, lab.view.state);
    show();
    shown.push(show);
    const box = make("input", { type: "checkbox", checked: true, onchange: (e) => {
      if (e.target.checked) off.delete(row.channel); else off.add(row.channel);
      draw();
    } });
    const sign = row.share < 0 ? "−" : "+";
    return make("label", { class: "lab-switch" }, small, box, ` ${row.channel}: ${sign}${Math.abs(row.share).toFixed(2)}`);
  });
  room.replaceChildren(make("p", {}, `At the last stage the logit of ${word} is a sum over ${A.channels} channels and `
    + `a constant, and Grad-CAM the same sum, place by place, without what is negative. These ${COUNT} move it most; each number is what a channel adds.`),
  say, make("div", { class: "lab-two" }, large, make("div", { class: "lab-switches" }, ...switches)));
  draw();
}
