"""Pointing, segmentation, drop, density, infidelity and ranks again: loops from the definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np


def pointing(M, inside, tolerance):
    """Hit and distance; the largest value is unique."""
    i, j = np.unravel_index(M.argmax(), M.shape)
    distance = min(math.hypot(i - a, j - b) for a, b in np.argwhere(inside))
    return float(distance == 0 or distance < tolerance), distance


def segmentation(M, inside, threshold):
    """Accuracy, IoU, outside over inside."""
    agree = both = either = 0
    out, within = [], []
    for at in np.ndindex(M.shape):
        yes, real = M[at] > threshold, bool(inside[at])
        agree, both, either = agree + (yes == real), both + (yes and real), either + (yes or real)
        (within if real else out).append(max(M[at], 0.0))
    return agree / M.size, both / either, np.mean(out) / np.mean(within)


def minmax(M):
    return (M - M.min()) / (M.max() - M.min())


def drop(score, x, M):
    """Drop and increase."""
    clean, masked = score(x), score(x * minmax(M))
    return max(0.0, clean - masked) / clean, float(masked > clean)


def density(score, x, M):
    """Positive and negative."""
    M = minmax(M)
    return score(x * M) / M.mean(), score(x * (1 - M)) / (1 - M).mean()


def infidelity(score, x, M, covered, b):
    """covered (draws, H, W) bool; b the baseline image; the best factor."""
    dots, changes = [], []
    for square in covered:
        gone = np.where(square, x - b, 0.0)
        dots.append(sum((gone[c] * M).sum() for c in range(len(x))))
        changes.append(score(x) - score(x - gone))
    beta = sum(d * c for d, c in zip(dots, changes, strict=True)) / sum(d * d for d in dots)
    return np.mean([(beta * d - c) ** 2 for d, c in zip(dots, changes, strict=True)])


def shapley(parts, value):
    """Mean contribution of each part over all orders; value(set of parts that are there)."""
    total = dict.fromkeys(parts, 0.0)
    orders = list(itertools.permutations(parts))
    for order in orders:
        there = set()
        for part in order:
            before = value(frozenset(there))
            there.add(part)
            total[part] += value(frozenset(there)) - before
    return [total[part] / len(orders) for part in parts]
