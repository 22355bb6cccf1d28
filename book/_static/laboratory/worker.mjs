// The network's own thread: the page asks, this answers, and the page never waits.
import { mapOf, METHODS } from "./maps/methods.mjs";
import { Network } from "./network.mjs";
import { prepared } from "./resize.mjs";

let network = null;
const single = new Map(), several = new Map(); // questions answered lately, by what was asked

// Answers are kept as long as there is room: `room` questions, the oldest go first.
async function kept(store, room, key, make) {
  const found = store.get(key) ?? await make();
  store.delete(key);
  store.set(key, found);
  for (const old of store.keys()) if (store.size > room) store.delete(old);
  return found;
}

const pass = ({ photo, rgb, target, forgotten }) => kept(single, 8, [photo, target, forgotten].join(),
  () => network.question(rgb, target, network.index.sizes[0], forgotten));

// One pass for each size, 80 MB of them, so only the last question's are kept.
const passes = (asked, progress) => kept(several, 1, [asked.photo, asked.target, asked.forgotten].join(), async () => {
  const found = [await pass(asked)];
  for (const side of network.index.sizes.slice(1)) {
    progress(found.length / (network.index.sizes.length + 1));
    found.push(await network.question(asked.rgb, asked.target, side, asked.forgotten));
  }
  progress(found.length / (network.index.sizes.length + 1));
  return found;
});

const tasks = {
  async load({ files, runtime, index }, progress) {
    const ort = await import(new URL("ort.wasm.bundle.min.mjs", runtime));
    Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: { wasm: `${runtime}ort-wasm-simd-threaded.wasm` } });
    let tell = progress;
    network = await new Network(ort, index, (name) => bytes(new URL(name, files), tell)).load();
    await network.session(String(index.sizes[0]));
    tell = () => {}; // graphs that come later are small
    return null;
  },
  prepare: ({ picture }) => prepared(picture, network.index.preprocessing),
  logits: ({ rgb, forgotten }) => network.logits(rgb, forgotten),
  async map(asked, progress) {
    const all = METHODS[asked.method].fused ? await passes(asked, progress) : [await pass(asked)];
    return mapOf(asked.method, all.map(({ stages }) => stages[asked.stage - 1]));
  },
  async layer(asked) { // the last stage as it is, for whoever wants to weigh it
    const { stages, logits } = await pass(asked);
    return { ...stages[asked.stage - 1], logit: logits[asked.target] };
  },
};

async function bytes(url, progress) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.pathname} did not come (${answer.status}).`);
  const total = Number(answer.headers.get("content-length")), parts = [];
  let got = 0;
  for await (const part of stream(answer.body)) {
    parts.push(part);
    got += part.length;
    if (total) progress(Math.min(got / total, 1));
  }
  return new Blob(parts).arrayBuffer();
}

async function* stream(body) { // not every browser can walk through a stream by itself
  for (const reader = body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}

let last = Promise.resolve(); // one question after another
self.addEventListener("message", ({ data: { id, task, asked } }) => {
  const progress = (share) => self.postMessage({ id, share });
  last = last.then(() => tasks[task](asked, progress))
    .then((answer) => self.postMessage({ id, answer }))
    .catch((error) => self.postMessage({ id, error: String(error?.message ?? error) }));
});
