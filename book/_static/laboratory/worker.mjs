// The network's own thread: the page asks, this answers, and the page never waits.
import { Answers, Dropped } from "./answers.mjs";
import { mapOf, METHODS } from "./maps/methods.mjs";
import { Network } from "./network.mjs";
import { prepared } from "./resize.mjs";

// Of passes: 7 MB at the smallest size, 37 at the largest, 81 for a question at all four.
const KEPT = 100e6;
const bytesOf = ({ stages }) => stages.reduce((sum, { A, G }) => sum + A.data.byteLength + G.data.byteLength, 0);
const answers = new Answers(KEPT, bytesOf);
let network = null;

const pass = (id, { photo, rgb, target, forgotten }, side) => answers.get([photo, target, forgotten, side].join(), id,
  () => network.question(rgb, target, side, forgotten));

// One pass for each size that a method needs.
async function passes(id, asked, progress) {
  const { sizes } = network.index, all = METHODS[asked.method].fused ? sizes : sizes.slice(0, 1), found = [];
  for (const side of all) {
    found.push(await pass(id, asked, side));
    if (all.length > 1) progress(found.length / (all.length + 1));
  }
  return found;
}

const tasks = {
  async load(id, { files, runtime, index }, progress) {
    let tell = progress, share = 0;
    const beat = setInterval(() => progress(share), 5_000); // a slow line is no dead worker
    try {
      network = await load({ files, runtime, index }, (now) => { share = now; tell(now); });
    } finally {
      clearInterval(beat);
      tell = () => {}; // graphs that come later are small
    }
    return null;
  },
  prepare: (id, { picture }) => prepared(picture, network.index.preprocessing),
  logits: (id, { rgb, forgotten }) => answers.alone(() => network.logits(rgb, forgotten)),
  async map(id, asked, progress) {
    const all = await passes(id, asked, progress);
    return mapOf(asked.method, all.map(({ stages }) => stages[asked.stage - 1]));
  },
  async layer(id, asked) { // one stage as it is, for whoever wants to weigh it
    const { stages, logits } = await pass(id, asked, network.index.sizes[0]);
    return { ...stages[asked.stage - 1], logit: logits[asked.target] };
  },
};

async function load({ files, runtime, index }, progress) {
  const ort = await import(new URL("ort.wasm.bundle.min.mjs", runtime));
  Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: { wasm: `${runtime}ort-wasm-simd-threaded.wasm` } });
  const tell = (name) => (name === index.weights ? progress : () => {}); // the graphs are small
  return new Network(ort, index, (name) => bytes(new URL(name, files), tell(name))).load();
}

class Missing extends Error {} // a file did not come, and the network is as it was

async function bytes(url, progress) {
  const answer = await fetch(url).catch(() => null);
  if (!answer?.ok) throw new Missing(`${url.pathname.split("/").at(-1)} did not come${answer ? ` (${answer.status})` : ""}`);
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

self.addEventListener("message", async ({ data: { id, task, asked } }) => {
  if (task === "drop") { answers.drop(id); return; }
  try {
    const answer = await tasks[task](id, asked, (share) => self.postMessage({ id, share }));
    self.postMessage({ id, answer });
  } catch (error) {
    const mild = error instanceof Missing && task !== "load";
    if (!(error instanceof Dropped)) self.postMessage({ id, error: String(error?.message ?? error), mild });
  }
});
