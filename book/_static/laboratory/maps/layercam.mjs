// Layer-CAM: each element weighs its own gradient where that is positive, and nothing elsewhere.
export const layerCam = (A, G) => G.data.map((g) => Math.max(g, 0));
