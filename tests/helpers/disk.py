"""Small data sets and weight files in their real layout on disk, written by the tests. The pictures are drawn here."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

WHITE = 255


def picture(width: int, height: int, box: tuple[int, int, int, int] | None = None, seed: int = 0) -> Image.Image:
    """Dark noise with the box x0 y0 x1 y1 (half open) painted white."""
    pixels = np.random.default_rng(seed).integers(0, 40, (height, width, 3)).astype(np.uint8)
    if box is not None:
        pixels[box[1] : box[3], box[0] : box[2]] = WHITE
    return Image.fromarray(pixels)


def save(path: Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **({"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg") else {}))


def break_off(path: Path) -> None:
    """A file whose second half never arrived."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def box_file(path: Path, size: tuple[int, int], things: list[tuple]) -> None:
    """PASCAL's XML; things are (class, x0, y0, x1, y1[, difficult])."""
    objects = "".join(
        f"<object><name>{t[0]}</name><pose>Left</pose><truncated>0</truncated><difficult>{t[5] if len(t) > 5 else 0}"
        f"</difficult><bndbox><xmin>{t[1]}</xmin><ymin>{t[2]}</ymin><xmax>{t[3]}</xmax><ymax>{t[4]}</ymax></bndbox>"
        "</object>"
        for t in things
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><folder>x</folder><size><width>{size[0]}</width><height>{size[1]}</height>"
        f"<depth>3</depth></size>{objects}</annotation>"
    )


WNIDS = [f"n{10_000_000 + 17 * i:08d}" for i in range(1000)]


def imagenet(root: Path, layout: str = "folders", count: int = 4) -> list[str]:
    """`count` images of classes 3, 5, 7, ...; the third has two boxes. layout: folders, flat or kaggle."""
    names = [f"ILSVRC2012_val_{i + 1:08d}" for i in range(count)]
    labels = [3 + 2 * i for i in range(count)]
    images = root / ("val" if layout != "kaggle" else "ILSVRC/Data/CLS-LOC/val")
    boxes = root / ("bbox_val" if layout != "kaggle" else "ILSVRC/Annotations/CLS-LOC/val")
    if layout == "folders":
        for wnid in WNIDS:
            (images / wnid).mkdir(parents=True)
    for i, (name, label) in enumerate(zip(names, labels, strict=True)):
        here = images / WNIDS[label] if layout == "folders" else images
        save(here / f"{name}.JPEG", picture(300, 260, (60, 50, 180, 170), seed=i))
        things = [(WNIDS[label], 60, 50, 180, 170)] + [(WNIDS[label], 200, 10, 280, 40)] * (i == 2)
        box_file(boxes / f"{name}.xml", (300, 260), things)
    if layout == "flat":
        lines = [f"{n}.JPEG {k}" for n, k in zip(names, labels, strict=True)]
        (root / "val.txt").write_text("\n".join(lines) + "\n")
    if layout == "kaggle":
        (root / "LOC_synset_mapping.txt").write_text("".join(f"{w} thing {i}\n" for i, w in enumerate(WNIDS)))
        lines = [f"{n},{WNIDS[k]} 60 50 180 170 " for n, k in zip(names, labels, strict=True)]
        (root / "LOC_val_solution.csv").write_text("ImageId,PredictionString\n" + "\n".join(lines) + "\n")
    return names


def voc(root: Path) -> list[str]:
    """Three images: a dog and two cats, one of them difficult; a difficult bus alone; a person."""
    base, names = root / "VOCdevkit" / "VOC2007", ["000001", "000002", "000003"]
    things = [
        [("dog", 31, 21, 80, 60), ("cat", 1, 1, 10, 10, 1), ("cat", 101, 61, 120, 80)],
        [("bus", 31, 21, 80, 60, 1)],
        [("person", 31, 21, 80, 60)],
    ]
    for i, (name, found) in enumerate(zip(names, things, strict=True)):
        save(base / "JPEGImages" / f"{name}.jpg", picture(120, 80, (30, 20, 80, 60), seed=i))
        box_file(base / "Annotations" / f"{name}.xml", (120, 80), found)
    (base / "ImageSets" / "Main").mkdir(parents=True)
    (base / "ImageSets" / "Main" / "test.txt").write_text("\n".join(names) + "\n")
    return names


def coco(root: Path) -> list[str]:
    """Two annotated images and one without; categories 1, 18 and 90; one crowd in run lengths."""
    names = [f"COCO_val2014_{i:012d}" for i in (42, 73, 74)]
    for i, name in enumerate(names):
        save(root / "val2014" / f"{name}.jpg", picture(100, 60, (20, 10, 60, 40), seed=i))
    square = [20, 10, 60, 10, 60, 40, 20, 40]
    runs = [60 * 50 + 5, 10, 60 * 50 - 15]  # column 50, rows 5 to 14, counted down the columns
    things = [
        {"image_id": 42, "category_id": 18, "bbox": [20, 10, 40, 30], "segmentation": [square], "iscrowd": 0},
        {
            "image_id": 42,
            "category_id": 1,
            "bbox": [50, 5, 1, 10],
            "iscrowd": 1,
            "segmentation": {"counts": runs, "size": [60, 100]},
        },
        {"image_id": 73, "category_id": 90, "bbox": [20, 10, 40, 30], "segmentation": [square], "iscrowd": 0},
    ]
    path = root / "annotations" / "instances_val2014.json"
    path.parent.mkdir(parents=True)
    path.write_text(
        json.dumps(
            {
                "images": [
                    {"id": i, "file_name": f"{n}.jpg", "width": 100, "height": 60}
                    for i, n in zip((42, 73, 74), names, strict=True)
                ],
                "categories": [
                    {"id": 90, "name": "toothbrush"},
                    {"id": 1, "name": "person"},
                    {"id": 18, "name": "dog"},
                ],
                "annotations": things,
            }
        )
    )
    return names[:2]


