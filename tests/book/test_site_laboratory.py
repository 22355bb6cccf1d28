"""The laboratory in a browser: the network against holicam, and the page."""

from __future__ import annotations

import base64
import functools
import html
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image

import holicam as hc
from holicam.core.ops import normalise, upsample
from holicam.methods.cams.weights import pge, weighted_sum
from tests.helpers.browser import PAGES, SITE, THEMES, changed_then_followed, pixels, watched
from tests.helpers.laboratory import QUICK, changed, follow, links, panel, settled, show, started
from tools.laboratory import network, parcel, trace
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
ASK = """async ([photo, target, forgotten]) => {
    const lab = window.lab ??= await (async () => {
        const { Engine } = await import("./laboratory/engine.mjs"), files = new URL("laboratory/files/", location).href;
        const index = await (await fetch(files + "network.json")).json();
        const { METHODS } = await import("./laboratory/maps/methods.mjs");
        const engine = new Engine({ files, runtime: files, index });
        await engine.start();
        return { engine, files, methods: Object.keys(METHODS) };
    })();
    const rgb = new Uint8Array(await (await fetch(`${lab.files}${photo}.rgb`)).arrayBuffer());
    const text = (a) => {
        const bytes = new Uint8Array(Float32Array.from(a).buffer), parts = [];
        for (let i = 0; i < bytes.length; i += 32768) parts.push(String.fromCharCode(...bytes.subarray(i, i + 32768)));
        return btoa(parts.join(""));
    };
    const put = (t) => ({ data: text(t.data), shape: [t.channels, t.height, t.width].filter(Boolean) });
    const asked = { photo, rgb, target, forgotten };
    const out = { logits: { data: text(await lab.engine.ask("logits", asked)), shape: [1000] } };
    for (const stage of [1, 2, 3, 4]) {
        const { A, G } = await lab.engine.ask("layer", { ...asked, stage });
        Object.assign(out, { [`A ${stage}`]: put(A), [`G ${stage}`]: put(G) });
        for (const method of lab.methods) {
            out[`${method} ${stage}`] = put(await lab.engine.ask("map", { ...asked, stage, method }));
        }
    }
    return out;
}"""


@pytest.fixture(scope="module")
def asking(browser, place):
    """ask(picture, class, forgotten) -> {"logits", "A 1", "grad-cam 1", ...: tensor}, by a page that only asks."""
    with watched(browser) as page:
        page.set_default_timeout(300_000)
        page.goto(f"{place}/gone.html")

        def ask(*asked):
            return {name: unpacked(one) for name, one in page.evaluate(ASK, asked).items()}

        yield ask


def unpacked(one):
    return torch.from_numpy(np.frombuffer(base64.b64decode(one["data"]), np.float32).copy()).view(one["shape"])


@functools.cache
def model(forgotten=0):
    return network.forgetful(network.rounded(), forgotten)


def image(picture):
    return hc.photos.to_images(torch.from_numpy(pictures.pixels(picture).copy()), network.NAME)


def off(found, wanted):
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(("picture", "forgotten"), [("mosaic-tripod", 0), ("cat", 5)])
def test_the_network_says_what_holicam_says(asking, picture, forgotten):
    """Logits, activations, gradients, and the map of every method at every stage, from the same pixels."""
    net, images, target = model(forgotten), image(picture), pictures.PICTURES[picture].target
    layers = list(hc.stages(net))
    found = asking(picture, target, forgotten)
    with torch.no_grad():
        assert off(found["logits"], net(images)[0]) < 1e-4
    seen = hc.capture.capture(net, images, layers, target)
    wanted = hc.explain_many(CAMS, net, images, layers, target)
    wanted["pge"] = {
        layer: upsample(weighted_sum(seen.A[layer], pge(seen.A[layer], seen.G[layer])), (224, 224)) for layer in layers
    }
    assert len(found) == 1 + len(layers) * (2 + len(wanted)), "a method or a stage is left out"
    for stage, layer in enumerate(layers, 1):
        assert off(found[f"A {stage}"], seen.A[layer][0]) < 1e-4, layer
        assert off(found[f"G {stage}"], seen.G[layer][0]) < 1e-2, layer
        for name, maps in wanted.items():
            made = upsample(found[f"{name} {stage}"][None], (224, 224))
            same = normalise(made)[0] - normalise(maps[layer])[0]
            likeness = np.corrcoef(made.flatten(), maps[layer].flatten())[0, 1]
            assert likeness >= 0.999, (name, layer, likeness)
            assert (same.abs() <= 0.005).float().mean() >= 0.99, (name, layer)


