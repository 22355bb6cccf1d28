// Positive gradient enhancement: alpha times the positive gradient g of each element, with
//
//   alpha = 1 / (2 + s_k g + eps / g²),   s_k = the sum of channel k of A,
//
// which is g² / (2 g² + s_k g³ + eps) without numbers that vanish.
import { perChannel, perElement } from "./tensor.mjs";

const EPS = 1e-6;

export function pge(A, G) {
  const s = perChannel(A, G, (a) => a);
  return perElement(A, G, (a, g, k) => {
    const below = 2 + s[k] * g + EPS / g / g;
    return g > 0 && below !== 0 ? g / below : 0;
  });
}
