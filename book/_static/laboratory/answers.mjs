// Answers of the network, kept as long as there is room for them, so that another method of the same question costs no pass.
// A pass runs by itself, and between two passes the thread hears what the page says; one that nobody waits for any
// more does not begin.

export class Dropped extends Error {}

const turn = () => new Promise((resolve) => { setTimeout(resolve); });

export class Answers {
  // room: for how much; size: how much of it an answer takes.
  constructor(room, size = () => 1) {
    Object.assign(this, { room, size, kept: new Map(), dropped: new Set(), last: Promise.resolve() });
  }

  drop(id) {
    this.dropped.add(id);
  }

  // The answer to `key`; `make` is called where it is not kept. id: of who asks.
  async get(key, id, make) {
    if (this.dropped.has(id)) throw new Dropped();
    const entry = this.kept.get(key) ?? this.begin(key, make);
    entry.askers.add(id);
    this.kept.delete(key); // the oldest stand first, and go first
    this.kept.set(key, entry);
    return entry.answer;
  }

  // The oldest go, and never the one that has just come.
  clear() {
    let taken = [...this.kept.values()].reduce((sum, { size }) => sum + size, 0);
    for (const [key, { size }] of [...this.kept].slice(0, -1)) {
      if (taken <= this.room) return;
      taken -= size;
      this.kept.delete(key);
    }
  }

  begin(key, make) {
    const entry = { askers: new Set(), size: 0 };
    const forget = () => { if (this.kept.get(key) === entry) this.kept.delete(key); };
    entry.answer = this.alone(() => {
      if (![...entry.askers].every((id) => this.dropped.has(id))) return make();
      forget();
      throw new Dropped();
    });
    entry.answer.then((answer) => { entry.size = this.size(answer); this.clear(); }, forget);
    return entry;
  }

  // One thing after another.
  alone(make) {
    const mine = this.last.then(turn).then(make);
    this.last = mine.catch(() => {});
    return mine;
  }
}
