// A picture made smaller as the network's own preprocessing does it: bicubic, and smoothed by as much as it shrinks.
// Pixels are RGBA, as a canvas has them, in and RGB out.

function cubic(x) {
  const a = -0.5, d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((d - 5) * d + 8) * d * a - 4 * a : 0;
}

// For each of `count` points along a side of `n` pixels: the first pixel that counts, and the weights from there on.
function taps(n, count) {
  const scale = n / count, spread = Math.max(scale, 1);
  return Array.from({ length: count }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - 2 * spread + 0.5), 0);
    const last = Math.min(Math.trunc(centre + 2 * spread + 0.5), n);
    const weights = Array.from({ length: last - first }, (_, j) => cubic((j + first - centre + 0.5) / spread));
    const sum = weights.reduce((a, b) => a + b, 0);
    return { first, weights: weights.map((w) => w / sum) };
  });
}

function resized(rgba, width, height, newWidth, newHeight) {
  const across = taps(width, newWidth), down = taps(height, newHeight);
  const rows = new Float32Array(height * newWidth * 3), out = new Uint8Array(newHeight * newWidth * 3);
  for (let y = 0, o = 0; y < height; y++) {
    for (const { first, weights } of across) {
      for (let c = 0; c < 3; c++, o++) {
        let sum = 0;
        for (let j = 0, i = 4 * (y * width + first) + c; j < weights.length; j++, i += 4) sum += weights[j] * rgba[i];
        rows[o] = sum;
      }
    }
  }
  for (let y = 0, o = 0; y < newHeight; y++) {
    const { first, weights } = down[y];
    for (let i = 0; i < newWidth * 3; i++, o++) {
      let sum = 0;
      for (let j = 0; j < weights.length; j++) sum += weights[j] * rows[(first + j) * newWidth * 3 + i];
      out[o] = Math.min(Math.max(Math.round(sum), 0), 255);
    }
  }
  return out;
}

// Half to even, as Python rounds.
const halves = (n) => (n % 1 === 0.5 ? 2 * Math.round(n / 2) : Math.round(n));

// The square that the network sees, size × size × 3: the shorter side becomes `resize` pixels, the middle is cut out.
export function prepared({ data, width, height }, { size, resize }) {
  const short = Math.min(width, height);
  const w = Math.floor((resize * width) / short), h = Math.floor((resize * height) / short);
  const all = resized(data, width, height, w, h), out = new Uint8Array(size * size * 3);
  const left = halves((w - size) / 2), top = halves((h - size) / 2);
  for (let y = 0; y < size; y++) {
    const at = 3 * ((top + y) * w + left);
    out.set(all.subarray(at, at + 3 * size), 3 * y * size);
  }
  return out;
}
