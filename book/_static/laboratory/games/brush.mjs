// The reader's own brush over a picture: drawn with a pointer, or moved with the arrow keys and put down with the space
// bar. What it touched is a set of pixels.
import { outlined } from "../dom.mjs";

const SWIPE = 8; // pixels across that a finger moves before it paints
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Brush {
  // side: pixels of the picture along a side; changed: is called after each touch and each move.
  constructor(canvas, side, radius, changed) {
    Object.assign(this, { canvas, side, radius, changed, touched: new Set(), at: [side / 2, side / 2], held: false });
    canvas.addEventListener("pointerdown", (e) => {
      this.begun = e.button === 0; // another button opens a menu
      if (e.pointerType === "touch") this.down = e; else if (this.begun) this.drag(e);
    });
    canvas.addEventListener("pointermove", (e) => {
      if (!(e.buttons & 1)) this.begun = false;
      if (!this.begun || (this.down && Math.abs(e.clientX - this.down.clientX) < SWIPE)) return; // the page may be scrolled
      this.down = null;
      this.drag(e);
    });
    const end = () => { this.down = null; this.begun = false; };
    canvas.addEventListener("pointerup", (e) => { if (this.down) this.drag(e); end(); }); // a tap
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("keydown", (e) => this.press(e));
    for (const kind of ["focus", "blur"]) {
      canvas.addEventListener(kind, () => { this.held = kind === "focus" && canvas.matches(":focus-visible"); changed(false); });
    }
  }

  drag(event) {
    const box = this.canvas.getBoundingClientRect();
    this.at = [(this.side * (event.clientX - box.left)) / box.width, (this.side * (event.clientY - box.top)) / box.height];
    this.touch();
  }

  press(event) {
    const move = KEYS[event.key], down = event.key === " " || event.key === "Enter";
    if ((!move && !down) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // the page has keys of its own
    this.held = true;
    if (down) { this.touch(); return; }
    this.at = this.at.map((v, i) => Math.min(Math.max(v + (move[i] * this.radius) / 2, 0), this.side));
    this.changed(false);
  }

  touch() {
    const [x, y] = this.at, { side, radius } = this, inside = (v) => Math.min(Math.max(v, 0), side - 1);
    for (let row = inside(Math.floor(y - radius)); row <= inside(Math.ceil(y + radius)); row++) {
      for (let column = inside(Math.floor(x - radius)); column <= inside(Math.ceil(x + radius)); column++) {
        if (Math.hypot(column - x, row - y) <= radius) this.touched.add(row * side + column);
      }
    }
    this.changed(true);
  }

  // Where the brush is, for who moves it by keys.
  ring() {
    if (!this.held) return;
    const scale = this.canvas.width / this.side;
    outlined(this.canvas, (context) => {
      context.beginPath();
      context.arc(this.at[0] * scale, this.at[1] * scale, this.radius * scale, 0, 2 * Math.PI);
      context.stroke();
    });
  }
}
