// The formulas and games against what holicam says of the same numbers; test_laboratory.py writes them and calls this.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const folder = process.env.LABORATORY_CASES, code = pathToFileURL(`${process.env.LABORATORY_CODE}/`);
const from = (name) => import(new URL(name, code));
const cases = JSON.parse(readFileSync(`${folder}/cases.json`, "utf8"));

// An array of the folder: {file, kind, shape}.
function read({ file, kind }) {
  const bytes = readFileSync(`${folder}/${file}`);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  return new { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, int64: BigInt64Array,
    uint16: Uint16Array }[kind](buffer);
}
const { tensor } = await from("maps/tensor.mjs");
const layer = (one) => tensor(read(one), one.shape[1], one.shape[2], one.shape[3]);

function close(found, wanted, tolerance = 1e-5) {
  assert.equal(found.length, wanted.length);
  const top = wanted.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  let off = 0;
  for (let i = 0; i < wanted.length; i++) off = Math.max(off, Math.abs(found[i] - wanted[i]));
  assert.ok(off <= tolerance * top, `off by ${off / top} of the largest value`);
}

const { METHODS, mapOf, SIDE } = await from("maps/methods.mjs");
const { upsample } = await from("maps/upsample.mjs");
test("no method is left out", () => {
  assert.deepEqual(Object.keys(METHODS).sort(), [...new Set(cases.maps.map(({ method }) => method))].sort());
});
for (const { method, layer: name, passes, map } of cases.maps) {
  test(`${method} at ${name}`, () => {
    const found = mapOf(method, passes.map(({ A, G }) => ({ A: layer(A), G: layer(G) })));
    close(upsample(found, SIDE, SIDE).data, read(map));
  });
}

test("median and mean of bytes", async () => {
  const { box, median } = await from("maps/lowpass.mjs"), { bytes, middle, mean } = cases.lowpass;
  const [height, width] = bytes.shape;
  assert.deepEqual(median(read(bytes), height, width, 51), read(middle));
  assert.deepEqual(box(read(bytes), height, width, 91), read(mean));
});

test("a constant map has a wrap of ones, and stretches to zeros", async () => {
  const { lowPass } = await from("maps/lowpass.mjs"), { map, normalise } = await from("maps/tensor.mjs");
  const flat = map(new Float64Array(16).fill(3), 4, 4);
  assert.ok(lowPass(flat).data.every((v) => v === 1) && normalise(flat).data.every((v) => v === 0));
});

test("edges", async () => {
  const { sobel } = await from("maps/sobel.mjs"), { rgb, map } = cases.sobel;
  close(sobel(read(rgb), SIDE).data, read(map));
});

for (const { name, picture, seen } of cases.resize) {
  test(`a picture as the network takes it: ${name}`, async () => {
    const { prepared } = await from("resize.mjs"), [height, width] = picture.shape;
    const found = prepared({ data: read(picture), width, height }, { size: 224, resize: 256 }), wanted = read(seen);
    const far = found.filter((v, i) => Math.abs(v - wanted[i]) > 1).length;
    assert.equal(far, 0, `${far} values are off by more than 1 of 255`);
    assert.ok(found.filter((v, i) => v !== wanted[i]).length < 0.002 * wanted.length);
  });
}

test("half-precision numbers", async () => {
  const { widened } = await from("weights.mjs");
  assert.deepEqual(widened(read(cases.halves.bits).buffer), read(cases.halves.values));
});

test("what is forgotten is the same here and there", async () => {
  const { order } = await from("forgetting.mjs");
  for (const { count, seed, places } of cases.orders) {
    assert.deepEqual(Array.from(order(count, seed), BigInt), [...read(places)]);
  }
});

