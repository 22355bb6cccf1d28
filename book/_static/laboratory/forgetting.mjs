// What the network has learned is taken away, from the last layers on: a weight keeps its numbers, in another order.
//
// The order follows from a seed, so that nothing but the seed travels: places are sorted by a 32-bit hash of themselves.

export function order(count, seed) {
  const start = Math.imul(seed, 0x9e3779b1), keys = new Float64Array(count), size = 2 ** Math.ceil(Math.log2(count + 1));
  for (let i = 0; i < count; i++) {
    let x = i ^ start;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    keys[i] = ((x ^ (x >>> 16)) >>> 0) * size + i; // below 2^53, so exact: sorted by hash, and then by place
  }
  keys.sort();
  const places = new Uint32Array(count);
  for (let i = 0; i < count; i++) places[i] = keys[i] - Math.floor(keys[i] / size) * size;
  return places;
}

// The weights of a network that has forgotten its last `steps` steps; the others are shared with the trained one.
export function forgetful(weights, steps, seed) {
  return Object.fromEntries(Object.entries(weights).map(([name, weight], number) => {
    if (weight.step > steps) return [name, weight];
    const places = order(weight.data.length, seed * 1000 + number), data = new Float32Array(places.length);
    for (let i = 0; i < places.length; i++) data[i] = weight.data[places[i]];
    return [name, { ...weight, data }];
  }));
}
