"""The relevance family the slow way: dense matrices of contributions, in float64, one image.

A network is a plan, a list of (kind, sources, module). Its values are numbered, the image is 0.
Every convolution becomes the full matrix of its weights between all inputs and all outputs, so a
rule is what the papers write: sums over i and j. Nothing of holicam is imported.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


class PlanNet(nn.Module):
    """Runs a plan; `step<n>` is the module whose output is value n."""

    def __init__(self, plan, inplace=False):
        super().__init__()
        self.plan, self.inplace = [(kind, sources) for kind, sources, _ in plan], inplace
        for n, (_, _, module) in enumerate(plan, 1):
            self.add_module(f"step{n}", module or nn.Identity())
        self.eval()

    def forward(self, images):
        values = [images]
        for n, (kind, sources) in enumerate(self.plan, 1):
            x = [values[s] for s in sources]
            module = getattr(self, f"step{n}")
            if kind == "add":
                y = x[0].add_(x[1]) if self.inplace else x[0] + x[1]
            elif kind == "sub":
                y = x[0].sub_(x[1]) if self.inplace else x[0] - x[1]
            elif kind == "shift":
                y = x[0].add_(module.b) if self.inplace else x[0] + module.b
            elif kind == "scale":
                y = x[0].mul_(module.var) if self.inplace else module.var * x[0]
            elif kind == "join":
                y = torch.cat([x[0], module.b.expand(len(x[0]), -1, -1, -1)], 1)
            elif kind == "relu":
                y = nn.functional.relu(x[0], self.inplace)
            else:
                y = {"mean": lambda x: x.mean((2, 3)), "flatten": lambda x: x.flatten(1)}.get(kind, module)(x[0])
            values.append(module(y) if kind in ("add", "relu") else y)
        return values[-1]


class Constant(nn.Module):
    """A tensor that is in the network and not in the image."""

    def __init__(self, name, *shape):
        super().__init__()
        self.register_buffer(name, torch.zeros(shape))


def constant_plan():
    """A network that normalises its image, reads a map beside it, adds a learned map and subtracts."""
    return [
        ("shift", [0], Constant("b", 3, 1, 1)),
        ("scale", [1], Constant("var", 3, 1, 1)),
        ("join", [2], Constant("b", 1, 8, 10)),
        ("conv", [3], nn.Conv2d(4, 4, 3, padding=1)),
        ("shift", [4], Constant("b", 4, 8, 10)),
        ("relu", [5], None),
        ("maxpool", [6], nn.MaxPool2d(2)),
        ("conv", [7], nn.Conv2d(4, 5, 3, 2, 1)),
        ("conv", [7], nn.Conv2d(4, 5, 1, 2)),
        ("sub", [8, 9], None),
        ("relu", [10], None),
        ("conv", [11], nn.Conv2d(5, 5, 3, padding=1)),
        ("relu", [12], None),
        ("mean", [13], None),
        ("linear", [14], nn.Linear(5, 4)),
    ]


def residual_plan():
    return [
        ("conv", [0], nn.Conv2d(3, 4, 3, padding=1)),
        ("bn", [1], nn.BatchNorm2d(4)),
        ("relu", [2], None),
        ("maxpool", [3], nn.MaxPool2d(2)),
        ("conv", [4], nn.Conv2d(4, 6, 3, 2, 1, bias=False)),
        ("bn", [5], nn.BatchNorm2d(6)),
        ("relu", [6], None),
        ("conv", [7], nn.Conv2d(6, 6, 1)),
        ("bn", [8], nn.BatchNorm2d(6)),
        ("add", [9, 7], None),
        ("relu", [10], None),
        ("conv", [11], nn.Conv2d(6, 5, 3, padding=1, groups=1)),
        ("relu", [12], None),
        ("mean", [13], None),
        ("linear", [14], nn.Linear(5, 4)),
    ]


def flat_plan():
    return [
        ("conv", [0], nn.Conv2d(3, 4, 3)),
        ("relu", [1], None),
        ("maxpool", [2], nn.MaxPool2d(2)),
        ("conv", [3], nn.Conv2d(4, 5, 2)),
        ("relu", [4], None),
        ("flatten", [5], None),
        ("linear", [6], nn.Linear(5 * 2 * 3, 6)),
        ("relu", [7], None),
        ("linear", [8], nn.Linear(6, 4)),
    ]


def dense(weight, shape, stride, pad):
    """The weights between every output and input, and which weight each is (-1: none)."""
    (K, C, kh, kw), (_, h, w) = weight.shape, shape
    H, W = (h + 2 * pad - kh) // stride + 1, (w + 2 * pad - kw) // stride + 1
    M, which = np.zeros((K, H, W, C, h, w)), np.full((K, H, W, C, h, w), -1)
    numbers = np.arange(weight.size).reshape(weight.shape)
    for o, i, j, c, a, b in np.ndindex(K, H, W, C, kh, kw):
        y, x = i * stride + a - pad, j * stride + b - pad
        if 0 <= y < h and 0 <= x < w:
            M[o, i, j, c, y, x], which[o, i, j, c, y, x] = weight[o, c, a, b], numbers[o, c, a, b]
    return M.reshape(K * H * W, -1), which.reshape(K * H * W, -1), (K, H, W)


class Tape:
    """The forward pass of a PlanNet, every value kept; free: 0 where a value is a constant."""

    def __init__(self, net, image):
        self.x, self.plan, self.parts = [image.numpy().astype(float)], net.plan, {}
        self.free, self.first = [np.ones_like(self.x[0])], [kind for kind, _ in net.plan].index("conv") + 1
        for n, (kind, sources) in enumerate(net.plan, 1):
            module, x = getattr(net, f"step{n}"), [self.x[s] for s in sources]
            self.x.append(getattr(self, kind)(n, module, *x))
            self.free.append(np.ones_like(self.x[-1]))
            if kind == "join":
                self.free[-1][len(x[0]) :] = 0

    def conv(self, n, m, x):
        M, which, shape = dense(m.weight.detach().numpy(), x.shape, m.stride[0], m.padding[0])
        free = self.free[self.plan[n - 1][1][0]].ravel()
        self.parts[n] = (M * free, which, m.kernel_size != (1, 1), m.weight.numel())
        bias = 0 if m.bias is None else m.bias.detach().numpy()[:, None, None]
        return (M @ x.ravel()).reshape(shape) + bias

    def linear(self, n, m, x):
        self.parts[n] = (m.weight.detach().numpy(), None, False, 0)
        return self.parts[n][0] @ x + m.bias.detach().numpy()

    def bn(self, n, m, x):
        scale = (m.weight / (m.running_var + m.eps).sqrt()).detach().numpy()
        self.parts[n] = scale
        shift = m.bias.detach().numpy() - scale * m.running_mean.numpy()
        return x * scale[:, None, None] + shift[:, None, None]

    def relu(self, n, m, x):
        return np.maximum(x, 0)

    def maxpool(self, n, m, x):
        C, h, w = x.shape
        out, self.parts[n] = np.zeros((C, h // 2, w // 2)), {}
        for c, i, j in np.ndindex(out.shape):
            best = max(np.ndindex(2, 2), key=lambda p: x[c, 2 * i + p[0], 2 * j + p[1]])
            self.parts[n][c, i, j] = (c, 2 * i + best[0], 2 * j + best[1])
            out[c, i, j] = x[self.parts[n][c, i, j]]
        return out

    def add(self, n, m, a, b):
        return a + b

    def sub(self, n, m, a, b):
        return a - b

    def shift(self, n, m, x):
        return x + m.b.numpy()

    def scale(self, n, m, x):
        self.parts[n] = m.var.numpy()
        return x * self.parts[n]

    def join(self, n, m, x):
        return np.concatenate([x, m.b.numpy()])

    def mean(self, n, m, x):
        return x.mean((1, 2))

    def flatten(self, n, m, x):
        return x.ravel()

    def back(self, R, rules, start=None, stop=0):
        """Hand R back from value `start` (the last) to value `stop`, by rules[kind](tape, n, R, xs)."""
        found = {len(self.x) - 1 if start is None else start: R}
        for n in range(max(found), stop, -1):
            if n not in found:
                continue
            kind, sources = self.plan[n - 1]
            xs = [self.x[s] * self.free[s] for s in sources]
            for s, share in zip(sources, rules.get(kind, RULES[kind])(self, n, found[n], xs), strict=True):
                found[s] = found.get(s, 0) + share.reshape(self.x[s].shape)
        return found[stop]


def over(a, b):
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(np.shape(a), np.shape(b))), where=b != 0)


def shares(R, Z):
    """sum_i R_i Z_ij / sum_j Z_ij."""
    return over(R.ravel(), Z.sum(1)) @ Z


def winner(tape, n, R, xs):
    out = np.zeros_like(xs[0])
    for place, source in tape.parts[n].items():
        out[source] += R[place]
    return [out]


def zplus(tape, n, R, xs):
    return [shares(R, np.maximum(tape.parts[n][0] * xs[0].ravel(), 0))]


def alpha2beta1(tape, n, R, xs):
    Z = tape.parts[n][0] * xs[0].ravel()
    return [2 * shares(R, np.maximum(Z, 0)) - shares(R, np.minimum(Z, 0))]


def zbox(tape, n, R, xs):
    M, x = tape.parts[n][0], xs[0].ravel()
    image = x[tape.free[tape.plan[n - 1][1][0]].ravel() > 0]
    Z = M * x - np.maximum(M, 0) * image.min() - np.minimum(M, 0) * image.max()
    return [shares(R, Z)]


RULES = {
    "conv": lambda t, n, R, xs: zbox(t, n, R, xs) if n == t.first else zplus(t, n, R, xs),
    "linear": zplus,
    "bn": lambda t, n, R, xs: [R],
    "relu": lambda t, n, R, xs: [R],
    "maxpool": winner,
    "add": lambda t, n, R, xs: [x * over(R, xs[0] + xs[1]) for x in xs],
    "mean": lambda t, n, R, xs: [xs[0] * over(R, xs[0].sum((1, 2)))[:, None, None]],
    "flatten": lambda t, n, R, xs: [R],
    "shift": lambda t, n, R, xs: [R],
    "scale": lambda t, n, R, xs: [R],
    "join": lambda t, n, R, xs: [R[: len(t.x[t.plan[n - 1][1][0]])]],
    "sub": lambda t, n, R, xs: [xs[0] * over(R, xs[0] - xs[1]), -xs[1] * over(R, xs[0] - xs[1])],
}
SECOND = {
    "conv": lambda t, n, R, xs: zbox(t, n, R, xs) if n == t.first else alpha2beta1(t, n, R, xs),
    "linear": alpha2beta1,
}
GRADIENT = {
    "conv": lambda t, n, R, xs: [R.ravel() @ t.parts[n][0]],
    "linear": lambda t, n, R, xs: [R @ t.parts[n][0]],
    "bn": lambda t, n, R, xs: [R * t.parts[n][:, None, None]],
    "relu": lambda t, n, R, xs: [R * (xs[0] > 0)],
    "add": lambda t, n, R, xs: [R, R],
    "sub": lambda t, n, R, xs: [R, -R],
    "scale": lambda t, n, R, xs: [R * t.parts[n]],
    "mean": lambda t, n, R, xs: [np.ones_like(xs[0]) * (R / xs[0][0].size)[:, None, None]],
}


def one_hot(tape, c):
    return np.eye(len(tape.x[-1]))[c]


def lrp(tape, c, rules=RULES):
    return tape.back(one_hot(tape, c) * tape.x[-1][c], rules).sum(0)


def contrast(own, others):
    return own - others * own.sum() / others.sum()


def c_lrp(tape, c):
    S, e = tape.x[-1][c], one_hot(tape, c)
    return contrast(tape.back(S * e, RULES).sum(0), tape.back(S * (1 - e) / (len(e) - 1), RULES).sum(0))


def sglrp(tape, c):
    p, e = np.exp(tape.x[-1]) / np.exp(tape.x[-1]).sum(), one_hot(tape, c)
    return contrast(
        tape.back((p[c] * (1 - p[c]) + 1e-8) * e, RULES).sum(0), tape.back(p[c] * p * (1 - e), RULES).sum(0)
    )


def relevance_cam(tape, c, at):
    e = one_hot(tape, c)
    R = tape.back(e - (1 - e) / len(e), RULES, stop=at)
    return sum(R[k].mean() * tape.x[at][k] for k in range(len(R)))


GATED = {"relu": GRADIENT["relu"]}


def mwp(tape, c, at):
    return tape.back(one_hot(tape, c), GATED, stop=at).sum(0)


def c_mwp(tape, c, at):
    """Two whole runs down to the classifier's input, one with its weights negated."""
    last, e = len(tape.x) - 1, one_hot(tape, c)
    M, x = tape.parts[last][0], tape.x[last - 1]
    p, other = (shares(e, np.maximum(sign * M * x, 0)) for sign in (1, -1))
    return np.maximum(tape.back(p - other, GATED, start=last - 1, stop=at).sum(0), 0)


