"""Answers that students give, {assignment: {cell: its lines}}, and the tests that they must fail."""

WRONG = {
    "hour": {
        # Grad-CAM++ as a mean, as Grad-CAM is one
        "by-hand": """
grad_cam = [sum(map(sum, G)) / 4 for G in (G1, G2)]
channels = (A1, G1), (A2, G2)
grad_cam_pp = [sum(g / (2 + sum(map(sum, A)) * g) for row in G for g in row if g > 0) / 4 for A, G in channels]
grad_cam_map = [max(0, grad_cam[0] * A1[i][j] + grad_cam[1] * A2[i][j]) for i in (0, 1) for j in (0, 1)]
""",
        # sigma of the whole batch
        "in-code": """
def two_weights(A, G):
    g = G.relu()
    return G.mean((2, 3), keepdim=True), (g / (2 + A.sum() * g)).sum((2, 3), keepdim=True)
""",
        # negative values count
        "read": """
QUARTERS = ("upper left", "upper right", "lower left", "lower right")

def quarters(M):
    h, w = M.shape[0] // 2, M.shape[1] // 2
    parts = M[:h, :w], M[:h, w:], M[h:, :w], M[h:, w:]
    return {name: (part.sum() / M.sum()).item() for name, part in zip(QUARTERS, parts)}

shares = quarters(seen)
brightest = max(shares, key=shares.get)
its_share = shares[brightest]
""",
        # ranks without ties
        "doubt": """
def rank_agreement(a, b):
    a, b = (x.flatten().argsort().argsort().double() for x in (a, b))
    return torch.corrcoef(torch.stack([a, b]))[0, 1].item()
""",
    },
    "evening": {
        # eps left out, for it "only guards against zero"
        "method": """
def layer_cam(A, G):
    return (G.relu() * A).sum(1).relu()

def pge_map(A, G, eps=1e-6):
    g = G.relu()
    return (g / (2 + A.sum((2, 3), keepdim=True) * g) * A).sum(1).relu()
""",
        # deletion that takes the smallest first, and an area that is a mean of the points
        "judge": """
def curve(model, x, M, target, steps, game):
    order = M.flatten().argsort(descending=game == "insertion", stable=True)
    pictures = []
    for k in range(steps + 1):
        shown = torch.full((M.numel(),), game == "deletion")
        shown[order[: round(k * M.numel() / steps)]] = game == "insertion"
        pictures.append(x * shown.view(M.shape))
    with torch.no_grad():
        return model(torch.stack(pictures)).softmax(1)[:, target]

def area(points):
    return points.mean().item()
""",
        # one noise map, and the comparison the wrong way round
        "noise-wins": """
METHODS = ("Grad-CAM", "Layer-CAM", "PGE")
scores = {(method, layer): 0.1 for method in METHODS for layer in LAYERS}
of_noise = 0.0
beaten = {pair for pair, score in scores.items() if score > of_noise}
""",
    },
    "week": {
        # no controls
        "plan": '''
CONFIGURATION = f"""
networks = ["{NETWORK}"]
layers = ["{LAYER}"]
explainers = ["{ONE}", "{OTHER}"]
metrics = ["{METRIC}"]
target = "label"

[dataset]
name = "toyland"
n = 40
size = 96
seed = WORLD
subset = "SUBSET"
"""
''',
        # not paired by image, and a p that doubles one side
        "judge": """
def differences(rows, one, other, metric):
    own = [row for row in rows if row["metric"] == metric]
    a, b = ([row["value"] for row in own if row["explainer"] == name] for name in (one, other))
    return [x - y for x, y in zip(a, b)]

def sign_flip(values):
    total = abs(sum(values)) - 1e-12
    signs = itertools.product((1, -1), repeat=len(values))
    return 2 * sum(sum(s * v for s, v in zip(p, values)) >= total for p in signs) / 2 ** len(values)
""",
        # Layer-CAM under another name
        "own": """
def own_map(A, G):
    return (2 * G.relu() * A).sum(1)

def slow_twin(A, G):
    B, C, h, w = A.shape
    out = torch.zeros(B, h, w)
    for b, k, i, j in itertools.product(range(B), range(C), range(h), range(w)):
        out[b, i, j] += 2 * max(G[b, k, i, j].item(), 0) * A[b, k, i, j].item()
    return out
""",
    },
}
LOST = {
    "hour": {"by-hand-plus-plus", "in-code-plus-plus", "read-quarters", "doubt-ties"},
    "evening": {"method-pge", "method-small-gradients", "judge-order", "judge-area", "noise-scores", "noise-beaten"},
    "week": {"plan-rows", "judge-pairs", "judge-signs", "own-new"},
}
