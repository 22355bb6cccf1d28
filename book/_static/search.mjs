// Above the pages that the search finds: the sections whose headings answer the query, also where they say it in other
// words. Without scripts there is no search at all. `Search` is Sphinx's, with the headings of all pages.

const SHOWN = 5;
const LEAST = 0.45; // of what a heading with all words of the query would have
const ALIKE = 0.7; // what a word of the same meaning counts
const IDLE = new Set("a an and are as at be by can do does for from how i in is it its many me much my need of on or so than that the their them there this to was what when where which who why will with you".split(" "));
// A word without its ending, so that "sizes" and "size", "losses" and "loss" meet.
const stem = (word) => word
  .replace(/(?<=\w{3})(ies|es|(?<!s)s|ing|ed|ly)$/, (end) => (end === "ies" ? "y" : "")).replace(/(?<=\w{3})e$/, "");
// Words that stand for each other in questions and headings.
const MEANINGS = [
  "baseline control random noise chance centre",
  "cost price bill pass expensive slow cheap speed",
  "depend forget sanity weight listen random untrained notice",
  "class question ask target",
  "shortcut hans trick cheat tile cause",
  "size scale enlarge resolution",
  "wrap low-pass filter blur smooth median mean clip",
  "truth ground true shapley",
  "significant sure interval undecided sample many image photograph",
  "transformer token vit attention logit",
  "epsilon ε",
  "alpha α",
  "compare against beside better best",
  "install run own",
  "variance vary differ disagree opposite cancel",
  "drawing drawn toyland scene",
  "black-box perturbation occlusion mask hidden",
].map((words) => new Set(words.split(" ").map(stem)));

const words = (text) =>
  (text.toLowerCase().match(/[\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)*/gu) ?? []).filter((word) => !IDLE.has(word)).map(stem);

function likeness(word, heading) {
  if (heading.has(word)) return 1;
  return MEANINGS.some((set) => set.has(word) && [...set].some((other) => heading.has(other))) ? ALIKE : 0;
}

// Headings of the book with their words, those of exercises left out.
function headings(index) {
  return Object.entries(index.alltitles)
    .filter(([title]) => !title.startsWith(" ("))
    .flatMap(([title, places]) => places.map(([page, id]) => ({ title, page, id, words: new Set(words(title)) })));
}

export function sections(query, index) {
  const asked = [...new Set(words(query))];
  const all = headings(index);
  // A word that stands in few headings says more.
  const weight = new Map(
    asked.map((word) => [word, Math.log(1 + all.length / (1 + all.filter((each) => each.words.has(word)).length))]),
  );
  // A word that no heading answers tells none of them apart from the others.
  const answered = asked.filter((word) => all.some((each) => likeness(word, each.words)));
  const most = answered.reduce((sum, word) => sum + weight.get(word), 0);
  const value = (each) =>
    asked.reduce((sum, word) => sum + weight.get(word) * likeness(word, each.words), 0) - 0.02 * each.words.size +
    (/^book\/\d/.test(index.docnames[each.page]) ? 0.5 : 0);
  return all
    .map((each) => ({ ...each, value: value(each) }))
    .filter((each) => most > 0 && each.value >= LEAST * most)
    .sort((a, b) => b.value - a.value)
    .slice(0, SHOWN);
}

function show(found, index) {
  const box = document.createElement("section");
  const root = document.documentElement.dataset.content_root ?? "./";
  const plain = (html) => new DOMParser().parseFromString(html, "text/html").body.textContent;
  box.className = "search-sections";
  box.append(Object.assign(document.createElement("h2"), { textContent: "Sections" }));
  const list = box.appendChild(document.createElement("ul"));
  for (const { title, page, id } of found) {
    const link = document.createElement("a");
    link.href = `${root}${index.docnames[page]}.html${id ? `#${id}` : ""}`;
    link.textContent = plain(title);
    const item = list.appendChild(document.createElement("li"));
    item.append(link, id ? ` in ${plain(index.titles[page])}` : "");
  }
  document.querySelector("#search-results").before(box);
}

const query = new URLSearchParams(location.search).get("q");
if (query) {
  while (!Search.hasIndex()) await new Promise((done) => setTimeout(done, 50));
  const found = sections(query, Search._index);
  if (found.length) show(found, Search._index);
}
