// The methods of the laboratory. One whose `weights` are given needs a single pass, M = Σ_k W_k A_k on the layer's own
// grid, cut at 0 where `cut` says so; one with `fused` needs a pass for each size, and its map has the picture's.
import { cameras } from "./cameras.mjs";
import { gradCam } from "./gradcam.mjs";
import { gradCamPP } from "./gradcampp.mjs";
import { hiresCam } from "./hirescam.mjs";
import { holistic } from "./holistic.mjs";
import { layerCam } from "./layercam.mjs";
import { pge } from "./pge.mjs";
import { relu, weightedSum } from "./tensor.mjs";
import { xgradCam } from "./xgradcam.mjs";

export const METHODS = {
  "grad-cam": { title: "Grad-CAM", weights: gradCam, cut: true },
  "grad-cam++": { title: "Grad-CAM++", weights: gradCamPP, cut: true },
  "xgrad-cam": { title: "XGrad-CAM", weights: xgradCam, cut: true },
  "hires-cam": { title: "HiResCAM", weights: hiresCam, cut: true },
  "layer-cam": { title: "Layer-CAM", weights: layerCam, cut: true },
  pge: { title: "PGE", weights: pge, cut: false },
  cameras: { title: "CAMERAS, four sizes", fused: cameras },
  "holistic-cam": { title: "Holistic-CAM, fast", fused: holistic },
};

export const SIDE = 224; // pixels of the picture, and of a fused map

// The map of one layer. passes: [{A, G}] of that layer, one for each size; the first is the picture's own.
export function mapOf(name, passes) {
  const method = METHODS[name];
  if (method.fused) return method.fused(passes, SIDE);
  const { A, G } = passes[0], M = weightedSum(A, method.weights(A, G));
  return method.cut ? relu(M) : M;
}