# --- the page ------------------------------------------------------------------------------------------------------


HEARD = """addEventListener("DOMContentLoaded", () => {
    const figure = document.querySelector("figure"), heard = window.heard = [];
    new MutationObserver(() => heard.push(figure.querySelector(".lab-status").textContent))
        .observe(figure, { subtree: true, childList: true });
});"""


def test_nothing_comes_before_the_click_and_then_every_control_draws(tab, place):
    tab.add_init_script(HEARD)
    tab.goto(f"{place}/lab.html")
    tab.wait_for_timeout(300)
    assert not any(url.endswith((".onnx", ".bin", ".wasm", ".rgb", "network.json")) for url in tab.asked)
    started(tab, f"{place}/lab.html#laboratory?{QUICK}")
    heard = tab.evaluate("window.heard")
    shares = [int(n) for n in re.findall(r"(\d+) %", " ".join(heard))]
    assert shares == sorted(set(shares)), "what is said of the start goes back or is said twice"
    assert heard.count("starting the network …") == 1
    status = panel(tab).locator(".lab-status")
    assert not tab.locator(".lab-hint").is_visible()
    assert tab.evaluate("document.activeElement.className") == "lab-room", "the keyboard is lost with the button"
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
    tab.get_by_label("threshold").fill("60")
    cut = pixels(panel(tab).locator("canvas"))
    tab.get_by_label("opacity").fill("0")
    bare = pixels(panel(tab).locator("canvas"))
    assert not np.array_equal(bare, before)
    as_the_photograph = [(np.abs(one - bare).max(2) <= 2).mean() for one in (before, cut)]
    assert as_the_photograph[1] > as_the_photograph[0] + 0.1, "the threshold hides nothing"
    tab.wait_for_function("() => location.hash.includes('threshold=60') && location.hash.includes('opacity=0')")
    canvas = panel(tab).locator("canvas")
    canvas.focus()
    tab.keyboard.press("ArrowRight")
    assert "cell in row 29, column 30" in panel(tab).locator(".lab-reading").text_content()
    marked = pixels(canvas)
    tab.keyboard.press("Shift+Tab")
    around = np.abs(marked - pixels(canvas)).max(2) > 8
    assert around[216:240, 224:248].any() and not around[:200].any(), "the cell that is read is not marked"
    with tab.expect_download() as saved:
        panel(tab).get_by_role("button", name="save as PNG").click()
    kept = np.asarray(Image.open(saved.value.path()).convert("RGB")).astype(int)
    assert np.array_equal(kept, pixels(canvas)), "another picture is saved than the one that is seen"
    unlabelled = (
        "[...document.querySelectorAll('.lab-room :is(input, select)')].filter(e => !e.labels.length && !e.ariaLabel)"
    )
    assert tab.evaluate(f"{unlabelled}.length") == 0


def test_a_link_on_the_page_opens_its_view_before_and_after_the_start(tab, place):
    tab.goto(f"{place}/lab.html")
    tab.evaluate("location.hash = '#laboratory?method=layer-cam&photo=coffee&method2=hires-cam'")
    tab.get_by_role("button", name="with this view").click()
    tab.wait_for_selector(".lab-panel")
    settled(tab)
    assert "Layer-CAM, stage 4: espresso" in panel(tab).locator(".lab-status").text_content()
    changed(tab, lambda: tab.evaluate("location.hash = '#laboratory?method=xgrad-cam&method2=hires-cam'"))
    assert "XGrad-CAM, stage 4: Egyptian cat" in panel(tab).locator(".lab-status").text_content()