# RAP, RSP, AGF ------------------------------------------------------------------------------------


def shifted(C, amount):
    return C - (C != 0) * amount / max((C != 0).sum(), 1)


def absolute(tape, n, R, xs):
    return [shares(R, np.abs(tape.parts[n][0] * xs[0].ravel()))]


def rap_rule(tape, n, R, xs):
    M, _, kernel, _ = tape.parts[n]
    if tape.plan[n - 1][0] == "conv":
        if n == tape.first:
            return zbox(tape, n, R, xs)
        if not kernel:
            return absolute(tape, n, R, xs)
    x, R = np.maximum(xs[0].ravel(), 0), R.ravel()
    up, down = np.maximum(M, 0) * x, np.maximum(-M, 0) * x
    P, N = up.sum(1), down.sum(1)
    plus, minus = np.maximum(R, 0), np.minimum(R, 0)
    C = over(plus, P) @ up + over(plus + minus, P + N) @ down
    C = C + (over(minus, N) @ down if kernel else over(minus, P) @ up)
    return [shifted(C, C.sum() - R.sum())]


def rap(tape, c):
    return tape.back(one_hot(tape, c) * tape.x[-1][c], {"conv": rap_rule, "linear": rap_rule}).sum(0)


def rsp_rule(tape, n, R, xs):
    _, which, kernel, size = tape.parts[n]
    if n == tape.first:
        return zbox(tape, n, R, xs)
    x, R = np.maximum(xs[0].ravel(), 0), R.ravel()
    C = []
    for amount in (np.maximum(R, 0), np.maximum(-R, 0)):
        omega, there = np.zeros(size), which >= 0
        np.add.at(omega, which[there], np.outer(amount, x)[there])
        C.append(shares(amount, np.where(there, omega[which], 0) * x))
    return [shifted(2 * (C[0] - C[1]), R.sum()) if kernel else C[0] - C[1]]


