// The claim ledger: its entries by paper, world and verdict.
//
// An entry's classes say what it is: paper-NAME, and WORLD-VERDICT for each world; identities have no verdict. Without
// this script all entries stand below each other, and a sentence stands where the filter would be.

const PAPERS = { holistic: "Holistic-CAM", polycam: "Poly-CAM", ucag: "UCAG" };
const WORLDS = { toyland: "Toyland", photographs: "photographs" };
const VERDICTS = {
  holds: "holds", partly: "holds in part", fails: "does not hold", undecided: "undecided", open: "not checked",
};

function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

function chooser(name, all, options) {
  const select = make("select", { id: `claims-${name}` }, make("option", { value: "" }, all));
  for (const [value, word] of Object.entries(options)) select.append(make("option", { value }, word));
  return [make("label", {}, `${name} `, select), select];
}

// Whether an entry has the verdict that is asked for, in the world that is asked for or in any.
function answers(entry, world, verdict) {
  const worlds = world ? [world] : Object.keys(WORLDS);
  if (verdict) return worlds.some((name) => entry.classList.contains(`${name}-${verdict}`));
  return !world || [...entry.classList].some((one) => one.startsWith(`${world}-`) && one !== `${world}-open`);
}

function start(place) {
  const entries = [...document.querySelectorAll(".claim")];
  const sections = [...document.querySelectorAll("section")].filter(
    (one) => one.querySelector(".claim") && !one.contains(place),
  );
  const [papers, paper] = chooser("paper", "all", PAPERS);
  const [worlds, world] = chooser("world", "both", WORLDS);
  const [verdicts, verdict] = chooser("verdict", "any", VERDICTS);
  const count = make("output", {});

  function filter() {
    let shown = 0;
    for (const entry of entries) {
      const fits = !paper.value || entry.classList.contains(`paper-${paper.value}`);
      entry.hidden = !(fits && answers(entry, world.value, verdict.value));
      shown += entry.hidden ? 0 : 1;
    }
    for (const section of sections) section.hidden = !section.querySelector(".claim:not([hidden])");
    count.textContent = `${shown} of ${entries.length} entries`;
  }

  const form = make("form", { "aria-label": "Filter the claims" }, papers, worlds, verdicts, count);
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", () => { // a link to an entry that the filter hides
    const to = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!to?.closest("[hidden]")) return;
    form.reset();
    filter();
    to.scrollIntoView();
  });
  place.replaceChildren(form);
  filter();
  place.dataset.state = "ready";
}

const place = document.querySelector(".claims-filter");
if (place) start(place);
