"""Extremal perturbation again: geometry in loops, the ascent by torch.optim.SGD. Nothing of holicam."""

from __future__ import annotations

import math

import numpy as np
import torch


def gaussian_along(length, sigma):
    """(length, length) row i: what output i takes of each input, the border's pixels repeated."""
    out, reach = np.zeros((length, length)), math.ceil(4 * sigma)
    for i in range(length):
        weights = [math.exp(-0.5 * (t / sigma) ** 2) if sigma else 1.0 for t in range(-reach, reach + 1)]
        for t, w in zip(range(-reach, reach + 1), weights, strict=True):
            out[i, min(max(i + t, 0), length - 1)] += w / sum(weights)
    return out


def blurred(x, sigma):
    return gaussian_along(x.shape[-2], sigma) @ x @ gaussian_along(x.shape[-1], sigma).T


def levels(x, count, sigma):
    """(count, 3, H, W), the strongest blur first."""
    return np.stack([blurred(x, sigma * (count - 1 - k) / (count - 1)) for k in range(count)])


def blended(pyramid, m):
    """(3, H, W) tensor from (levels, 3, H, W) and m (H, W): each pixel between its two levels."""
    top = len(pyramid) - 1
    rows = []
    for i, j in np.ndindex(*m.shape):
        low = min(math.floor(float(m[i, j].detach()) * top), top - 1)
        share = m[i, j] * top - low
        rows.append(pyramid[low, :, i, j] * (1 - share) + pyramid[low + 1, :, i, j] * share)
    return torch.stack(rows, 1).view(-1, *m.shape)


class Geometry:
    """For each pixel of the canvas its neighbours' numbers (-1: beyond the grid) and weights."""

    def __init__(self, size, step, reach, coldness):
        self.size, self.reach, self.coldness = size, reach, coldness
        self.grid = h, w = [math.ceil(n / step) for n in size]
        radius = math.ceil(reach / step) + 1
        ys, xs = (range(-reach, (n - 1) * step + reach + 1) for n in (h, w))
        self.canvas = len(ys), len(xs)
        number, weight = [], []
        for y in ys:
            for x in xs:
                near = []
                for i in range(y // step - radius, y // step + radius + 1):
                    for j in range(x // step - radius, x // step + radius + 1):
                        z = math.hypot(y - step * i, x - step * j) / reach
                        inside = 0 <= i < h and 0 <= j < w
                        near.append((i * w + j if inside else -1, math.exp(-2 * max(0.0, z - 0.5) ** 2)))
                number.append([n for n, _ in near])
                weight.append([v for _, v in near])
        self.number, self.weight = torch.tensor(number), torch.tensor(weight, dtype=torch.float64)

    def mask(self, p):
        """(canvas), p (h, w)."""
        values = torch.cat([p.flatten(), p.new_zeros(1)])[self.number] * self.weight
        powers = torch.exp(self.coldness * values)
        return ((values * powers).sum(1) / powers.sum(1)).clamp(0, 1).view(self.canvas)

    def crop(self, canvas):
        r = self.reach
        return canvas[r : r + self.size[0], r : r + self.size[1]]


def extremal(
    net,
    x,
    c,
    area,
    *,
    steps,
    step,
    reach,
    levels_=8,
    sigma=20.0,
    weight=300.0,
    growth=1.0035,
    rate=0.01,
    momentum=0.9,
    coldness=20.0,
    flip=True,
    kind="logit",
):
    """One mask (H, W) for one image (3, H, W) and area."""
    geometry = Geometry(x.shape[1:], step, reach, coldness)
    pyramid = torch.tensor(levels(x, levels_, sigma))
    p = torch.ones(*geometry.grid, dtype=torch.float64, requires_grad=True)
    ascent = torch.optim.SGD([p], lr=rate, momentum=momentum, dampening=momentum)
    pixels = geometry.canvas[0] * geometry.canvas[1]
    wanted = torch.tensor([0.0 if n < int(pixels * (1 - area)) else 1.0 for n in range(pixels)])
    for t in range(steps):
        canvas = geometry.mask(p)
        shown = blended(pyramid, geometry.crop(canvas))
        shown = shown.flip(2) if flip and t % 2 == 0 else shown
        logits = net(shown[None])[0]
        reward = logits[c] if kind == "logit" else logits.softmax(0)[c]
        rounded = [round(float(v) * 8192) for v in canvas.detach().flatten()]  # ties: the later is larger
        ranked = canvas.flatten()[sorted(range(pixels), key=lambda n: rounded[n])]
        energy = reward - weight * growth**t * ((ranked - wanted) ** 2).mean()
        ascent.zero_grad()
        (p.grad,) = torch.autograd.grad(-energy, p)
        ascent.step()
        with torch.no_grad():
            p.clamp_(0, 1)
    return geometry.crop(geometry.mask(p)).detach().numpy()
