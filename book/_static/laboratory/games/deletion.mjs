// The deletion game: the brightest pixels of a map go first, and what the network says is asked again.

// Pixels from the largest value to the smallest; equal ones stay in their order.
export const ranked = (values) => Uint32Array.from(values, (_, p) => p).sort((p, q) => values[q] - values[p] || p - q);

// A random order that is the same each time: pixels sorted by a hash of their place.
export function shuffled(count) {
  const hash = (p) => Math.imul(Math.imul(p ^ (p >>> 16), 0x7feb352d) ^ (p >>> 7), 0x846ca68b) >>> 0;
  return Uint32Array.from({ length: count }, (_, p) => p).sort((p, q) => hash(p) - hash(q) || p - q);
}

// The picture with the first `share` of an order replaced by what is in `filling`; insertion is the same the other way
// round, with the filling as the picture.
export function removed(rgb, filling, order, share) {
  const out = rgb.slice(), count = Math.round(share * order.length);
  for (let i = 0; i < count; i++) for (let c = 0, at = 3 * order[i]; c < 3; c++) out[at + c] = filling[at + c];
  return out;
}

// The colour that the network takes for nothing, everywhere.
export const grey = (rgb, mean) => Uint8Array.from(rgb, (_, i) => Math.round(255 * mean[i % 3]));

// The picture out of focus: three box means after one another are nearly a Gaussian.
export function blurred(rgb, side, radius = 12) {
  let from = Float32Array.from(rgb);
  for (let turn = 0; turn < 3; turn++) {
    from = means(means(from, side, radius, 3, 3 * side), side, radius, 3 * side, 3);
  }
  return Uint8Array.from(from, Math.round);
}

function means(data, side, radius, step, line) {
  const out = new Float32Array(data.length), inside = (i) => Math.min(Math.max(i, 0), side - 1);
  for (let l = 0; l < side; l++) {
    for (let c = 0; c < 3; c++) {
      const at = (i) => l * line + inside(i) * step + c;
      let sum = 0;
      for (let i = -radius; i <= radius; i++) sum += data[at(i)];
      for (let i = 0; i < side; i++) {
        out[at(i)] = sum / (2 * radius + 1);
        sum += data[at(i + radius + 1)] - data[at(i - radius)];
      }
    }
  }
  return out;
}
