"""The laboratory in a browser: the network against holicam, and the page."""

from __future__ import annotations

import base64
import functools
import http.server
import io
import os
import shutil
import threading

import numpy as np
import pytest
import torch
from PIL import Image

import holicam as hc
from holicam.core.ops import normalise, upsample
from holicam.methods.cams.weights import pge, weighted_sum
from tests.helpers.browser import PAGES, THEMES, Quiet
from tools.ipynb import ROOT
from tools.laboratory import network, parcel, runtime, trace
from tools.wall import pictures

NAME = "book/laboratory.html"
SCALES = hc.HolisticCAM(preset="fast").scales
CAMS = {
    "grad-cam": hc.GradCAM(),
    "grad-cam++": hc.GradCAMpp(),
    "xgrad-cam": hc.XGradCAM(),
    "hires-cam": hc.HiResCAM(),
    "layer-cam": hc.LayerCAM(),
    "cameras": hc.CAMERAS(scales=SCALES),
    "holistic-cam": hc.HolisticCAM(preset="fast"),
}
FIGURE = (
    '<figure class="laboratory" id="laboratory" data-files="laboratory/files/" data-runtime="laboratory/files/">'
    '<img src="laboratory/files/cat.jpg" alt="a still picture"><p class="lab-hint">without '
    "scripts</p><figcaption>What it is.</figcaption></figure>"
)
HEAD = '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>lab</title><link rel="icon" href="data:,">'
STYLE = '<link rel="stylesheet" href="laboratory.css"><meta name="viewport" content="width=device-width">'
SCRIPT = '<script type="module" src="laboratory/laboratory.mjs"></script>'
ASK = """async ([task, asked, name]) => {
    const lab = window.lab ??= await (async () => {
        const { Engine } = await import("./laboratory/engine.mjs"), files = new URL("laboratory/files/", location).href;
        const index = await (await fetch(files + "network.json")).json(), engine = new Engine();
        await engine.ask("load", { files, runtime: files, index });
        return { engine, files };
    })();
    const rgb = new Uint8Array(await (await fetch(`${lab.files}${name}.rgb`)).arrayBuffer());
    const answer = await lab.engine.ask(task, { photo: name, rgb, ...asked });
    const text = (a) => {
        const bytes = new Uint8Array(Float32Array.from(a).buffer), parts = [];
        for (let i = 0; i < bytes.length; i += 32768) parts.push(String.fromCharCode(...bytes.subarray(i, i + 32768)));
        return btoa(parts.join(""));
    };
    const one = (t) => ({ data: text(t.data), shape: [t.channels, t.height, t.width].filter(Boolean) });
    if (task === "logits") return { logits: { data: text(answer), shape: [1000] } };
    return task === "map" ? { map: one(answer) } : { A: one(answer.A), G: one(answer.G) };
}"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with the scripts and what they load."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copytree(ROOT / "book" / "_static" / "laboratory", folder / "laboratory")
    shutil.copy(ROOT / "book" / "_static" / "laboratory.css", folder)
    try:
        shutil.copytree(parcel.folder(), folder / "laboratory" / "files")
        runtime.copy(folder / "laboratory" / "files")
    except runtime.MissingError as error:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(str(error))
        pytest.skip(str(error))
    (folder / "lab.html").write_text(f"{HEAD}{STYLE}</head><body>{FIGURE}{SCRIPT}</body></html>", encoding="utf-8")
    gone = FIGURE.replace('data-files="laboratory/files/"', 'data-files="laboratory/gone/"')
    (folder / "gone.html").write_text(f"{HEAD}{STYLE}</head><body>{gone}{SCRIPT}</body></html>", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def place(files):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(files)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def asking(browser, place):
    """ask(task, picture, ...) -> {name: tensor}, by a page that only asks."""
    window = browser.new_context()
    page = window.new_page()
    page.set_default_timeout(300_000)
    page.goto(f"{place}/laboratory/files/LICENSE-onnxruntime.txt")
    page.goto(f"{place}/gone.html")

    def ask(task, picture, **asked):
        found = page.evaluate(ASK, [task, asked, picture])
        return {
            name: torch.from_numpy(np.frombuffer(base64.b64decode(one["data"]), np.float32).copy()).view(one["shape"])
            for name, one in found.items()
        }

    yield ask
    window.close()


@functools.cache
def model(forgotten=0):
    return network.forgetful(network.rounded(), forgotten)


def image(picture):
    return hc.photos.to_images(torch.from_numpy(pictures.pixels(picture).copy()), network.NAME)


def off(found, wanted):
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(("picture", "forgotten"), [("cat", 0), ("coffee", 0), ("mosaic-tripod", 0), ("cat", 5)])
def test_the_network_says_what_holicam_says(asking, picture, forgotten):
    """Logits, activations, gradients, and the map of every method at every stage, from the same pixels."""
    net, images, target = model(forgotten), image(picture), pictures.PICTURES[picture].target
    layers = list(hc.stages(net))
    with torch.no_grad():
        assert off(asking("logits", picture, forgotten=forgotten)["logits"], net(images)[0]) < 1e-4
    seen = hc.capture.capture(net, images, layers, target)
    wanted = {name: cam(net, images, layers, target) for name, cam in CAMS.items()}
    wanted["pge"] = {
        layer: upsample(weighted_sum(seen.A[layer], pge(seen.A[layer], seen.G[layer])), (224, 224)) for layer in layers
    }
    for stage, layer in enumerate(layers, 1):
        question = {"stage": stage, "target": target, "forgotten": forgotten}
        found = asking("layer", picture, **question)
        assert off(found["A"], seen.A[layer][0]) < 1e-4, layer
        assert off(found["G"], seen.G[layer][0]) < 1e-2, layer
        for name, maps in wanted.items():
            made = upsample(asking("map", picture, method=name, **question)["map"][None], (224, 224))
            same = normalise(made)[0] - normalise(maps[layer])[0]
            likeness = np.corrcoef(made.flatten(), maps[layer].flatten())[0, 1]
            assert likeness >= 0.999, (name, layer, likeness)
            assert (same.abs() <= 0.005).float().mean() >= 0.99, (name, layer)


# --- the page ------------------------------------------------------------------------------------------------------


@pytest.fixture
def tab(browser):
    """A page of its own; what its scripts complain of, and what it asks of another host, fails the test."""
    window = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    found = window.new_page()
    found.set_default_timeout(120_000)
    found.troubles, found.asked = [], []
    found.on("console", lambda m: m.type == "error" and found.troubles.append(m.text))
    found.on("pageerror", lambda e: found.troubles.append(str(e)))
    found.on("request", lambda r: found.asked.append(r.url))
    yield found
    window.close()
    assert not found.troubles, found.troubles
    assert all(url.startswith(("http://127.0.0.1", "data:", "blob:")) for url in found.asked), found.asked


def started(tab, address):
    tab.goto(address)
    tab.get_by_role("button", name="Start the laboratory").click()
    tab.wait_for_function("() => document.querySelector('figure.laboratory').dataset.state")
    assert tab.locator("figure.laboratory").get_attribute("data-state") == "ready", tab.locator("figure").text_content()
    return settled(tab)


def settled(tab):
    """Waits until both panels have drawn what the address says."""
    tab.wait_for_function(
        """() => [...document.querySelectorAll(".lab-panel canvas")].every((c) => c.ariaBusy === "false")"""
    )
    return tab


def panel(tab, which=0):
    return tab.locator(".lab-panel").nth(which)


def pixels(canvas):
    raw = base64.b64decode(canvas.evaluate("e => e.toDataURL()").split(",")[1])
    return np.asarray(Image.open(io.BytesIO(raw)).convert("RGB")).astype(int)


def changed(tab, act, which=0):
    """The panel's pixels before and after something is done, once it has drawn again."""
    canvas = panel(tab, which).locator("canvas")
    before, old = pixels(canvas), canvas.get_attribute("aria-label")
    act()
    tab.wait_for_function(
        "([e, old]) => e.ariaLabel !== old && e.ariaBusy === 'false'", arg=[canvas.element_handle(), old]
    )
    return before, pixels(canvas)


