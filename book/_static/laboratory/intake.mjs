// How a photograph of the reader's own comes in: chosen, dropped anywhere on the page, pasted, or taken by the camera.
import { button, make } from "./dom.mjs";
import { camera } from "./photo.mjs";

// take: is given a file or a canvas; say: is given a sentence for the reader; place: where something may be dropped that
// is no file. Returns the controls.
export function intake(place, take, say) {
  const file = make("input", { type: "file", accept: "image/*", class: "lab-file", "aria-label": "your photograph",
    onchange: (e) => { if (e.target.files[0]) take(e.target.files[0]); e.target.value = ""; } });
  let open = false;
  const shoot = button("camera", async () => {
    if (open) return;
    open = true;
    try {
      const picture = await camera();
      if (picture) take(picture);
    } catch (error) {
      say(error.message);
    } finally {
      open = false;
    }
  });
  document.addEventListener("dragover", (e) => {
    if (e.dataTransfer.types.includes("Files") || place.contains(e.target)) e.preventDefault();
  });
  document.addEventListener("drop", (e) => {
    const dropped = e.dataTransfer.files[0];
    if (!dropped && !place.contains(e.target)) return;
    e.preventDefault(); // a browser would leave the page to show the file
    if (dropped) take(dropped); else say("This is no file: drop a picture from a folder, or choose one.");
  });
  document.addEventListener("paste", (e) => {
    const picture = [...(e.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (picture) take(picture);
  });
  return make("div", { class: "lab-own" }, make("span", {}, "or your own: choose, drop or paste a file"), file, shoot);
}
