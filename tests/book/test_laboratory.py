"""The laboratory's JavaScript against holicam, in Node's own test runner, and the files that travel."""

from __future__ import annotations

import json
import re
import subprocess

import numpy as np
import pytest
import torch

import holicam as hc
from holicam.core.edges import sobel
from holicam.core.ops import upsample
from holicam.methods.cams.lowpass import box_blur, median_blur
from holicam.methods.cams.multiscale import multi_scale
from holicam.methods.cams.weights import pge, weighted_sum
from holicam.models.preprocessing import preprocessing
from tests.helpers.laboratory import links
from tools import site_laboratory
from tools.ipynb import ROOT
from tools.laboratory import network, parcel, runtime
from tools.plain_text import Numbers, Plain
from tools.wall import pictures

CODE = ROOT / "book" / "_static" / "laboratory"
TESTS = ROOT / "tests" / "book" / "laboratory"
SCALES = (1, 1.5)
ONE_PASS = {
    "grad-cam": hc.GradCAM(),
    "grad-cam++": hc.GradCAMpp(),
    "xgrad-cam": hc.XGradCAM(),
    "hires-cam": hc.HiResCAM(),
    "layer-cam": hc.LayerCAM(),
}
MORE = {"cameras": hc.CAMERAS(scales=SCALES), "holistic-cam": hc.HolisticCAM(scales=SCALES, quantize=True)}


