// The page's side of the worker: a question in, a promise out.

export class Engine {
  constructor() {
    this.worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
    this.waiting = new Map();
    this.worker.addEventListener("message", ({ data: { id, share, answer, error } }) => {
      const { resolve, reject, progress } = this.waiting.get(id);
      if (share !== undefined) { progress?.(share); return; }
      this.waiting.delete(id);
      if (error) reject(new Error(error)); else resolve(answer);
    });
    this.worker.addEventListener("error", (event) => {
      const error = new Error(event.message || "The network's thread stopped, perhaps for want of memory.");
      for (const { reject } of this.waiting.values()) reject(error);
      this.waiting.clear();
    });
    this.count = 0;
  }

  ask(task, asked, progress) {
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, progress });
      this.worker.postMessage({ id, task, asked });
    });
  }
}
