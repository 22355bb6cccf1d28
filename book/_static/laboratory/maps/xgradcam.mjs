// XGrad-CAM: w_k = Σ A_k G_k / Σ A_k, the gradient averaged with the activations as weights; 0 for a channel of zeros.
import { perChannel } from "./tensor.mjs";

const EPS = 1e-7;

export function xgradCam(A, G) {
  const total = perChannel(A, G, (a) => a), both = perChannel(A, G, (a, g) => a * g);
  return both.map((sum, k) => (Math.abs(total[k]) <= EPS ? 0 : sum / (total[k] + Math.sign(total[k]) * EPS)));
}
