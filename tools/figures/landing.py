"""Make the picture and the explorer of the first page: python -m tools.figures.landing

One image, the network's answer, and four maps: what a map is, and what Holistic-CAM changes. The picture goes to
book/figures/landing.jpg, the explorer's data to book/_static/explorers/intro/, and its HTML into book/intro.md,
between `% begin explorer` and `% end explorer`.
"""

import os
import re

import holicam as hc
from holicam.notebook.stored import jpeg
from tools.ipynb import BOOK

PICTURE, PAGE = BOOK / "figures" / "landing.jpg", BOOK / "intro.md"
IMAGE = 17  # of the test images; chapter 01 meets it where Grad-CAM fails at the first stage
LAYERS = ["layer1", "layer2", "layer3", "layer4"]
METHODS = {"Grad-CAM": "grad-cam", "Holistic-CAM": "holistic-cam"}
CAPTION = (
    "Choose a method and a layer: Grad-CAM loses the object on the way to the first stage, "
    "Holistic-CAM keeps it and draws it finer."
)


def main() -> None:
    hc.setup(seed=0)
    model = hc.load_model("toy-resnet50")
    batch = hc.toyland.batch(1, split="test", start=IMAGE)
    target = model(batch.images).argmax(1)
    print(f"seen: {hc.toyland.CLASSES[target]}")

    maps = hc.explain_many(METHODS, model, batch.images, LAYERS, target)
    panels = {
        "Grad-CAM, last stage": maps["Grad-CAM"]["layer4"][0],
        "Grad-CAM, first stage": maps["Grad-CAM"]["layer1"][0],
        "Holistic-CAM, first stage": maps["Holistic-CAM"]["layer1"][0],
    }
    PICTURE.write_bytes(jpeg(hc.plot.maps(batch.rgb[0], panels)))

    os.chdir(BOOK)  # the explorer's files lie below the folder it is made in
    native = hc.explain_many(METHODS, model, batch.images, LAYERS, target, size="native")
    explorer = hc.explore(
        batch.rgb[0],
        native,
        name="intro/what",
        method="Holistic-CAM",
        layer="layer1",
        caption=CAPTION,
        alt="A drawn scene, and over it a map that can be switched between two "
        "methods and four layers; bright places are evidence for the class the network sees.",
    )
    text = PAGE.read_text(encoding="utf-8")
    html = f"% begin explorer\n\n{explorer}\n\n% end explorer"
    PAGE.write_text(
        re.sub(r"% begin explorer.*?% end explorer", lambda _: html, text, flags=re.DOTALL), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
