"""The laboratory in a browser: answers that come late, files that do not come, and fingers in place of a mouse."""

from __future__ import annotations

import io
import time

import pytest
from PIL import Image

from tests.helpers.browser import GUARDED, judge, watched
from tests.helpers.laboratory import QUICK, changed, choose, follow, panel, settled, slow, started

STATUS = "([e, words]) => e.textContent.includes(words)"


def says(tab, words, which=0):
    tab.wait_for_function(STATUS, arg=[panel(tab, which).locator(".lab-status").element_handle(), words])


def noise(side=2600):
    out = io.BytesIO()
    Image.effect_noise((side, side), 60).convert("RGB").save(out, "JPEG", quality=90)
    return {"name": "own.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def chosen(tab):
    return tab.locator(".lab-photos input:checked").get_attribute("value")


# --- the newest question counts --------------------------------------------------------------------------------------


def test_a_photograph_that_fails_late_says_nothing_of_the_one_that_is_shown(lab):
    slow(lab, rocket=(700, True))
    choose(lab, "rocket", "palace")
    lab.wait_for_timeout(1200)
    settled(lab)
    assert chosen(lab) == "palace"
    for which in (0, 1):
        status = panel(lab, which).locator(".lab-status").text_content()
        assert "stage" in status and "did not come" not in status
    slow(lab, rocket=(0, False))


def test_an_older_question_says_nothing_over_a_failure(lab):
    changed(lab, lambda: choose(lab, "officer"))
    slow(lab, rocket=(30, True))
    panel(lab).get_by_label("method").select_option("cameras")
    says(lab, "asking")
    choose(lab, "rocket")
    says(lab, "did not come (500)")
    lab.wait_for_timeout(2500)
    assert "did not come (500)" in panel(lab).locator(".lab-status").text_content()
    slow(lab, rocket=(0, False))


def test_what_is_being_typed_stays(lab):
    slow(lab, palace=(600, False))
    choose(lab, "palace")
    box = panel(lab).get_by_label("class")
    box.fill("espr")
    lab.wait_for_timeout(900)
    settled(lab)
    assert box.input_value() == "espr"
    changed(lab, lambda: (box.fill("espresso"), box.press("Enter")))
    assert "espresso" in panel(lab).locator(".lab-status").text_content()
    box.blur()
    box.press("q")
    box.press("Backspace")
    box.blur()  # typed and taken back: no change, and no longer being typed
    changed(lab, lambda: choose(lab, "officer"))
    assert box.input_value() == "military uniform"
    slow(lab, palace=(0, False))


def test_a_file_that_is_read_late_does_not_take_the_place_of_a_newer_choice(lab):
    """And the reader's own stays among the photographs, to be chosen again."""
    file = lab.get_by_label("your photograph", exact=True)
    file.set_input_files(noise())
    choose(lab, "coffee")
    lab.wait_for_timeout(2500)
    settled(lab)
    assert chosen(lab) == "coffee" and "espresso" in panel(lab).locator(".lab-status").text_content()
    own = lab.locator(".lab-photos input[value=own]")
    assert own.count() == 0
    for _ in range(2):
        changed(lab, lambda: file.set_input_files(noise(300)))
        assert own.count() == 1 and chosen(lab) == "own"
    changed(lab, lambda: choose(lab, "coffee"))
    changed(lab, lambda: choose(lab, "own"))
    assert "not left this page" in lab.locator(".lab-credit").text_content() and chosen(lab) == "own"
    marked = "e => getComputedStyle(e.nextElementSibling).outlineStyle"
    assert own.evaluate(marked) == "solid" != lab.locator(".lab-photos input[value=cat]").evaluate(marked)


def test_a_browser_that_hides_pixels_explains_no_noise(tab, place):
    tab.add_init_script(GUARDED)
    started(tab, f"{place}/lab.html#laboratory?{QUICK}")
    tab.get_by_label("your photograph", exact=True).set_input_files(noise(300))
    tab.wait_for_function("() => /gives a page other pixels/.test(document.querySelector('.lab-status').textContent)")
    assert "Egyptian cat" in panel(tab).locator(".lab-status").text_content()


# --- the experiments -------------------------------------------------------------------------------------------


def dealt(tab, view, words):
    """Opens the lie detector on a view and waits for its cards."""
    tab.evaluate("() => { delete document.querySelector('.lab-game').dataset.dealt; }")
    follow(tab, f"game=lie&{view}&{QUICK}")
    tab.wait_for_function("words => document.querySelector('.lab-game').dataset.dealt === words", arg=words)


@pytest.mark.parametrize("target", [285, 967])
def test_the_absent_class_is_neither_asked_for_nor_there(lab, target):
    dealt(lab, f"photo=mosaic-cat&class={target}", f"5 {target}")
    pictures = lab.evaluate("[...document.querySelectorAll('.lab-card canvas')].map(c => c.toDataURL())")
    assert len(set(pictures)) == 4
    lab.locator(".lab-card").first.click()
    (absent,) = [text for text in lab.locator(".lab-cards p").all_text_contents() if "not there" in text]
    assert "espresso" not in absent and "Egyptian cat" not in absent
    assert float(absent.split(": ")[-1].rstrip(".").replace("−", "-")) < 0.9


def test_a_card_says_the_step_that_it_was_dealt_with(lab):
    dealt(lab, "photo=coffee", "5 967")
    texts = lab.evaluate("""() => {
        const game = document.querySelector(".lab-game"), steps = game.querySelector("input[type=range]");
        steps.value = 1;
        for (const kind of ["input", "change"]) steps.dispatchEvent(new Event(kind));
        game.querySelector(".lab-card").click();
        return [...game.querySelectorAll(".lab-cards p")].map((e) => e.textContent);
    }""")
    assert sum("(everything)" in text for text in texts) == 1 and not any("(the classifier)" in text for text in texts)


@pytest.mark.parametrize(("game", "canvases"), [("lie", ".lab-card canvas"), ("weigh", ".lab-game canvas")])
def test_opacity_reaches_the_experiments(lab, game, canvases):
    follow(lab, f"game={game}&photo=coffee&{QUICK}")
    lab.wait_for_selector(canvases)
    urls = f"[...document.querySelectorAll('{canvases}')].map(c => c.toDataURL())"
    lab.wait_for_function(f"() => {urls}.length >= 4")
    settled(lab)
    before = lab.evaluate(urls)
    lab.get_by_label("opacity").fill("10")
    assert all(one != other for one, other in zip(before, lab.evaluate(urls), strict=True))


# --- fingers and keys ------------------------------------------------------------------------------------------


def test_a_finger_reads_a_cell_and_scrolls_past_the_brush(browser, place):
    with watched(browser, has_touch=True) as page:
        started(page, f"{place}/lab.html#laboratory?photo=coffee&game=deletion&{QUICK}")
        panel(page).locator("canvas").tap(position={"x": 60, "y": 60})
        assert "cell in row" in panel(page).locator(".lab-reading").text_content()
        page.wait_for_function("() => document.querySelector('.lab-game').dataset.played")
        brush, touch = page.locator(".lab-brush"), page.context.new_cdp_session(page)

        def swipe(across, down):
            brush.scroll_into_view_if_needed()
            box = brush.bounding_box()
            x, y = box["x"] + 80, box["y"] + box["height"] / 2
            for step in range(12):
                kind = "touchMove" if step else "touchStart"
                point = {"x": x + across * step, "y": y + down * step}
                touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
            touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
            page.wait_for_timeout(1200)
            return page.evaluate("document.querySelector('.lab-game').dataset.played")

        assert "brush" not in swipe(0, -10)
        assert "brush" in swipe(12, 0)
        page.get_by_role("button", name="clear brush and curve").click()
        page.wait_for_function("() => !document.querySelector('.lab-game').dataset.played.includes('brush')")
        brush.tap(position={"x": 100, "y": 100})
        page.wait_for_function("() => document.querySelector('.lab-game').dataset.played.includes('brush')")


def test_keys_of_the_browser_are_left_to_it(lab):
    pressed = """(canvas) => ["altKey", "ctrlKey", "metaKey", ""].map((key) => {
        const words = { key: "ArrowLeft", bubbles: true, cancelable: true, ...(key && { [key]: true }) };
        return !canvas.dispatchEvent(new KeyboardEvent("keydown", words));
    })"""
    assert panel(lab).locator("canvas").evaluate(pressed) == [False, False, False, True]


def test_one_camera_at_a_time(lab):
    lab.context.grant_permissions(["camera"])
    lab.evaluate("""() => {
        const camera = [...document.querySelectorAll("button")].find((e) => e.textContent === "camera");
        camera.click();
        camera.click();
    }""")
    dialog = lab.locator("dialog.lab-camera")
    dialog.first.wait_for()
    lab.wait_for_timeout(500)
    assert dialog.count() == 1
    dialog.get_by_role("button", name="close").click()
    dialog.wait_for(state="detached")
    lab.context.clear_permissions()


def test_two_classes_of_one_name_are_told_apart(lab):
    box = panel(lab).get_by_label("class")
    for number in (264, 474):
        changed(lab, lambda: (box.fill(f"cardigan ({number})"), box.press("Enter")))  # noqa: B023  called here
        assert f"cardigan ({number})" in panel(lab).locator(".lab-status").text_content().lower()
        lab.wait_for_function(f"() => location.hash.includes('class={number}')")


# --- a line that fails -----------------------------------------------------------------------------------------


def test_without_a_line_the_start_says_so(tab, place):
    tab.route("**/network.json", lambda route: route.abort())
    tab.goto(f"{place}/lab.html")
    tab.get_by_role("button", name="Start the laboratory").click()
    tab.wait_for_selector("figure[data-state=failed]")
    said = tab.locator("figure .lab-status").first.text_content()
    assert said.startswith("The network did not come: is there a connection? The rest of the page works")
    tab.troubles.clear()


def test_a_part_that_does_not_come_costs_its_question_and_no_other(tab, place):
    started(tab, f"{place}/lab.html#laboratory?{QUICK}")
    tab.route("**/324.onnx", lambda route: route.abort())
    workers, asked = len(tab.workers), len(tab.asked)
    panel(tab).get_by_label("method").select_option("cameras")
    says(tab, "324.onnx did not come. Ask again when there is a connection.")
    changed(tab, lambda: panel(tab).get_by_label("method").select_option("pge"))
    assert len(tab.workers) == workers and not any(url.endswith("weights.bin") for url in tab.asked[asked:])
    tab.unroute("**/324.onnx")
    changed(tab, lambda: panel(tab).get_by_label("method").select_option("cameras"))
    tab.troubles.clear()


def test_a_slow_line_is_waited_for(browser, place):
    with watched(browser) as page:
        page.clock.install(time=time.time())
        held = []
        page.route("**/*.wasm", lambda route: held.append(route))
        page.goto(f"{place}/lab.html#laboratory?{QUICK}")
        page.get_by_role("button", name="Start the laboratory").click()
        while not held:
            page.wait_for_timeout(50)
        page.clock.fast_forward(40_000)
        page.wait_for_timeout(6_000)  # by the worker's own clock: it says that it lives
        page.clock.fast_forward(40_000)
        page.wait_for_timeout(200)
        assert page.locator("figure.laboratory").get_attribute("data-state") is None
        held[0].continue_()
        page.wait_for_selector("figure[data-state=ready]")
        judge(page)
