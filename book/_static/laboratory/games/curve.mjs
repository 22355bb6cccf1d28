// A curve that grows as the reader plays: probability against the share of pixels, for some named lines.
const WIDTH = 320, HEIGHT = 160, LEFT = 34, BOTTOM = 24, TOP = 8;
const SVG = "http://www.w3.org/2000/svg";

function element(tag, attributes, text) {
  const found = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  if (text) found.textContent = text;
  return found;
}

const across = (share) => LEFT + share * (WIDTH - LEFT - 20);
const down = (p) => TOP + (1 - p) * (HEIGHT - TOP - BOTTOM);

export class Curve {
  constructor(names, label) {
    this.points = Object.fromEntries(names.map((name) => [name, new Map()]));
    this.svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", class: "lab-curve", "aria-label": label });
    for (const [x, y, text] of [[LEFT - 4, down(1) + 4, "1"], [LEFT - 4, down(0) + 4, "0"]]) {
      this.svg.append(element("text", { x, y, "text-anchor": "end" }, text));
    }
    for (const share of [0, 0.5, 1]) {
      this.svg.append(element("text", { x: across(share), y: HEIGHT - 8, "text-anchor": "middle" }, `${100 * share} %`));
    }
    this.svg.append(element("path", { class: "lab-axis", d: `M${LEFT} ${TOP}V${down(0)}H${across(1)}` }));
    this.lines = names.map((name, i) => this.svg.appendChild(element("path", { class: `lab-line lab-line-${i}` })));
  }

  add(name, share, p) {
    this.points[name].set(share, p);
    Object.values(this.points).forEach((points, i) => {
      const sorted = [...points].sort((a, b) => a[0] - b[0]), go = (n) => (n ? "L" : "M");
      const line = sorted.map(([x, y], n) => `${go(n)}${across(x)} ${down(y)}`).join("");
      this.lines[i].setAttribute("d", sorted.length === 1 ? `${line}h0` : line); // one point is a dot
    });
  }
}
