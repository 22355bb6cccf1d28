// Answers of the network, kept as long as there is room, so that another method of the same question costs no pass.
// A pass runs by itself, and between two passes the thread hears what the page says; one that nobody waits for any
// more does not begin.

export class Dropped extends Error {}

const turn = () => new Promise((resolve) => { setTimeout(resolve); });

export class Answers {
  constructor(room) {
    Object.assign(this, { room, kept: new Map(), dropped: new Set(), last: Promise.resolve() });
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
    for (const old of this.kept.keys()) if (this.kept.size > this.room) this.kept.delete(old);
    return entry.answer;
  }

  begin(key, make) {
    const entry = { askers: new Set() };
    const forget = () => { if (this.kept.get(key) === entry) this.kept.delete(key); };
    entry.answer = this.alone(() => {
      if (![...entry.askers].every((id) => this.dropped.has(id))) return make();
      forget();
      throw new Dropped();
    });
    entry.answer.catch(forget);
    return entry;
  }

  // One thing after another.
  alone(make) {
    const mine = this.last.then(turn).then(make);
    this.last = mine.catch(() => {});
    return mine;
  }
}
