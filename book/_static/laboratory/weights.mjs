// The network's weights: numbers of 16 bits as they travel, of 32 bits as they are used.

// What a half-precision number says: sign, exponent, fraction.
function half(bits) {
  const sign = bits >> 15 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction) : 2 ** -14 * fraction);
}

export function widened(buffer) {
  const table = Float32Array.from({ length: 1 << 16 }, (_, bits) => half(bits));
  const from = new Uint16Array(buffer), out = new Float32Array(from.length); // a loop: millions of numbers
  for (let i = 0; i < from.length; i++) out[i] = table[from[i]];
  return out;
}

// {name: {shape, step, data}}, each weight a view of the same numbers; `step` says when it is forgotten.
export function named(numbers, shapes) {
  const out = {};
  let at = 0;
  for (const [name, shape, step] of shapes) {
    const count = shape.reduce((product, n) => product * n, 1);
    out[name] = { shape, step, data: numbers.subarray(at, at + count) };
    at += count;
  }
  if (at !== numbers.length) throw new Error("the file of weights has another length than its index says");
  return out;
}
