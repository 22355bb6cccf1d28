// What the worker keeps, shares and leaves undone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const { Answers, Dropped } = await import(new URL("answers.mjs", pathToFileURL(`${process.env.LABORATORY_CODE}/`)));

// Something that makes an answer of its name, and counts how often.
const maker = () => {
  const made = [];
  return [made, (name) => async () => { made.push(name); return name; }];
};

test("an answer is made once, by one after another, and shared", async () => {
  const answers = new Answers(8), [made, make] = maker();
  const found = await Promise.all([1, 2, 3].map((id) => answers.get("cat", id, make("cat"))));
  assert.deepEqual(found, ["cat", "cat", "cat"]);
  assert.deepEqual(made, ["cat"]);
  let running = 0;
  await Promise.all(["a", "b", "c"].map((key, id) => answers.get(key, id, async () => {
    assert.equal(running++, 0, "two run at once");
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    running--;
  })));
});

test("the oldest answers go when there is no room", async () => {
  const answers = new Answers(2), [made, make] = maker();
  for (const key of ["a", "b", "a", "c", "a", "b"]) await answers.get(key, 0, make(key));
  assert.deepEqual(made, ["a", "b", "c", "b"]);
});

test("there is room for so much, and not for so many", async () => {
  const answers = new Answers(10, ({ bytes }) => bytes), made = [];
  const of = (bytes) => async () => { made.push(bytes); return { bytes }; };
  for (const bytes of [1, 6, 4, 1, 6, 30, 4]) await answers.get(String(bytes), 0, of(bytes));
  assert.deepEqual(made, [1, 6, 4, 1, 6, 30, 4]);
  const few = [];
  for (const bytes of [4, 1, 5]) await answers.get(String(bytes), 0, async () => { few.push(bytes); return { bytes }; });
  assert.deepEqual(few, [1, 5]);
});

test("what nobody waits for any more is not begun", async () => {
  const answers = new Answers(8), [made, make] = maker();
  const first = answers.get("a", 1, make("a")), lost = answers.get("b", 2, make("b")), shared = answers.get("c", 2, make("c"));
  const other = answers.get("c", 3, make("c"));
  answers.drop(2);
  await assert.rejects(lost, Dropped);
  assert.deepEqual(await Promise.all([first, shared, other]), ["a", "c", "c"]);
  await assert.rejects(answers.get("d", 2, make("d")), Dropped);
  assert.equal(await answers.get("b", 4, make("b")), "b");
  assert.deepEqual(made, ["a", "c", "b"]);
});

test("what fails is tried again", async () => {
  const answers = new Answers(8);
  await assert.rejects(answers.get("a", 1, async () => { throw new Error("no memory"); }), /no memory/);
  assert.equal(await answers.get("a", 2, async () => 7), 7);
});