def test_every_link_of_the_book_sets_the_controls(lab):
    """Whatever a chapter names is what one sees; the maps themselves are other tests' matter."""
    for said in sorted({said for some in links().values() for said in some}):
        wanted = dict(re.findall(r"(\w+)=([^&]+)", said))
        follow(lab, said)
        for number, key in enumerate(("method", "stage", "method2", "stage2")):
            control = panel(lab, number // 2).get_by_label(key.removesuffix("2"), exact=True)
            assert key not in wanted or control.input_value() == wanted[key], (said, key)
        assert lab.get_by_label("experiment").input_value() == wanted.get("game", ""), said
        assert lab.locator(".lab-photos input:checked").input_value() == wanted.get("photo", "cat"), said


def test_a_link_is_not_lost_to_the_address_of_an_earlier_change(lab):
    address = f"laboratory?stage=2&{QUICK}"
    assert changed_then_followed(lab, ".lab-room input[type=range]", "40", address) == address
    assert panel(lab).get_by_label("stage", exact=True).input_value() == "2"


def test_the_page_answers_while_holistic_cam_runs_and_a_new_question_takes_its_place(lab):
    """Frames are drawn between the steps, each step is said, and who changes their mind does not wait for the rest."""
    lab.evaluate("""() => {
        const status = document.querySelector(".lab-panel .lab-status"), seen = window.seen = { said: [], frames: 0 };
        const hear = () => seen.said.push([status.textContent, seen.frames]);
        new MutationObserver(hear).observe(status, { childList: true });
        const tick = () => { seen.frames += 1; requestAnimationFrame(tick); };
        requestAnimationFrame(tick);
    }""")
    changed(lab, lambda: panel(lab).get_by_label("method").select_option("holistic-cam"))
    said, frames = zip(*lab.evaluate("window.seen.said"), strict=True)
    assert [word for word in said if "sizes" in word] == [f"asking at four sizes … {n} %" for n in (20, 40, 60, 80)]
    assert said[-1].startswith("Holistic-CAM, fast, stage 4: Egyptian cat")
    assert frames[-1] - frames[0] >= 5, f"the page stood still: {frames}"
    lab.evaluate("window.seen.said.length = 0")
    lab.locator(".lab-likely button").nth(2).click()
    lab.wait_for_function("() => window.seen.said.some(([word]) => word.includes('20 %'))")
    panel(lab).get_by_label("method").select_option("grad-cam")
    settled(lab)
    said = [word for word, _ in lab.evaluate("window.seen.said")]
    assert said[-1].startswith("Grad-CAM, stage 4") and not any("80 %" in word for word in said), said


def test_a_panel_asks_about_its_own_class(lab):
    """Also about the first of all, whose number is 0."""
    box = panel(lab, 1).get_by_label("class")
    box.fill("0")
    changed(lab, lambda: box.press("Enter"), which=1)
    assert "tench" in panel(lab, 1).locator(".lab-status").text_content() and box.input_value() == "tench"
    assert "Egyptian cat" in panel(lab).locator(".lab-status").text_content()
    box.fill("no such thing")
    box.press("Enter")
    assert "knows no class of this name" in box.evaluate("e => e.validationMessage")
    changed(lab, lambda: lab.locator(".lab-likely button").nth(1).click(), which=1)
    assert box.evaluate("e => e.validity.valid"), "the class is another, and the field still complains"


def test_only_what_has_changed_is_asked_again(lab):
    counts = "[...document.querySelectorAll('.lab-panel')].map(e => Number(e.dataset.count))"
    before = lab.evaluate(counts)
    changed(lab, lambda: panel(lab).get_by_label("method").select_option("pge"))
    after = lab.evaluate(counts)
    assert after[0] == before[0] + 1 and after[1] == before[1], "the other panel is drawn anew"
    lab.get_by_label("experiment").select_option("weigh")
    lab.locator(".lab-switches").wait_for()
    assert lab.evaluate(counts) == after
    first = lab.locator(".lab-switches input").first
    first.uncheck()
    changed(lab, lambda: panel(lab).get_by_label("stage", exact=True).fill("2"))
    assert not first.is_checked(), "the experiment begins anew, though it asks of the last stage only"


def test_the_keyboard_stays_where_it_is(lab):
    """Every control is reached by the tab key, and none loses it when its panel is drawn anew."""
    chosen = lab.locator(".lab-likely button").nth(1)
    chosen.focus()
    changed(lab, lambda: lab.keyboard.press("Enter"))
    assert chosen.evaluate("e => e === document.activeElement") and chosen.get_attribute("aria-pressed") == "true"
    for word, key in (("method", "ArrowDown"), ("stage", "ArrowLeft")):
        control = panel(lab).get_by_label(word, exact=True)
        control.focus()
        changed(lab, functools.partial(lab.keyboard.press, key))
        assert control.evaluate("e => e === document.activeElement"), word
    lab.locator(".lab-photos input[value=cat]").focus()
    changed(lab, lambda: lab.keyboard.press("ArrowRight"))
    assert lab.evaluate("document.activeElement.value") == "coffee"
    controls = ".lab-room :is(button, select, canvas[tabindex], input:not([type=radio]))"
    wanted = lab.locator(controls).count()
    lab.locator(".lab-photos input:checked").focus()
    reached = set()
    for _ in range(2 * wanted):
        lab.keyboard.press("Tab")
        reached.add(lab.evaluate(f"[...document.querySelectorAll('{controls}')].indexOf(document.activeElement)"))
    assert reached >= set(range(wanted)), f"not reached: {set(range(wanted)) - reached}"


def test_the_deletion_game(lab):
    show(lab, f"game=deletion&photo=coffee&{QUICK}")
    game = lab.locator(".lab-game")
    game.locator(".lab-curve").wait_for()
    for share in ("40", "100"):
        game.get_by_label("share of pixels").fill(share)
        played(lab, f"deletion grey {share}")
    left = pixels(game.locator("canvas"))
    assert np.ptp(left) <= 2, "all pixels taken away, and still a picture"
    images = torch.zeros(1, 3, 224, 224)
    wanted = float(model()(images).softmax(1)[0, pictures.PICTURES["coffee"].target])
    assert abs(wanted) < 0.05 and "100 % taken away" in game.locator(".lab-reading").text_content()
    assert game.locator(".lab-line-0").get_attribute("d").count("L") >= 2
    game.get_by_label("game").select_option("insertion")
    played(lab, "insertion grey 100")
    assert np.abs(pixels(game.locator("canvas")) - left).mean() > 20, "all given back, and no picture"


def test_the_brush_of_the_deletion_game(lab):
    """Drawn by hand, or put down by keys; what it took is asked about and stands in the curve."""
    show(lab, f"game=deletion&photo=coffee&stage=3&{QUICK}")
    game = lab.locator(".lab-game")
    game.locator(".lab-curve").wait_for()
    played(lab, "deletion grey 0")
    canvas, reading = game.locator("canvas"), game.locator(".lab-reading")
    canvas.scroll_into_view_if_needed()
    whole, box = pixels(canvas), canvas.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.mouse.move(*middle)
    lab.mouse.down()
    lab.mouse.move(middle[0] + 60, middle[1], steps=5)
    lab.mouse.up()
    lab.wait_for_function("e => e.textContent.includes('Your brush took')", arg=reading.element_handle())
    lab.wait_for_function("e => / brush /.test(e.dataset.played)", arg=game.element_handle())
    gone = np.abs(pixels(canvas) - whole).max(2) > 8
    assert gone[224, 224] and not gone[:100].any() and not gone[-100:].any(), "another place than the hand's is gone"
    assert game.locator(".lab-line-2").get_attribute("d").startswith("M")
    game.get_by_role("button", name="clear").click()
    played(lab, "deletion grey 0")
    assert np.array_equal(pixels(canvas), whole)
    canvas.click(button="right")
    lab.keyboard.press("Escape")  # its menu
    lab.mouse.move(box["x"] - 20, middle[1])
    lab.mouse.down()
    lab.mouse.move(*middle, steps=3)
    lab.mouse.up()
    lab.wait_for_timeout(200)
    assert "brush" not in game.get_attribute("data-played"), "a menu or a selection of text paints"
    canvas.focus()
    for key in (*["ArrowUp"] * 12, " "):
        lab.keyboard.press(key)
    lab.wait_for_function("e => / brush /.test(e.dataset.played)", arg=game.element_handle())
    lab.keyboard.press("Tab")  # away from the picture, where the brush shows no ring
    gone = np.abs(pixels(canvas) - whole).max(2) > 8
    assert gone[:100].any() and not gone[200:].any(), "the keys led elsewhere"


def played(lab, words):
    lab.wait_for_function("([e, s]) => e.dataset.played === s", arg=[lab.locator(".lab-game").element_handle(), words])


def test_the_lie_detector_and_the_channels(lab):
    show(lab, f"game=lie&{QUICK}")
    game = lab.locator(".lab-game")
    game.locator(".lab-card").nth(3).wait_for()
    assert not game.locator(".lab-real").count(), "the answer is shown before the guess"
    game.locator(".lab-card").first.click()
    assert game.locator(".lab-real").count() == 1
    assert game.locator("text=correlation with the map").count() == 3
    verdict = game.locator(".lab-reading").text_content()
    game.locator(".lab-card").nth(1).click()
    assert game.locator(".lab-reading").text_content() == verdict, "one may guess until it is right"
    lab.get_by_label("experiment").select_option("weigh")
    boxes = game.locator("input[type=checkbox]")
    boxes.nth(11).wait_for()
    before = pixels(game.locator("canvas").first)
    for number in range(12):
        boxes.nth(number).uncheck()
    assert "12 of 12 channels are off" in game.locator(".lab-reading").text_content()
    assert not np.array_equal(pixels(game.locator("canvas").first), before)


def test_a_phone(lab):
    lab.set_viewport_size({"width": 390, "height": 800})
    for game in ("weigh", "deletion", "lie"):
        show(lab, f"game={game}&{QUICK}")
        lab.locator(".lab-game :is(.lab-switches, .lab-curve, .lab-cards canvas)").first.wait_for()
        assert lab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), game


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
def test_the_page_of_the_site(visit):
    one = visit(NAME)
    found = one.page
    assert re.search(r"\d\d MB come from this site", found.locator(".lab-door").text_content())
    found.evaluate(f"location.hash = '#laboratory?{QUICK}'")
    if not found.locator("figure.laboratory[data-files]").count():
        pytest.skip("the site was built without the laboratory's files")
    found.get_by_role("button", name="Start the laboratory").click()
    found.wait_for_function("() => document.querySelector('figure.laboratory').dataset.state")
    assert found.locator("figure.laboratory").get_attribute("data-state") == "ready"
    settled(found)
    for theme in THEMES:
        found.emulate_media(color_scheme=theme)
        found.wait_for_function("theme => document.documentElement.dataset.theme == theme", arg=theme)
        for words in (".lab-status", ".lab-control label", ".lab-likely button", ".lab-panel select"):
            shot = found.locator(f".lab-room {words}").first.screenshot()
            assert np.ptp(np.asarray(Image.open(io.BytesIO(shot)).convert("L")).astype(int)) > 110, (words, theme)
    assert found.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert not one.troubles and not one.foreign, (one.troubles, one.foreign)


@pytest.mark.skipif(NAME not in PAGES, reason="there is no built site: run `make book` first")
def test_links_of_the_chapters_stand_in_the_site():
    for page, views in links().items():
        text = (SITE / "book" / f"{page}.html").read_text(encoding="utf-8")
        found = [html.unescape(said) for said in re.findall(r'href="laboratory\.html#laboratory\?([^"]+)"', text)]
        found += [html.unescape(said) for said in re.findall(r'href="#laboratory\?([^"]+)"', text)]
        assert set(found) >= set(views), page
