// Bilinear resize with half-pixel centres: how a map comes from its cells to the pixels of the photograph.
import { map } from "./tensor.mjs";

// For each of `count` points along a side: the two cells it lies between, and how far it is from the first.
export function between(count, cells) {
  const left = new Uint16Array(count), right = new Uint16Array(count), share = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const at = Math.max(((i + 0.5) * cells) / count - 0.5, 0);
    left[i] = Math.floor(at);
    right[i] = Math.min(left[i] + 1, cells - 1);
    share[i] = at - left[i];
  }
  return { left, right, share };
}

export function upsample(M, height, width) {
  const down = between(height, M.height), across = between(width, M.width), out = new Float64Array(height * width);
  for (let y = 0, p = 0; y < height; y++) {
    const above = down.left[y] * M.width, below = down.right[y] * M.width, v = down.share[y];
    for (let x = 0; x < width; x++, p++) {
      const l = across.left[x], r = across.right[x], u = across.share[x];
      const top = M.data[above + l] + u * (M.data[above + r] - M.data[above + l]);
      const low = M.data[below + l] + u * (M.data[below + r] - M.data[below + l]);
      out[p] = top + v * (low - top);
    }
  }
  return map(out, height, width);
}