def rsp_add(tape, n, R, xs):
    a, b = (np.maximum(x, 0) for x in xs)
    return [a * R / (a + b + 1e-9), b * R / (a + b + 1e-9)]


def rsp_sub(tape, n, R, xs):
    return rsp_add(tape, n, R, [xs[0], -xs[1]])


def rsp(tape, c, at):
    G, A = tape.back(one_hot(tape, c), GRADIENT, stop=at), tape.x[at]
    R = G.mean((1, 2), keepdims=True) * A
    return tape.back(R / (max(R.max(), 0) + 1e-9), {"conv": rsp_rule, "add": rsp_add, "sub": rsp_sub}, start=at).sum(0)


def sharpened_gradient(S, c):
    """d Y_c / d S by complex steps."""
    out, far = np.zeros(len(S)), int(np.abs(S - S[c]).argmax())
    for k in range(len(S)):
        T = S.astype(complex)
        T[k] += 1e-30j
        s = (T[far] - T[c]) * np.sign(S[far] - S[c])
        Y = np.exp(T[c] * np.exp(-0.5 * ((T - T[c]) / s) ** 2))
        out[k] = (Y[c] / Y.sum()).imag / 1e-30
    return out


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def factor(z, C):
    H, side = sigmoid(10 * z / z.max()).reshape(len(z), -1), C.mean(0).ravel()
    Q = np.stack([H[:, m].mean(1) if m.any() else np.zeros(len(H)) for m in (side < 0, side > 0)], 1)
    V = np.maximum(np.linalg.inv(Q.T @ Q + np.eye(2)) @ Q.T @ H, 0)
    return np.maximum(V[1] - V[0], 0).reshape(z.shape[1:])


