// The lie detector: one map of four answers the question, and the reader says which before it is shown.
import { SIDE } from "../maps/methods.mjs";
import { upsample } from "../maps/upsample.mjs";

export const ANSWERS = {
  real: "The trained network, asked for this class",
  forgotten: "The same network with its training forgotten",
  absent: "The trained network, asked for a class that is not there",
  edges: "An edge detector, which knows no network",
};

// Four in a random order.
export function dealt(names = Object.keys(ANSWERS), random = Math.random) {
  const left = [...names];
  return names.map(() => left.splice(Math.floor(random() * left.length), 1)[0]);
}

// How alike two maps are, over the picture's pixels: Pearson's correlation, NaN where one is constant.
export function correlation(a, b) {
  const [x, y] = [a, b].map((M) => upsample(M, SIDE, SIDE).data);
  const mean = (v) => v.reduce((sum, one) => sum + one, 0) / v.length, mx = mean(x), my = mean(y);
  let xy = 0, xx = 0, yy = 0;
  for (let p = 0; p < x.length; p++) {
    xy += (x[p] - mx) * (y[p] - my);
    xx += (x[p] - mx) ** 2;
    yy += (y[p] - my) ** 2;
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : NaN;
}
