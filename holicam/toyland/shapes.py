"""The ten Toyland classes as named parts: polygons in a unit frame, y pointing down, half extent about 1.

A class is a shape, never a colour alone: every part draws its colour from a *material*, and materials are shared
by several classes and by the clutter. Parts are listed from back to front.
"""

from __future__ import annotations

import numpy as np

CLASSES = ("fish", "house", "car", "rocket", "flower", "mushroom", "key", "butterfly", "sailboat", "cactus")

# material -> (hue range, saturation range, value range), hue in turns
MATERIALS = {
    "any": ((0.0, 1.0), (0.35, 0.9), (0.45, 0.95)),
    "dark": ((0.0, 1.0), (0.0, 0.4), (0.08, 0.3)),
    "light": ((0.05, 0.6), (0.05, 0.3), (0.85, 1.0)),
    "warm": ((0.0, 0.15), (0.6, 0.95), (0.75, 1.0)),
    "green": ((0.22, 0.45), (0.4, 0.85), (0.35, 0.8)),
    "wood": ((0.05, 0.12), (0.35, 0.65), (0.35, 0.7)),
}

Part = tuple[str, np.ndarray, str]  # name, polygon (k, 2), material


def ellipse(cx, cy, rx, ry, points=36, start=0.0, stop=2 * np.pi) -> np.ndarray:
    t = np.linspace(start, stop, points)
    return np.c_[cx + rx * np.cos(t), cy + ry * np.sin(t)]


def box(x0, y0, x1, y1) -> np.ndarray:
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def ring(cx, cy, outer, inner) -> np.ndarray:
    return np.r_[ellipse(cx, cy, outer, outer), ellipse(cx, cy, inner, inner)[::-1]]


def arm(side, base, reach, top) -> np.ndarray:
    """A cactus arm: out sideways from the trunk at height `base`, then up to `top`."""
    cap = ellipse(reach, top, 0.13, 0.13, 12, np.pi, 2 * np.pi)
    outline = np.r_[
        [[0.1, base + 0.13], [0.1, base - 0.13], [reach - 0.13, base - 0.13]], cap, [[reach + 0.13, base + 0.13]]
    ]
    return outline * [side, 1]


def fish(v) -> list[Part]:
    return [
        ("tail", np.array([[-0.45, 0], [-1, -v(0.45)], [-0.85, 0], [-1, v(0.45)]]), "any"),
        ("fin", np.array([[-0.1, -0.25], [0.2, -v(0.72)], [0.4, -0.2]]), "any"),
        ("body", ellipse(0.15, 0, v(0.75), v(0.42)), "any"),
        ("eye", ellipse(0.58, -0.1, 0.09, 0.09, 16), "dark"),
    ]


def house(v) -> list[Part]:
    return [
        ("wall", box(-0.72, -0.15, 0.72, 0.9), "any"),
        ("roof", np.array([[-0.95, -0.12], [0, -v(0.92)], [0.95, -0.12]]), "any"),
        ("door", box(-0.18, 0.3, 0.18, 0.9), "wood"),
        ("window", box(0.34, 0.12, 0.6, 0.42), "light"),
    ]


def car(v) -> list[Part]:
    return [
        ("cabin", np.array([[-0.55, 0], [-0.32, -v(0.55)], [0.32, -v(0.55)], [0.6, 0]]), "light"),
        ("body", np.array([[-1, 0.42], [-0.98, 0.02], [-0.6, -0.06], [0.7, -0.06], [1, 0.12], [1, 0.42]]), "any"),
        ("wheel 1", ellipse(-0.55, 0.42, v(0.26), v(0.26), 24), "dark"),
        ("wheel 2", ellipse(0.55, 0.42, v(0.26), v(0.26), 24), "dark"),
    ]


def rocket(v) -> list[Part]:
    hull = np.array([[-0.28, 0.65], [-0.3, -0.35], [-0.18, -0.75], [0, -1], [0.18, -0.75], [0.3, -0.35], [0.28, 0.65]])
    return [
        ("flame", np.array([[-0.2, 0.62], [-0.12, 0.9], [0, v(1.1)], [0.12, 0.9], [0.2, 0.62]]), "warm"),
        ("fin 1", np.array([[-0.26, 0.2], [-0.68, 0.8], [-0.26, 0.65]]), "any"),
        ("fin 2", np.array([[0.26, 0.2], [0.68, 0.8], [0.26, 0.65]]), "any"),
        ("body", hull, "any"),
        ("port", ellipse(0, -0.2, 0.14, 0.14, 20), "light"),
    ]


