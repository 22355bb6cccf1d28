// What the formulas share. A layer's tensor holds C channels of h × w numbers, one channel after another; a map one.

export const tensor = (data, channels, height, width) => ({ data, channels, height, width });
export const map = (data, height, width) => ({ data, height, width });

// M = Σ_k W_k ⊙ A_k, where W has one weight for each channel, or one for each element.
export function weightedSum(A, W) {
  const area = A.height * A.width, M = new Float64Array(area), each = W.length === A.data.length;
  for (let k = 0, i = 0; k < A.channels; k++) {
    for (let p = 0; p < area; p++, i++) M[p] += (each ? W[i] : W[k]) * A.data[i];
  }
  return map(M, A.height, A.width);
}

// One number for each channel: f(A, G) summed over its places.
export function perChannel(A, G, f) {
  const area = A.height * A.width, out = new Float64Array(A.channels);
  for (let k = 0, i = 0; k < A.channels; k++) {
    for (let p = 0; p < area; p++, i++) out[k] += f(A.data[i], G.data[i]);
  }
  return out;
}

// One number for each element: f(a, g, k), k its channel.
export function perElement(A, G, f) {
  const area = A.height * A.width, out = new Float64Array(A.data.length);
  for (let k = 0, i = 0; k < A.channels; k++) {
    for (let p = 0; p < area; p++, i++) out[i] = f(A.data[i], G.data[i], k);
  }
  return out;
}

export const relu = (M) => map(M.data.map((v) => Math.max(v, 0)), M.height, M.width);

// The least value, and how far the largest lies above it: 0 for a map that is constant up to rounding.
export function extent(M) {
  let low = Infinity, high = -Infinity;
  for (const v of M.data) { if (v < low) low = v; if (v > high) high = v; }
  const span = high - low, rounding = 64 * 2 ** -23 * Math.max(Math.abs(low), Math.abs(high));
  return [low, span <= rounding ? 0 : span];
}

// Each map stretched to 0..1; a constant one becomes zeros.
export function normalise(M) {
  const [low, span] = extent(M);
  return map(M.data.map((v) => (span ? (v - low) / span : 0)), M.height, M.width);
}