test("the deletion game takes the brightest pixels first, and nothing else", async () => {
  const { blurred, grey, ranked, removed, shuffled } = await from("games/deletion.mjs");
  const rgb = Uint8Array.from({ length: 48 }, (_, i) => i + 1), filling = new Uint8Array(48), values = [3, 9, 1, 9];
  const order = ranked(Float64Array.from({ length: 16 }, (_, p) => values[p % 4] - Math.floor(p / 4)));
  assert.deepEqual([...order.slice(0, 4)], [1, 3, 5, 7]);
  const gone = removed(rgb, filling, order, 0.25);
  for (let p = 0; p < 16; p++) assert.equal(gone[3 * p], [1, 3, 5, 7].includes(p) ? 0 : rgb[3 * p]);
  assert.deepEqual(removed(rgb, filling, order, 0), rgb);
  assert.deepEqual(removed(rgb, filling, order, 1), filling);
  assert.deepEqual([...shuffled(100)].sort((a, b) => a - b), [...Array(100).keys()]);
  assert.notDeepEqual([...shuffled(100)], [...Array(100).keys()]);
  assert.deepEqual([...grey(rgb, [0.5, 0.5, 0.2]).slice(0, 3)], [128, 128, 51]);
  assert.ok(blurred(new Uint8Array(3 * 64 * 64).fill(77), 64).every((v) => v === 77), "a flat picture stays");
});

test("the lie detector deals each card once, and tells how alike maps are", async () => {
  const { correlation, dealt } = await from("games/lie.mjs"), { map } = await from("maps/tensor.mjs");
  assert.deepEqual(dealt().sort(), ["absent", "edges", "forgotten", "real"]);
  assert.notDeepEqual(dealt(undefined, () => 0), dealt(undefined, () => 0.99));
  const one = map(Float64Array.of(0, 1, 2, 3), 2, 2), turned = map(one.data.map((v) => -v), 2, 2);
  assert.ok(Math.abs(correlation(one, one) - 1) < 1e-9 && Math.abs(correlation(one, turned) + 1) < 1e-9);
  assert.ok(Number.isNaN(correlation(one, map(new Float64Array(4), 2, 2))));
});

test("weighing: what is switched off is missing from map and logit", async () => {
  const { heaviest, without } = await from("games/weigh.mjs");
  const A = tensor(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8), 2, 2, 2);
  const G = tensor(Float32Array.of(1, 1, 1, 1, -2, -2, -2, -2), 2, 2, 2);
  const rows = heaviest(A, G, 2);
  assert.deepEqual(rows.map(({ channel, share }) => [channel, share]), [[1, -52], [0, 10]]);
  const { map, logit } = without(A, G, -42, rows, new Set([1]));
  assert.deepEqual([...map.data], [1, 2, 3, 4]);
  assert.equal(logit, 10);
});

test("an address says what differs, and nonsense in it becomes the beginning", async () => {
  globalThis.location = { hash: "#lab?method=layer-cam&stage=99&class=x&opacity=50&photo=%3Cb%3E" };
  globalThis.history = { replaceState() {} };
  const { View } = await from("view.mjs"), view = new View("lab", () => {});
  view.allow(["cat", "own"], 1000);
  assert.equal(view.read(), true);
  view.settle();
  assert.equal(view.address(), "#lab?method=layer-cam&opacity=50");
  assert.deepEqual([view.state.stage, view.state.class, view.state.photo], [4, "", "cat"]);
  Object.assign(view.state, { photo: "own", class: 0 });
  view.settle();
  assert.equal(view.address(), "#lab?method=layer-cam&class=0&opacity=50", "a photograph of one's own stays out of it");
});

test("a link opens exactly the view that it names", async () => {
  const { View } = await from("view.mjs");
  for (const said of cases.links) {
    globalThis.location = { hash: `#laboratory?${said}` };
    const view = new View("laboratory", () => {});
    view.allow(cases.pictures, 1000);
    assert.equal(view.read(), true);
    view.settle();
    for (const [key, value] of new URLSearchParams(said)) assert.equal(String(view.state[key]), value, `${said}: ${key}`);
  }
});
