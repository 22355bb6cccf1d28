// Weigh it yourself: the channels of the last stage that count most for a class, each to be switched off.
import { gradCam } from "../maps/gradcam.mjs";
import { map, relu, weightedSum } from "../maps/tensor.mjs";

// The channels whose weighted sum moves the map most: [{channel, weight, share, map}]. Behind the last stage come a
// mean over places and a linear layer, so a channel's share of the logit is its weight times the sum of its cells.
export function heaviest(A, G, count) {
  const w = gradCam(A, G), area = A.height * A.width;
  const rows = Array.from(w, (weight, channel) => {
    const data = A.data.subarray(channel * area, (channel + 1) * area);
    return { channel, weight, share: weight * data.reduce((a, b) => a + b, 0), map: map(data, A.height, A.width) };
  });
  return rows.sort((a, b) => Math.abs(b.share) - Math.abs(a.share)).slice(0, count);
}

// Grad-CAM without some channels, and the logit that is left.
export function without(A, G, logit, rows, off) {
  const w = gradCam(A, G);
  let left = logit;
  for (const row of rows) {
    if (!off.has(row.channel)) continue;
    w[row.channel] = 0;
    left -= row.share;
  }
  return { map: relu(weightedSum(A, w)), logit: left };
}
