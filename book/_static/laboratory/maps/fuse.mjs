// Many sizes of one image, and the fusion of what a layer answers to them:
//
//   M = Σ_k  mean_t up(W^t_k) · mean_t up(A^t_k)
//
// The means are taken apart and multiplied before channels are summed. One row of the map is made at a time: first
// each size's cells are mixed up and down, then left and right. A channel that is silent in a row adds nothing there.
import { map } from "./tensor.mjs";
import { between } from "./upsample.mjs";

export function fuse(scales, side) {
  const T = scales.length, channels = scales[0].A.channels, M = new Float64Array(side * side);
  const start = [];
  let cells = 0;
  for (const { A } of scales) { start.push(cells); cells += A.width; }
  const down = scales.map(({ A }) => between(side, A.height)), across = scales.map(({ A }) => between(side, A.width));
  const left = new Uint16Array(side * T), right = new Uint16Array(side * T), share = new Float32Array(side * T);
  for (let x = 0, i = 0; x < side; x++) {
    for (let t = 0; t < T; t++, i++) {
      left[i] = start[t] + across[t].left[x];
      right[i] = start[t] + across[t].right[x];
      share[i] = across[t].share[x];
    }
  }
  const a = new Float32Array(cells), w = new Float32Array(cells);
  for (let k = 0; k < channels; k++) {
    for (let y = 0; y < side; y++) {
      if (!mixRow(scales, down, start, k, y, a, w)) continue;
      for (let x = 0, i = 0, p = y * side; x < side; x++, p++) {
        let sumA = 0, sumW = 0;
        for (let t = 0; t < T; t++, i++) {
          const l = left[i], r = right[i], u = share[i];
          sumA += a[l] + u * (a[r] - a[l]);
          sumW += w[l] + u * (w[r] - w[l]);
        }
        M[p] += sumA * sumW;
      }
    }
  }
  return map(M.map((v) => v / (T * T)), side, side);
}

// The cells of all sizes, side by side, as they stand in row y of channel k. Returns whether any A and any W is not 0.
function mixRow(scales, down, start, k, y, a, w) {
  let anyA = false, anyW = false;
  for (let t = 0; t < scales.length; t++) {
    const { A, W } = scales[t], n = A.width, first = k * A.height * n, v = down[t].share[y];
    const above = first + down[t].left[y] * n, below = first + down[t].right[y] * n;
    for (let x = 0, i = start[t]; x < n; x++, i++) {
      a[i] = A.data[above + x] + v * (A.data[below + x] - A.data[above + x]);
      w[i] = W[above + x] + v * (W[below + x] - W[above + x]);
      anyA ||= a[i] !== 0;
      anyW ||= w[i] !== 0;
    }
  }
  return anyA && anyW;
}