def test_nothing_comes_before_the_click_and_then_every_control_draws(tab, place):
    tab.goto(f"{place}/lab.html")
    tab.wait_for_timeout(300)
    assert not any(url.endswith((".onnx", ".bin", ".wasm", ".rgb", "network.json")) for url in tab.asked)
    started(tab, f"{place}/lab.html")
    status = panel(tab).locator(".lab-status")
    assert not tab.locator(".lab-hint").is_visible()
    assert "Grad-CAM, stage 4: Egyptian cat" in status.text_content()
    assert sum(url.endswith("weights.bin") for url in tab.asked) == 1
    before, after = changed(tab, lambda: panel(tab).get_by_label("method").select_option("layer-cam"))
    assert np.abs(before - after).mean() > 2
    before, after = changed(tab, lambda: panel(tab).get_by_label("stage", exact=True).fill("1"))
    assert np.abs(before - after).mean() > 2
    before, after = changed(tab, lambda: tab.locator(".lab-likely button").nth(3).click())
    assert np.abs(before - after).mean() > 0.1
    before, after = changed(tab, lambda: tab.locator("input[value=coffee]").check(force=True))
    assert np.abs(before - after).mean() > 20 and "espresso" in status.text_content()
    tab.wait_for_function("() => location.hash.includes('photo=coffee')")
    assert "method=layer-cam" in tab.url and "stage=1" in tab.url
    before = pixels(panel(tab).locator("canvas"))
    tab.get_by_label("opacity").fill("0")
    assert not np.array_equal(pixels(panel(tab).locator("canvas")), before)
    canvas = panel(tab).locator("canvas")
    canvas.focus()
    tab.keyboard.press("ArrowRight")
    assert "cell in row 29, column 30" in panel(tab).locator(".lab-reading").text_content()
    with tab.expect_download() as saved:
        panel(tab).get_by_role("button", name="save as PNG").click()
    assert Image.open(saved.value.path()).size == (448, 448)
    unlabelled = (
        "[...document.querySelectorAll('.lab-room :is(input, select)')].filter(e => !e.labels.length && !e.ariaLabel)"
    )
    assert tab.evaluate(f"{unlabelled}.length") == 0


