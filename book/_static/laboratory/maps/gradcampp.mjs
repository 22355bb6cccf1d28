// Grad-CAM++: w_k = Σ alpha g over the places of channel k, so the enhanced gradient summed up.
import { pge } from "./pge.mjs";
import { perChannel, tensor } from "./tensor.mjs";

export const gradCamPP = (A, G) => (
  perChannel(A, tensor(pge(A, G), A.channels, A.height, A.width), (a, w) => w));
