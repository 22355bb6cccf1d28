// Photographs: those that come with the page, and the reader's own, which never leave it.
import { make } from "./dom.mjs";

const SHOWN = 448; // pixels of the square that is looked at
const READ = 2048; // of the shorter side that is read: a phone's memory is small
const LONGEST = 3; // of a panorama, the middle three squares are read

async function bitmap(source) {
  try {
    return await createImageBitmap(source);
  } catch {
    const what = source.type && !source.type.startsWith("image/") ? `This is no picture (${source.type})`
      : "This file could not be read as a picture";
    throw new Error(`${what}: choose a JPEG, PNG or WebP file.`);
  }
}

// A sample of the page: the very pixels of the book, and a larger copy to look at.
export async function sample(picture, files) {
  const [pixels, image] = await Promise.all([`${picture.name}.rgb`, `${picture.name}.jpg`].map(async (name) => {
    const answer = await fetch(new URL(name, files)).catch(() => null);
    if (!answer?.ok) {
      throw new Error(`The photograph ${picture.title} did not come${answer ? ` (${answer.status})` : ""}.`);
    }
    return answer.blob();
  }));
  const square = make("canvas", { width: SHOWN, height: SHOWN });
  square.getContext("2d").drawImage(await bitmap(image), 0, 0, SHOWN, SHOWN);
  return { ...picture, square, rgb: new Uint8Array(await pixels.arrayBuffer()) };
}

// Against fingerprinting some browsers give a page other pixels than were drawn: no map may be read from those.
function readable() {
  const context = make("canvas", { width: 8, height: 8 }).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "rgb(10 120 230)";
  context.fillRect(0, 0, 8, 8);
  return context.getImageData(0, 0, 8, 8).data.every((v, i) => Math.abs(v - [10, 120, 230, 255][i % 4]) < 4);
}

// The reader's own: a file, or a picture from the clipboard or the camera. Rotation is what the file says.
export async function own(source, engine, preprocessing) {
  const canvas = smaller(source instanceof Blob ? await bitmap(source) : source), { width, height } = canvas;
  if (!readable()) {
    throw new Error("This browser gives a page other pixels than it shows, against being recognised: allow it to read "
      + "pictures here, or use another one.");
  }
  let picture;
  try {
    picture = canvas.getContext("2d").getImageData(0, 0, width, height);
  } catch {
    throw new Error("This picture is too large for the memory that is left: make it smaller, or close other pages.");
  }
  const rgb = await engine.ask("prepare", { picture });
  const side = (Math.min(width, height) * preprocessing.size) / preprocessing.resize; // of the square that is seen
  const square = make("canvas", { width: SHOWN, height: SHOWN });
  square.getContext("2d").drawImage(canvas, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SHOWN, SHOWN);
  return { name: "own", title: "your photograph", credit: "Your own photograph; it has not left this page.", square, rgb };
}

// A canvas with as much of a picture as is read, over white.
function smaller(picture) {
  const short = Math.min(picture.width, picture.height), scale = Math.min(1, READ / short);
  const [width, height] = [picture.width, picture.height].map((n) => Math.round(scale * Math.min(n, LONGEST * short)));
  const canvas = make("canvas", { width, height }), context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // what shines through a transparent picture
  context.fillRect(0, 0, width, height);
  const [w, h] = [width / scale, height / scale];
  context.drawImage(picture, (picture.width - w) / 2, (picture.height - h) / 2, w, h, 0, 0, width, height);
  picture.close?.(); // hundreds of MB of a large one
  return canvas;
}

// One picture from the camera, in a dialog. Resolves with a canvas, or null where the reader closes it.
export async function camera() {
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    throw new Error(error?.name === "NotAllowedError" ? "The camera was not allowed: allow it, or choose a file."
      : "No camera was found here: choose a file instead.");
  }
  const video = make("video", { autoplay: true, playsinline: true, muted: true });
  video.srcObject = stream;
  const take = make("button", { type: "submit", value: "take", disabled: true }, "take the picture");
  video.addEventListener("loadeddata", () => { take.disabled = false; }); // before that there is none
  const dialog = make("dialog", { class: "lab-camera", "aria-label": "camera" },
    make("form", { method: "dialog" }, video, take, make("button", { type: "submit", value: "" }, "close")));
  document.body.append(dialog);
  dialog.showModal();
  const said = await new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue)));
  const canvas = make("canvas", { width: video.videoWidth, height: video.videoHeight });
  if (said === "take" && video.videoWidth) canvas.getContext("2d").drawImage(video, 0, 0);
  for (const track of stream.getTracks()) track.stop();
  dialog.remove();
  return said === "take" && video.videoWidth ? canvas : null;
}
