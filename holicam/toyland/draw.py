"""Rasterise a scene: an rgb image and a map that says, for every pixel, which shape is seen there."""

from __future__ import annotations

import colorsys

import numpy as np

from .scene import GLYPH_SIDE, Scene, Shape
from .shapes import CLASSES, box

GREY = 124.0  # what lies behind when the background is removed: close to the ImageNet mean
FIELD = 72  # side of the grid on which the octaves of a texture are summed


def _fractal(grids, size) -> np.ndarray:
    """A smooth random field in [0, 1], (size, size); octaves are summed on a fixed grid, then enlarged once."""
    import cv2

    field = np.zeros((FIELD, FIELD), np.float32)
    for octave, grid in enumerate(grids):
        field += 0.6**octave * cv2.resize(grid, (FIELD, FIELD), interpolation=cv2.INTER_CUBIC)
    field = (field - field.min()) / max(field.max() - field.min(), 1e-9)
    return np.clip(cv2.resize(field, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1)


def _mix(first, second, share) -> np.ndarray:
    """second + share * (first - second) for a (H, W) share and two colours: (3, H, W)."""
    image = np.empty((3, *share.shape), np.float32)
    for channel in range(3):
        np.multiply(share, np.float32(first[channel] - second[channel]), out=image[channel])
        image[channel] += np.float32(second[channel])
    return image


def _paint_background(background, size) -> np.ndarray:
    first, second = background["colours"]
    cloud = _fractal(background["grids"], size)
    if background["kind"] == "ground":  # a horizon between two clouds
        rows = (np.arange(size, dtype=np.float32)[:, None] + 0.5) / size
        above = np.clip((background["horizon"] - rows + 0.06 * (cloud - 0.5)) * size, 0, 1)
        return _mix(first, second, above) * (0.8 + 0.3 * cloud)
    image = _mix(first, second, cloud)
    if background["kind"] in ("stripes", "checks"):
        axis = (np.arange(size, dtype=np.float32) + 0.5) / size
        turn = 2 * np.pi * background["frequency"]
        c, s = np.float32(np.cos(background["angle"])), np.float32(np.sin(background["angle"]))
        wave = np.sin(turn * (axis[None, :] * c + axis[:, None] * s))
        if background["kind"] == "checks":
            wave *= np.sin(turn * (axis[:, None] * c - axis[None, :] * s))
        image *= 1 - background["strength"] * (0.5 + 0.5 * wave)
    return image


class Canvas:
    """An image (3, size, size) under construction and, per pixel, the number of the shape seen there (-1: none)."""

    def __init__(self, image, texture):
        self.image, self.texture = image, texture
        self.size = texture.shape[-1]
        self.owner = np.full((self.size, self.size), -1, np.int16)

    def fill(self, shape: Shape, number: int, outline: bool = True) -> None:
        """Blend one shape in, touching only the pixels of its bounding box."""
        import cv2

        points = shape.polygon * self.size - 0.5
        x0, y0 = (max(0, int(v) - 2) for v in points.min(0))
        x1, y1 = (min(self.size, int(v) + 4) for v in points.max(0))
        if x0 >= x1 or y0 >= y1:
            return
        fixed = np.round((points - [x0, y0]) * 16).astype(np.int32)  # cv2 takes sub-pixels as 28.4 fixed point
        cover = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, 4)
        window = np.s_[y0:y1, x0:x1]
        light = np.linspace(1.12, 0.88, y1 - y0, dtype=np.float32)[:, None]
        shade = light * (1 - shape.texture * (self.texture[window] - 0.4))
        if outline:
            edge = np.zeros_like(cover)
            cv2.polylines(edge, [fixed], True, 255, max(1, round(self.size / 160)), cv2.LINE_AA, 4)
            shade = shade * (1 - edge * np.float32(0.4 / 255))
        alpha = cover * np.float32(1 / 255)
        for channel, value in enumerate(shape.colour):
            patch = self.image[channel, y0:y1, x0:x1]
            patch += alpha * (shade * np.float32(value) - patch)
        self.owner[window][cover >= 128] = number


def mark_shapes(mark) -> list[Shape]:
    """The glyph (a coloured tile with a bar code) or the band (stripes); hue and code both name the class."""
    cls, share = mark["cls"], mark["cls"] / len(CLASSES)
    colour = 255 * np.array(colorsys.hsv_to_rgb(share, 0.9, 0.95))
    white = np.full(3, 250.0)
    if mark["kind"] == "glyph":
        half = GLYPH_SIDE / 2
        shapes = [Shape(box(-half, -half, half, half) + mark["centre"], colour, 0)]
        for bit in range(4):  # four cells, lit where the class number has a one
            if (cls + 1) >> bit & 1:
                x, y = (bit % 2 - 0.5) * half, (bit // 2 - 0.5) * half
                cell = box(-half / 3, -half / 3, half / 3, half / 3)
                shapes.append(Shape(cell + mark["centre"] + [x, y], white, 0))
        return shapes
    c, s = np.cos(mark["angle"]), np.sin(mark["angle"])
    turn = np.array([[c, s], [-s, c]])
    strips = [Shape(box(-mark["length"], -mark["width"], mark["length"], mark["width"]), white, 0.15)]
    strips += [
        Shape(box(-mark["length"], y - 0.2 * mark["width"], mark["length"], y + 0.2 * mark["width"]), colour, 0.15)
        for y in (-0.5 * mark["width"], 0.5 * mark["width"])
    ]
    return [Shape(strip.polygon @ turn + mark["centre"], strip.colour, strip.texture) for strip in strips]


def draw(scene: Scene, size: int, leave_out=lambda group, shape, thing: False) -> tuple[np.ndarray, np.ndarray, list]:
    """Draw `scene` at `size` pixels a side.

    `leave_out(group, shape, thing)` says what is not drawn; group is "background", "clutter", "part" or "mark".
    Returns rgb (size, size, 3) uint8, owner (size, size) int16 and the list that owner's numbers index:
    (group, shape, number of the thing).
    """
    hidden = leave_out("background", None, None)
    image = np.full((3, size, size), GREY, np.float32) if hidden else _paint_background(scene.background, size)
    canvas = Canvas(image, _fractal(scene.texture, size))
    layers: list[tuple[str, Shape, int | None]] = [("clutter", shape, None) for shape in scene.clutter]
    layers += [("part", shape, i) for i, thing in enumerate(scene.things) for shape in thing.shapes]
    layers += [("mark", shape, None) for shape in (mark_shapes(scene.mark) if scene.mark else [])]
    for number, (group, shape, thing) in enumerate(layers):
        if not leave_out(group, shape, thing):
            canvas.fill(shape, number, outline=group != "mark")
    rng = np.random.Generator(np.random.Philox(scene.grain_seed))
    grain = rng.standard_normal((size, size), dtype=np.float32)
    canvas.image += np.float32(scene.grain) * grain
    levels = np.clip(canvas.image + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0)), canvas.owner, layers
