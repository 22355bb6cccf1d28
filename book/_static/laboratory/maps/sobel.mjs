// An edge detector, which knows no network: how fast the luminance of a picture changes, by Sobel's differences.
import { map } from "./tensor.mjs";

export function sobel(rgb, side) {
  const L = Float64Array.from({ length: side * side },
    (_, p) => (0.299 * rgb[3 * p] + 0.587 * rgb[3 * p + 1] + 0.114 * rgb[3 * p + 2]) / 255);
  const at = (y, x) => L[Math.min(Math.max(y, 0), side - 1) * side + Math.min(Math.max(x, 0), side - 1)];
  const out = new Float64Array(side * side);
  for (let y = 0, p = 0; y < side; y++) {
    for (let x = 0; x < side; x++, p++) {
      const across = (dy) => at(y + dy, x + 1) - at(y + dy, x - 1), down = (dx) => at(y + 1, x + dx) - at(y - 1, x + dx);
      out[p] = Math.hypot(across(-1) + 2 * across(0) + across(1), down(-1) + 2 * down(0) + down(1)) / 8;
    }
  }
  return map(out, side, side);
}
