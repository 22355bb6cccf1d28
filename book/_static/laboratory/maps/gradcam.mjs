// Grad-CAM: w_k is the mean gradient of channel k.
import { perChannel } from "./tensor.mjs";

export const gradCam = (A, G) => perChannel(A, G, (a, g) => g).map((sum) => sum / (A.height * A.width));
