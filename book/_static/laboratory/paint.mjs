// A map over its photograph, as everywhere in the book: the more evidence, the more opaque the map and the greyer the
// photograph below it.
import { make } from "./dom.mjs";
import { SIDE } from "./maps/methods.mjs";
import { normalise } from "./maps/tensor.mjs";
import { upsample } from "./maps/upsample.mjs";

const COVER = 2; // as in holicam/notebook/overlay.py: from half its scale on a map hides all of its picture that it may

export const colours = (text) => Uint8Array.from(text.match(/../g), (two) => parseInt(two, 16));

// A map in colours on a canvas of its own; below the threshold, 0..1 of its own scale, it is not seen.
function coloured(M, table, threshold) {
  const values = upsample(normalise(M), SIDE, SIDE).data;
  const canvas = make("canvas", { width: SIDE, height: SIDE }), context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  for (let p = 0; p < values.length; p++) {
    const v = Math.min(Math.max(values[p], 0), 1), level = Math.round(255 * v);
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = table[3 * level + c];
    image.data[4 * p + 3] = v >= threshold ? Math.round(255 * Math.min(COVER * v, 1)) : 0;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

export function paint(canvas, photo, M, table, { opacity = 80, threshold = 0 } = {}) {
  const context = canvas.getContext("2d"), { width, height } = canvas;
  context.imageSmoothingQuality = "high";
  context.globalAlpha = 1;
  context.drawImage(photo.square, 0, 0, width, height);
  if (!M) return;
  const over = coloured(M, table, threshold / 100), below = make("canvas", { width, height });
  const grey = below.getContext("2d");
  grey.filter = "grayscale(1)"; // where a browser has no filters, the colours below stay
  grey.drawImage(photo.square, 0, 0, width, height);
  grey.filter = "none";
  grey.globalCompositeOperation = "destination-in";
  grey.drawImage(over, 0, 0, width, height);
  context.globalAlpha = opacity / 100;
  context.drawImage(below, 0, 0);
  context.drawImage(over, 0, 0, width, height);
  context.globalAlpha = 1;
}

// The pixels that the network is given, as they are.
export function paintPixels(canvas, rgb) {
  const small = make("canvas", { width: SIDE, height: SIDE }), context = small.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  for (let p = 0; p < SIDE * SIDE; p++) {
    for (let c = 0; c < 3; c++) image.data[4 * p + c] = rgb[3 * p + c];
    image.data[4 * p + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  canvas.getContext("2d").drawImage(small, 0, 0, canvas.width, canvas.height);
}