def agf(tape, c):
    g = {}

    def note(rule):
        def noted(tape, n, R, xs):
            g[n] = rule(tape, n, R, xs)[0].reshape(xs[0].shape)
            return [g[n]]

        return noted

    rules = GRADIENT | {kind: note({**RULES, **GRADIENT}[kind]) for kind in ("conv", "linear", "flatten")}
    tape.back(sharpened_gradient(tape.x[-1], c), rules)

    def moment(n, x):
        M = np.maximum((x * g[n]).mean(0), 0)
        return M / M.max() if M.max() > 0 else M

    def conv(tape, n, R, xs):
        if n == tape.first:
            return zbox(tape, n, R, xs)
        C = absolute(tape, n, R, xs)[0].reshape(xs[0].shape)
        if not tape.parts[n][2]:
            return [C]
        A = shares(R, np.abs(tape.parts[n][0])).reshape(C.shape)
        r = (factor(xs[0], C) + moment(n, xs[0])) / (1 + np.exp(-C)) + factor(g[n], C) + A
        return [shifted(C + r * (C != 0), (r * (C != 0)).sum()) * (C != 0)]

    def linear(tape, n, R, xs):
        return [xs[0] * g[n]] if n == len(tape.x) - 1 else absolute(tape, n, R, xs)

    def flatten(tape, n, R, xs):
        C = R.reshape(xs[0].shape)
        r = (C != 0) * moment(n, xs[0])
        return [shifted(C + r, r.sum()) * (C != 0)]

    R = tape.back(one_hot(tape, c), {"conv": conv, "linear": linear, "flatten": flatten})
    return (R / R.max()).sum(0)


def random_net(plan, seed=0, inplace=False):
    """Weights from a seed, of a size that keeps every layer alive."""
    net, generator = PlanNet(plan, inplace), torch.Generator().manual_seed(seed)
    for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator)
            fan = tensor[0].numel() if tensor.dim() > 1 else 1
            tensor.data.copy_(
                0.5 + noise.abs()
                if name.endswith("var")
                else noise * (2 / fan) ** 0.5
                if tensor.dim() > 1
                else 0.3 * noise + 0.2
            )
    return net.double()
