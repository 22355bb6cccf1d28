// The network: one file of weights, and graphs that ONNX Runtime runs with them. `ort` is that library, `read` gives
// the bytes of a file, so that the same code runs in a browser's worker and in a test.
import { forgetful } from "./forgetting.mjs";
import { tensor } from "./maps/tensor.mjs";
import { named, widened } from "./weights.mjs";

export class Network {
  constructor(ort, index, read) {
    Object.assign(this, { ort, index, read, sessions: {}, lost: {} });
  }

  async load() {
    const [buffer] = await Promise.all([this.read(this.index.weights), this.session("logits")]);
    this.lost[0] = this.tensors(named(widened(buffer), this.index.shapes));
    await this.session(String(this.index.sizes[0]));
    return this;
  }

  tensors(weights) {
    this.weights ??= weights;
    return Object.fromEntries(Object.entries(weights)
      .map(([name, { data, shape }]) => [name, new this.ort.Tensor("float32", data, shape)]));
  }

  async session(name) {
    this.sessions[name] ??= await this.ort.InferenceSession.create(
      new Uint8Array(await this.read(this.index.graphs[name])), { executionProviders: ["wasm"] });
    return this.sessions[name];
  }

  async run(name, given, forgotten) {
    if (!this.lost[forgotten]) {
      for (const steps of Object.keys(this.lost)) if (steps !== "0") delete this.lost[steps]; // 18 MB each
      this.lost[forgotten] = this.tensors(forgetful(this.weights, forgotten, this.index.seed));
    }
    const session = await this.session(name), weights = this.lost[forgotten];
    return session.run(Object.fromEntries(session.inputNames.map((key) => [key, given[key] ?? weights[key]])));
  }

  // (S × S × 3) bytes as the network wants them: channels apart, mean and deviation taken out.
  image(rgb) {
    const { size, mean, std } = this.index.preprocessing, area = size * size, out = new Float32Array(3 * area);
    for (let c = 0; c < 3; c++) {
      const middle = Math.fround(255 * mean[c]), width = Math.fround(255 * std[c]);
      for (let p = 0; p < area; p++) out[c * area + p] = (rgb[3 * p + c] - middle) / width;
    }
    return new this.ort.Tensor("float32", out, [1, 3, size, size]);
  }

  async logits(rgb, forgotten = 0) {
    return (await this.run("logits", { image: this.image(rgb) }, forgotten)).logits.data;
  }

  // One forward and one backward at a size: {logits, stages: [{A, G}]} for the class asked for.
  async question(rgb, target, side, forgotten = 0) {
    const asked = new Float32Array(this.index.classes.length);
    asked[target] = 1;
    const given = { image: this.image(rgb), class: new this.ort.Tensor("float32", asked, [1, asked.length]) };
    const out = await this.run(String(side), given, forgotten);
    const layer = ({ data, dims }) => tensor(data, dims[1], dims[2], dims[3]);
    return {
      logits: out.logits.data,
      stages: this.index.stages.map((_, i) => ({ A: layer(out[`A${i + 1}`]), G: layer(out[`G${i + 1}`]) })),
    };
  }
}

export function softmax(logits) {
  const top = logits.reduce((a, b) => Math.max(a, b)), powers = Array.from(logits, (v) => Math.exp(v - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((v) => v / sum);
}
