// The page's side of the worker: a question in, a promise out. A worker that fails is ended, and the next question
// starts another.

const PATIENCE = 60_000; // milliseconds without any sign from a worker that is asked: it has died

export class Engine {
  // given: what the worker is told first, {files, runtime, index}.
  constructor(given) {
    Object.assign(this, { given, worker: null, ready: null, waiting: new Map(), count: 0 });
  }

  // Resolves when the network is there.
  start(progress) {
    const worker = this.worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => this.hear(data));
    worker.addEventListener("error", (event) => {
      event.preventDefault(); // the page says it, in a sentence
      if (worker === this.worker) this.fail(event.message || "perhaps for want of memory");
    });
    this.ready = this.send("load", this.given, { progress });
    return this.ready;
  }

  // signal: when it is aborted nobody waits for the answer any more, and what has not begun is left undone.
  async ask(task, asked, { progress, signal } = {}) {
    await (this.ready ?? this.start());
    signal?.throwIfAborted();
    return this.send(task, asked, { progress, signal });
  }

  send(task, asked, { progress, signal }) {
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, progress });
      signal?.addEventListener("abort", () => {
        if (this.waiting.delete(id)) this.worker?.postMessage({ task: "drop", id });
        reject(signal.reason);
      });
      this.worker.postMessage({ id, task, asked });
      this.watch();
    });
  }

  // mild: the question failed, and the worker did not.
  hear({ id, share, answer, error, mild }) {
    this.watch();
    if (!this.waiting.has(id)) return; // dropped meanwhile
    const { resolve, reject, progress } = this.waiting.get(id);
    if (share !== undefined) { progress?.(share); return; }
    if (error && !mild) { this.fail(error); return; }
    this.waiting.delete(id);
    if (error) reject(new Error(`A part of the network is missing: ${error}. Ask again when there is a connection.`));
    else resolve(answer);
    this.watch();
  }

  watch() {
    clearTimeout(this.timer);
    if (this.waiting.size) this.timer = setTimeout(() => this.fail("it gave no answer for a minute"), PATIENCE);
  }

  fail(why) {
    const all = [...this.waiting.values()], error = new Error(`The network stopped: ${why}. Ask again, and it starts anew.`);
    this.worker?.terminate();
    this.worker = this.ready = null;
    this.waiting.clear();
    clearTimeout(this.timer);
    for (const { reject } of all) reject(error);
  }
}