def flower(v) -> list[Part]:
    count = 5 + int(v(1.0) > 1.0)
    turn = 2 * np.pi / count
    petals = [
        (f"petal {i + 1}", ellipse(0.43 * np.cos(i * turn), -0.3 + 0.43 * np.sin(i * turn), 0.28, 0.28), "any")
        for i in range(count)
    ]
    leaf = np.array([[0.03, 0.75], [0.3, 0.4], [0.5, 0.45], [0.35, 0.7]])
    return [
        ("stem", box(-0.06, 0, 0.06, 1), "green"),
        ("leaf", leaf, "green"),
        *petals,
        ("core", ellipse(0, -0.3, v(0.22), v(0.22), 24), "warm"),
    ]


def mushroom(v) -> list[Part]:
    cap = ellipse(0, 0.05, v(0.88), v(0.8), 36, np.pi, 2 * np.pi)
    return [
        ("stalk", np.array([[-0.24, 0.9], [-0.15, 0], [0.15, 0], [0.24, 0.9]]), "light"),
        ("cap", cap, "any"),
        ("spot 1", ellipse(-0.4, -0.2, 0.13, 0.11, 20), "light"),
        ("spot 2", ellipse(0.05, -0.42, 0.14, 0.12, 20), "light"),
        ("spot 3", ellipse(0.45, -0.17, 0.12, 0.1, 20), "light"),
    ]


def key(v) -> list[Part]:
    return [
        ("shaft", box(-0.3, -0.09, 0.95, 0.09), "any"),
        ("tooth 1", box(0.5, 0.05, 0.64, v(0.38)), "any"),
        ("tooth 2", box(0.78, 0.05, 0.92, v(0.46)), "any"),
        ("bow", ring(-0.6, 0, v(0.4), 0.19), "any"),
    ]


def butterfly(v) -> list[Part]:
    return [
        ("antenna 1", np.array([[-0.02, -0.55], [-0.34, -1], [-0.26, -1], [0.03, -0.6]]), "dark"),
        ("antenna 2", np.array([[0.02, -0.55], [0.34, -1], [0.26, -1], [-0.03, -0.6]]), "dark"),
        ("upper wing 1", ellipse(-0.5, -0.33, v(0.46), v(0.42)), "any"),
        ("upper wing 2", ellipse(0.5, -0.33, v(0.46), v(0.42)), "any"),
        ("lower wing 1", ellipse(-0.38, 0.42, v(0.34), v(0.34)), "any"),
        ("lower wing 2", ellipse(0.38, 0.42, v(0.34), v(0.34)), "any"),
        ("body", ellipse(0, 0, 0.11, 0.7), "dark"),
    ]


def sailboat(v) -> list[Part]:
    return [
        ("mast", box(-0.05, -1, 0.05, 0.5), "wood"),
        ("sail", np.array([[0.09, -0.92], [0.09, 0.36], [v(0.8), 0.36]]), "any"),
        ("jib", np.array([[-0.09, -0.78], [-0.09, 0.36], [-v(0.58), 0.36]]), "any"),
        ("hull", np.array([[-0.92, 0.45], [0.92, 0.45], [0.6, 0.88], [-0.6, 0.88]]), "any"),
    ]


def cactus(v) -> list[Part]:
    trunk = np.r_[ellipse(0, -0.75, 0.22, 0.22, 20, np.pi, 2 * np.pi), [[0.22, 0.8], [-0.22, 0.8]]]
    return [
        ("arm 1", arm(1, v(0.1), 0.6, -0.4), "green"),
        ("arm 2", arm(-1, v(0.3), 0.58, -0.15), "green"),
        ("trunk", trunk, "green"),
        ("pot", np.array([[-0.42, 0.66], [0.42, 0.66], [0.3, 1], [-0.3, 1]]), "any"),
    ]


BUILDERS = {
    "fish": fish,
    "house": house,
    "car": car,
    "rocket": rocket,
    "flower": flower,
    "mushroom": mushroom,
    "key": key,
    "butterfly": butterfly,
    "sailboat": sailboat,
    "cactus": cactus,
}


def parts(name: str, rng: np.random.Generator) -> list[Part]:
    """The parts of one specimen of class `name`; proportions vary by up to 12 %."""
    return BUILDERS[name](lambda value: value * (1 + rng.uniform(-0.12, 0.12)))