class Cases:
    """Arrays in a folder, and an index of them."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0

    def put(self, array):
        array = np.ascontiguousarray(array.numpy() if isinstance(array, torch.Tensor) else array)
        name = f"{self.count}.bin"
        self.count += 1
        (self.folder / name).write_bytes(array.tobytes())
        return {"file": name, "kind": str(array.dtype), "shape": list(array.shape)}

    def maps(self):
        model = hc.load_model("toy-resnet50")
        images = hc.toyland.batch(1, split="test").images
        out = []
        for layer in ("layer2", "layer4"):
            passes = list(multi_scale(model, images, [layer], 3, SCALES))
            stored = [{"A": self.put(p.A[layer]), "G": self.put(p.G[layer])} for p in passes]
            A, G = passes[0].A[layer], passes[0].G[layer]
            wanted = {name: cam(model, images, layer, 3) for name, cam in (ONE_PASS | MORE).items()}
            wanted["pge"] = upsample(weighted_sum(A, pge(A, G)), (224, 224))
            out += [
                {"method": name, "layer": layer, "passes": stored, "map": self.put(m[0].double())}
                for name, m in wanted.items()
            ]
        return out

    def pictures(self):
        sizes = {"portrait": (301, 277), "small": (120, 97), "panorama": (130, 350), "odd cut": (257, 516)}
        rng, out = np.random.default_rng(0), []
        for name, (height, width) in sizes.items():
            rough = rng.integers(0, 256, (height // 9 + 2, width // 9 + 2, 3), np.uint8)
            rgb = np.kron(rough, np.ones((9, 9, 1), np.uint8))[:height, :width]
            rgba = np.dstack([rgb, np.full((height, width), 255, np.uint8)])
            seen, _ = hc.photos.prepare(torch.from_numpy(rgb.copy()), network.NAME)
            out.append({"name": name, "picture": self.put(rgba), "seen": self.put(seen)})
        return out

    def write(self):
        rng = np.random.default_rng(1)
        data = torch.from_numpy(rng.integers(0, 256, (60, 70), np.uint8))
        rgb = torch.from_numpy(rng.integers(0, 256, (224, 224, 3), np.uint8))
        bits = np.arange(1 << 16, dtype=np.uint16)[(np.arange(1 << 16) >> 10 & 31) < 31]  # without infinity and NaN
        bits = bits[bits != 0x8000]  # deepEqual tells -0 from 0, and a weight does not
        places = [(count, seed) for count in (1, 2, 9, 1000, 70_000) for seed in (1, 1099)]
        cases = {
            "maps": self.maps(),
            "resize": self.pictures(),
            "lowpass": {
                "bytes": self.put(data),
                "middle": self.put(median_blur(data[None], 51)[0]),
                "mean": self.put(box_blur(data[None], 91)[0]),
            },
            "sobel": {
                "rgb": self.put(rgb),
                "map": self.put(
                    sobel(hc.photos.to_images(rgb, network.NAME).double(), preprocessing(network.NAME).std)[0]
                ),
            },
            "links": sorted({said for some in links().values() for said in some}),
            "pictures": [one.name for one in pictures.ALL],
            "halves": {"bits": self.put(bits), "values": self.put(bits.view(np.float16).astype(np.float32))},
            "orders": [{"count": n, "seed": s, "places": self.put(network.order(n, s))} for n, s in places],
        }
        (self.folder / "cases.json").write_text(json.dumps(cases), encoding="utf-8")


def test_formulas_and_games_in_node(tmp_path):
    Cases(tmp_path).write()
    surroundings = {"LABORATORY_CASES": str(tmp_path), "LABORATORY_CODE": str(CODE), "PATH": "/usr/bin:/bin"}
    command = [runtime.node(), "--test", "--test-reporter=spec", *map(str, sorted(TESTS.glob("*.test.mjs")))]
    done = subprocess.run(command, capture_output=True, text=True, env=surroundings, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert int(re.search(r"pass (\d+)", done.stdout)[1]) >= 2 * 8 + 4 + 14, done.stdout[-2000:]


def test_chapters_link_to_the_laboratory():
    """Each where it speaks of what is tried there; that a link opens its view is asked in Node and in the browser."""
    found = {page[:2] for page in links()}
    assert found >= {"01", "07", "14", "18", "22", "24"}, found
    assert len(links()["laboratory"]) >= 6


def test_folding_changes_nothing_and_keeps_the_stages():
    model = hc.load_model(network.NAME)
    small = network.folded(model)
    images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(small(images), model(images), rtol=1e-4, atol=1e-4)
    assert tuple(hc.stages(small)) == tuple(hc.stages(model))
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in small.modules())


def test_what_is_forgotten_goes_from_the_last_weights_to_the_first():
    model = network.rounded()
    when = list(network.steps(model).values())
    assert when == sorted(when, reverse=True) and set(when) == {1, 2, 3, 4, 5}
    lost = dict(network.forgetful(model, 3).named_parameters())
    for name, weight in model.named_parameters():
        same = torch.equal(weight, lost[name])
        assert same == (network.steps(model)[name] > 3), name
        torch.testing.assert_close(weight.flatten().sort().values, lost[name].flatten().sort().values, rtol=0, atol=0)


def test_the_lock_file_pins_the_runtime_and_names_no_host():
    lock = json.loads((runtime.LISTS / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: row for name, row in lock["packages"].items() if name}
    assert packages["node_modules/onnxruntime-web"]["version"] == runtime.version()
    assert all(row["integrity"].startswith("sha512-") and "resolved" not in row for row in packages.values())


def test_without_npm_one_sentence_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(runtime, "CACHE", tmp_path)
    monkeypatch.setattr(runtime, "npm", lambda: ["/nonexistent/npm"])
    with pytest.raises(runtime.MissingError, match="npm did not bring onnxruntime-web"):
        runtime.folder()
    assert not list(tmp_path.iterdir()), "a half-made folder is left"


def test_a_build_without_the_files_says_why_and_fails_under_ci(monkeypatch):
    def refuse():
        raise runtime.MissingError("there is no Node.js")

    monkeypatch.setattr(runtime, "folder", refuse)
    monkeypatch.setattr(parcel, "folder", refuse)
    monkeypatch.delenv("CI", raising=False)
    assert site_laboratory.missing.__wrapped__() == "there is no Node.js"
    monkeypatch.setenv("CI", "true")
    with pytest.raises(RuntimeError, match="the laboratory is incomplete: there is no Node.js"):
        site_laboratory.missing.__wrapped__()


def test_a_link_to_a_state_is_a_link_in_a_plain_notebook_too():
    plain = Plain(Numbers(), lambda page, label: f"https://site/{page}.html#{label}")
    said = plain.words("See {try}`the deletion game <game=deletion&photo=coffee>`.")
    assert said == "See [the deletion game](https://site/laboratory.html#laboratory?game=deletion&photo=coffee)."
