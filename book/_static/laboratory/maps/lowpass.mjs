// The low-pass wrap of a map, in bytes: stretched, cut at one half, stretched again; then a median; then a mean.
import { extent, map, normalise } from "./tensor.mjs";

const MEDIAN = 51, MEAN = 91; // pixels of a map of 224

export function lowPass(M) {
  if (extent(M)[1] === 0) return map(new Float64Array(M.data.length).fill(1), M.height, M.width);
  const half = normalise(M);
  const cut = normalise(map(half.data.map((v) => Math.min(v, 0.5)), M.height, M.width));
  const bytes = Uint8Array.from(cut.data, (v) => Math.round(255 * v));
  const smooth = box(median(bytes, M.height, M.width, MEDIAN), M.height, M.width, MEAN);
  return map(Float64Array.from(smooth, (v) => v / 255), M.height, M.width);
}

const clamp = (i, n) => Math.min(Math.max(i, 0), n - 1);

// Median of bytes over a k × k window, edges repeated: counts of 256 values slide along each row.
export function median(bytes, height, width, k) {
  const r = k >> 1, out = new Uint8Array(bytes.length), wanted = (k * k + 1) >> 1, counts = new Uint32Array(256);
  const column = (y, x, step) => {
    for (let i = y - r; i <= y + r; i++) counts[bytes[clamp(i, height) * width + clamp(x, width)]] += step;
  };
  for (let y = 0; y < height; y++) {
    counts.fill(0);
    for (let x = -r; x <= r; x++) column(y, x, 1);
    for (let x = 0; x < width; x++) {
      let below = 0, value = 0;
      while ((below += counts[value]) < wanted) value++;
      out[y * width + x] = value;
      column(y, x - r, -1);
      column(y, x + r + 1, 1);
    }
  }
  return out;
}

// Mean of bytes over a k × k window, rounded; edges mirrored without repeating the last pixel.
export function box(bytes, height, width, k) {
  const across = sums(bytes, height, width, k, width, 1), down = sums(across, width, height, k, 1, width);
  return Uint8Array.from(down, (v) => Math.round(v / (k * k)));
}

// Sums of k neighbours along each of `lines` lines of `n` values; `line` and `step` lead to the next line and value.
function sums(data, lines, n, k, line, step) {
  const r = k >> 1, out = new Float64Array(lines * n), period = Math.max(2 * n - 2, 1);
  const mirrored = (i) => { const at = ((i % period) + period) % period; return Math.min(at, period - at); };
  for (let l = 0; l < lines; l++) {
    let sum = 0;
    for (let i = -r; i <= r; i++) sum += data[l * line + mirrored(i) * step];
    for (let i = 0; i < n; i++) {
      out[l * line + i * step] = sum;
      sum += data[l * line + mirrored(i + r + 1) * step] - data[l * line + mirrored(i - r) * step];
    }
  }
  return out;
}
