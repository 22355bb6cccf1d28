// Holistic-CAM: the enhanced gradients fused over sizes, times the low-pass wrap of the first size's own map.
import { fuse } from "./fuse.mjs";
import { lowPass } from "./lowpass.mjs";
import { pge } from "./pge.mjs";
import { map } from "./tensor.mjs";

export function holistic(passes, side) {
  const scales = passes.map(({ A, G }) => ({ A, W: pge(A, G) }));
  const fused = fuse(scales, side), wrap = lowPass(fuse(scales.slice(0, 1), side));
  return map(fused.data.map((v, p) => v * wrap.data[p]), side, side);
}