def mura(root: Path) -> list[str]:
    """Two wrists and an elbow; grey, one of them 16 bits deep."""
    base = root / "MURA-v1.1"
    paths = [
        "valid/XR_WRIST/patient11185/study1_positive/image1.png",
        "valid/XR_WRIST/patient11186/study1_negative/image1.png",
        "valid/XR_ELBOW/patient11186/study2_negative/image1.png",
    ]
    for i, path in enumerate(paths):
        save(base / path, picture(90, 120, (20, 30, 60, 80), seed=i).convert("L"))
    (base / "valid_image_paths.csv").write_text("".join(f"MURA-v1.1/{p}\n" for p in paths))
    (base / "valid_labeled_studies.csv").write_text(
        "".join(f"MURA-v1.1/{p.rsplit('/', 1)[0]}/,{int('positive' in p)}\n" for p in paths)
    )
    return paths


def imagenet_segmentation(root: Path, count: int = 2) -> None:
    """As MATLAB writes it: every array turned round, cells of references."""
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    with h5py.File(root / "gtsegs_ijcv.mat", "w") as file:
        images = file.create_dataset("value/img", (count, 1), h5py.ref_dtype)
        truths = file.create_dataset("value/gt", (count, 1), h5py.ref_dtype)
        for i in range(count):
            rgb = np.asarray(picture(90, 60, (20, 10, 50, 40), seed=i))
            mask = np.zeros((60, 90), np.int8)
            mask[10:40, 20:50] = 1
            mask[0, :] = -1
            file[f"#refs#/i{i}"] = rgb.transpose(2, 1, 0)
            file[f"#refs#/m{i}"] = mask.T
            cell = file.create_dataset(f"#refs#/c{i}", (1, 1), h5py.ref_dtype)
            cell[0, 0] = file[f"#refs#/m{i}"].ref
            images[i, 0], truths[i, 0] = file[f"#refs#/i{i}"].ref, cell.ref


def caltech(root: Path) -> None:
    """Two kinds, one of which has another name among the annotations, and the clutter folder."""
    from scipy.io import savemat

    base = root / "caltech101"
    for kind, told in (("Faces", "Faces_2"), ("accordion", "accordion")):
        for i in (1, 2):
            drawn = picture(100, 80, (20, 10, 60, 50), seed=i)
            save(base / "101_ObjectCategories" / kind / f"image_{i:04d}.jpg", drawn)
            (base / "Annotations" / told).mkdir(parents=True, exist_ok=True)
            contour = np.array([[0, 39, 39, 0], [0, 0, 39, 39]], float)  # x above y, from the box's corner
            savemat(
                base / "Annotations" / told / f"annotation_{i:04d}.mat",
                {"box_coord": np.array([[11, 50, 21, 60]]), "obj_contour": contour},
            )
    (base / "101_ObjectCategories" / "BACKGROUND_Google").mkdir()


def pet(root: Path) -> list[str]:
    """Two breeds; only the first has a head box."""
    base, names = root / "oxford-iiit-pet", ["Abyssinian_201", "american_bulldog_203"]
    for i, name in enumerate(names):
        save(base / "images" / f"{name}.jpg", picture(100, 80, (20, 10, 60, 50), seed=i))
        trimap = np.full((80, 100), 2, np.uint8)
        trimap[9:51, 19:61] = 3
        trimap[11:49, 21:59] = 1
        save(base / "annotations" / "trimaps" / f"{name}.png", Image.fromarray(trimap))
    (base / "annotations" / "test.txt").write_text("Abyssinian_201 1 1 1\namerican_bulldog_203 2 2 1\n")
    box_file(base / "annotations" / "xmls" / f"{names[0]}.xml", (100, 80), [("cat", 25, 15, 45, 30)])
    return names


def weights(checkpoints: Path, entry, state: object, monkeypatch) -> Path:
    """`state` among torch's cached files, under a name that promises its hash; torchvision's entry says so too."""
    checkpoints.mkdir(parents=True, exist_ok=True)
    made = checkpoints / "made.pth"
    torch.save(state, made)
    name = entry.url.rsplit("/", 1)[1].rpartition("-")[0]
    path = made.rename(checkpoints / f"{name}-{hashlib.sha256(made.read_bytes()).hexdigest()[:8]}.pth")
    monkeypatch.setattr(entry.value, "url", f"https://nowhere.invalid/{path.name}")
    return path


WRITERS = {
    "imagenet": imagenet,
    "imagenet-segmentation": imagenet_segmentation,
    "voc2007": voc,
    "coco2014": coco,
    "mura": mura,
    "caltech101": caltech,
    "oxford-pet": pet,
}