def test_a_photograph_of_the_readers_own(tab, place, tmp_path):
    started(tab, f"{place}/lab.html#laboratory?method2=layer-cam")
    rgb = np.random.default_rng(0).integers(0, 256, (40, 90, 3), np.uint8)
    Image.fromarray(rgb).resize((900, 400)).save(tmp_path / "own.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    (tmp_path / "words.txt").write_text("no picture")
    choose, status = tab.get_by_label("your photograph", exact=True), tab.locator("figure > .lab-status")
    for name, words in (("broken.jpg", "could not be read as a picture"), ("words.txt", "This is no picture")):
        choose.set_input_files(tmp_path / name)
        tab.wait_for_function("([e, words]) => e.textContent.includes(words)", arg=[status.element_handle(), words])
    asked = len(tab.asked)
    before, after = changed(tab, lambda: choose.set_input_files(tmp_path / "own.png"))
    assert np.abs(before - after).mean() > 5
    assert "it has not left this page" in tab.locator(".lab-credit").text_content()
    assert not [url for url in tab.asked[asked:] if url.startswith("http")], "something was sent or fetched"
    assert "own" not in tab.url


def test_a_link_on_the_page_opens_its_view_before_and_after_the_start(tab, place):
    tab.goto(f"{place}/lab.html")
    tab.evaluate("location.hash = '#laboratory?method=layer-cam&photo=coffee&method2=hires-cam'")
    tab.get_by_role("button", name="with this view").click()
    tab.wait_for_selector(".lab-panel")
    settled(tab)
    assert "Layer-CAM, stage 4: espresso" in panel(tab).locator(".lab-status").text_content()
    changed(tab, lambda: tab.evaluate("location.hash = '#laboratory?method=xgrad-cam&method2=hires-cam'"))
    assert "XGrad-CAM, stage 4: Egyptian cat" in panel(tab).locator(".lab-status").text_content()


def test_the_deletion_game(tab, place):
    started(tab, f"{place}/lab.html#laboratory?game=deletion&photo=coffee&method2=layer-cam")
    game = tab.locator(".lab-game")
    game.locator(".lab-curve").wait_for()
    for share in ("40", "100"):
        game.get_by_label("share of pixels").fill(share)
        tab.wait_for_function(
            "([e, s]) => e.dataset.played === s", arg=[game.element_handle(), f"deletion grey {share}"]
        )
    left = pixels(game.locator("canvas"))
    assert np.ptp(left) <= 2, "all pixels taken away, and still a picture"
    images = torch.zeros(1, 3, 224, 224)
    wanted = float(model()(images).softmax(1)[0, pictures.PICTURES["coffee"].target])
    assert abs(wanted) < 0.05 and "100 % taken away" in game.locator(".lab-reading").text_content()
    assert game.locator(".lab-line-0").get_attribute("d").count("L") >= 2
    game.get_by_label("game").select_option("insertion")
    tab.wait_for_function("e => e.dataset.played === 'insertion grey 100'", arg=game.element_handle())
    assert np.abs(pixels(game.locator("canvas")) - left).mean() > 20, "all given back, and no picture"


def test_the_lie_detector_and_the_channels(tab, place):
    started(tab, f"{place}/lab.html#laboratory?game=lie&method2=layer-cam")
    game = tab.locator(".lab-game")
    game.locator(".lab-card").nth(3).wait_for()
    assert not game.locator(".lab-real").count(), "the answer is shown before the guess"
    game.locator(".lab-card").first.click()
    assert game.locator(".lab-real").count() == 1
    assert game.locator("text=correlation with the map").count() == 3
    tab.get_by_label("experiment").select_option("weigh")
    boxes = game.locator("input[type=checkbox]")
    boxes.nth(11).wait_for()
    before = pixels(game.locator("canvas").first)
    for number in range(12):
        boxes.nth(number).uncheck()
    assert "12 of 12 channels are off" in game.locator(".lab-reading").text_content()
    assert not np.array_equal(pixels(game.locator("canvas").first), before)


def test_a_phone_and_the_dark(tab, place):
    tab.set_viewport_size({"width": 390, "height": 800})
    started(tab, f"{place}/lab.html#laboratory?method2=layer-cam&game=weigh")
    tab.locator(".lab-switches").wait_for()
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_files_that_are_gone_leave_a_sentence_and_the_still_picture(tab, place):
    tab.goto(f"{place}/gone.html")
    tab.get_by_role("button", name="Start the laboratory").click()
    tab.locator("figure[data-state=failed] > img").wait_for()
    assert "The network did not come (404)" in tab.locator(".lab-status").text_content()
    assert any("404" in word for word in tab.troubles)
    tab.troubles.clear()


def test_without_scripts(browser, place):
    window = browser.new_context(java_script_enabled=False)
    found = window.new_page()
    found.goto(f"{place}/lab.html")
    assert found.locator("figure > img").is_visible() and found.locator(".lab-hint").is_visible()
    assert found.get_by_role("button").count() == 0
    window.close()


def test_what_travels_is_small_and_says_whose_it_is():
    files = parcel.folder()
    mega = sum(path.stat().st_size for path in files.iterdir()) / 1e6
    assert mega < 15, f"{mega:.1f} MB"
    licence = (files / "LICENSE-efficientnet-lite0.txt").read_text()
    assert "converted and rounded" in licence and "TERMS AND CONDITIONS FOR USE, REPRODUCTION" in licence
    assert parcel.facts()["sizes"] == list(trace.SIZES) == [224, 324, 424, 524]
    assert parcel.facts()["rounding"]["other_answer"] == 0


@pytest.mark.skipif(NAME not in PAGES, reason="there is no built site: run `make book` first")
@pytest.mark.parametrize("theme", THEMES)
def test_the_page_of_the_site(visit, theme):
    one = visit(NAME, theme)
    found = one.page
    if not found.locator("figure.laboratory[data-files]").count():
        pytest.skip("the site was built without the laboratory's files")
    found.get_by_role("button", name="Start the laboratory").click()
    found.wait_for_function("() => document.querySelector('figure.laboratory').dataset.state")
    assert found.locator("figure.laboratory").get_attribute("data-state") == "ready"
    settled(found)
    assert found.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert not one.troubles and not one.foreign, (one.troubles, one.foreign)
