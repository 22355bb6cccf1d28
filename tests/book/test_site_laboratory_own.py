"""The laboratory in a browser: photographs of the reader's own, and a network that stops.

Whatever comes in, the page says one sentence or draws a map, and goes on working.
"""

from __future__ import annotations

import base64
import io
import time

import numpy as np
import pytest
from PIL import Image

from tests.helpers.browser import judge, pixels, watched
from tests.helpers.laboratory import QUICK, changed, panel, said, settled, show, started

ORIENTATION, TURNED_LEFT = 0x0112, 8  # of EXIF: to be turned by 90° against the clock
NO_PICTURE = "could not be read as a picture"
GIVE = """([kind, where, name, type, text]) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), given = new DataTransfer();
    if (name) given.items.add(new File([bytes], name, { type }));
    else given.setData("text/plain", "words");
    const words = { bubbles: true, cancelable: true, clipboardData: given, dataTransfer: given };
    const event = kind === "paste" ? new ClipboardEvent(kind, words) : new DragEvent(kind, words);
    document.querySelector(where).dispatchEvent(event);
}"""


def picture(width=300, height=240, mode="RGB"):
    """The upper half red, the lower half blue."""
    rgb = np.zeros((height, width, 3), np.uint8)
    rgb[: height // 2, :, 0] = rgb[height // 2 :, :, 2] = 220
    return Image.fromarray(rgb).convert(mode)


def written(image, kind, **settings):
    out = io.BytesIO()
    image.save(out, kind, **settings)
    return out.getvalue()


def gif():
    return written(picture(), "GIF", save_all=True, append_images=[picture().rotate(180)], duration=50, loop=0)


def see_through():
    image = picture(mode="RGBA")
    image.putalpha(0)
    return written(image, "PNG")


def turned():
    """Stored lying on its side, with the note that it is to be turned."""
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_LEFT
    return written(picture().rotate(-90, expand=True), "JPEG", exif=exif, quality=95)


def choose(lab, name, data, kind="image/jpeg"):
    file = {"name": name, "mimeType": kind, "buffer": data}
    lab.get_by_label("your photograph", exact=True).set_input_files(file)


def bare(lab, act):
    """The pixels of the photograph that comes in, without a map."""
    lab.get_by_label("opacity").fill("0")
    return changed(lab, act)[1]


def upright(seen):
    """Red above, blue below."""
    top, bottom = seen[:200].mean((0, 1)), seen[-200:].mean((0, 1))
    return top[0] > 150 > 100 > top[2] and bottom[2] > 150 > 100 > bottom[0]


def drawn(lab):
    assert "it has not left this page" in lab.locator(".lab-credit").text_content()
    assert not lab.locator("figure > .lab-status").text_content()
    assert "own" not in lab.url


READABLE = {
    "a JPEG": lambda: ("own.jpg", written(picture(), "JPEG", quality=95), "image/jpeg"),
    "to be turned": lambda: ("turned.jpg", turned(), "image/jpeg"),
    "for printing": lambda: ("cmyk.jpg", written(picture(mode="CMYK"), "JPEG"), "image/jpeg"),
    "of grey values": lambda: ("grey.png", written(picture(mode="L"), "PNG"), "image/png"),
    "that moves": lambda: ("moves.gif", gif(), "image/gif"),
    "to be seen through": lambda: ("clear.png", see_through(), "image/png"),
    "one pixel wide": lambda: ("line.png", written(picture(1, 5000), "PNG"), "image/png"),
    "one pixel": lambda: ("dot.png", written(picture(1, 1), "PNG"), "image/png"),
    "without a kind": lambda: ("own", written(picture(), "JPEG"), ""),
}


@pytest.mark.parametrize("kind", READABLE)
def test_a_picture_of_any_kind_is_drawn_upright(lab, kind):
    asked = len(lab.asked)
    seen = bare(lab, lambda: choose(lab, *READABLE[kind]()))
    drawn(lab)
    assert not [url for url in lab.asked[asked:] if url.startswith("http")], "something was sent or fetched"
    if kind == "to be seen through":
        assert seen.min() > 250, "what is clear is not white"
    elif "one pixel" not in kind and "grey" not in kind:
        assert upright(seen)


def test_a_huge_picture_is_drawn_or_refused_in_a_sentence(lab):
    """108 million pixels: 430 MB in a browser's memory."""
    data = written(Image.new("RGB", (12_000, 9_000), (200, 30, 30)), "JPEG", quality=30)
    status = lab.locator("figure > .lab-status")
    before = panel(lab).get_attribute("data-count")
    choose(lab, "huge.jpg", data)
    lab.wait_for_function(
        "([e, p, old]) => p.dataset.count !== old || /picture/.test(e.textContent) && !/reading/.test(e.textContent)",
        arg=[status.element_handle(), panel(lab).element_handle(), before],
    )
    assert panel(lab).get_attribute("data-count") != before or status.text_content().endswith(".")
    settled(lab)


DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
UNREADABLE = {
    "broken": ("broken.jpg", b"\xff\xd8\xff\xe0 no picture", "image/jpeg", NO_PICTURE),
    "empty": ("empty.png", b"", "image/png", NO_PICTURE),
    "a drawing": (
        "a.svg",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
        "image/svg+xml",
        NO_PICTURE,
    ),
    "words": ("words.txt", b"no picture", "text/plain", "This is no picture (text/plain)"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_file_that_is_no_picture_gets_a_sentence(lab, kind):
    name, data, what, words = UNREADABLE[kind]
    before = pixels(panel(lab).locator("canvas"))
    choose(lab, name, data, what)
    assert "JPEG, PNG or WebP" in said(lab, words)
    assert np.array_equal(pixels(panel(lab).locator("canvas")), before), "the map is lost"
    changed(lab, lambda: panel(lab).get_by_label("method").select_option("pge"))


def test_a_huge_file_that_is_no_picture_gets_a_sentence(lab):
    lab.evaluate("""() => {
        const given = new DataTransfer();
        given.items.add(new File([new Uint8Array(300_000_000)], "huge.jpg", { type: "image/jpeg" }));
        document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: given }));
    }""")
    said(lab, NO_PICTURE)


def give(lab, kind, name="", data=b"", what="image/png", where="figure.laboratory"):
    lab.evaluate(GIVE, [kind, where, name, what, base64.b64encode(data).decode()])


@pytest.mark.parametrize(("kind", "where"), [("drop", ".lab-panel canvas"), ("drop", "body"), ("paste", "body")])
def test_a_picture_is_dropped_or_pasted(lab, kind, where):
    assert upright(bare(lab, lambda: give(lab, kind, "own.png", written(picture(), "PNG"), where=where)))
    drawn(lab)


def test_back_from_a_section_the_own_picture_is_there_and_a_link_takes_another(lab):
    seen = bare(lab, lambda: choose(lab, "own.png", written(picture(), "PNG"), "image/png"))
    lab.wait_for_function("() => history.state?.own?.includes('photo') && location.hash.includes('opacity=0')")
    place = lab.url.split("#")[1]
    lab.evaluate("location.hash = 'a-section'")
    lab.wait_for_timeout(200)
    lab.evaluate("history.back()")
    lab.wait_for_function("place => location.hash === `#${place}`", arg=place)
    settled(lab)
    assert np.array_equal(pixels(panel(lab).locator("canvas")), seen), "the reader's own picture is lost"
    assert lab.locator(".lab-photos input:checked").input_value() == "own"
    show(lab, f"opacity=0&{QUICK}")
    assert lab.locator(".lab-photos input:checked").input_value() == "cat"


def test_a_link_to_the_view_that_is_shown_leads_there(lab):
    lab.evaluate("""() => {
        document.body.style.paddingBottom = "200vh";
        document.body.insertAdjacentHTML("beforeend", `<a id="there" href="${location.href}">there</a>`);
        scrollTo(0, document.body.scrollHeight);
    }""")
    lab.locator("#there").click()
    top = "document.querySelector('figure.laboratory').getBoundingClientRect().top"
    lab.wait_for_function(f"() => Math.abs({top}) < 60")
    lab.evaluate("document.body.style.paddingBottom = ''; document.querySelector('#there').remove(); scrollTo(0, 0)")


def test_dropped_and_pasted_words_do_no_harm(lab):
    give(lab, "drop")
    assert "This is no file" in said(lab, "This is no file")
    give(lab, "drop", "words.txt", b"words", "text/plain")
    said(lab, "This is no picture")
    before = panel(lab).get_attribute("data-count")
    give(lab, "paste")
    assert panel(lab).get_attribute("data-count") == before


def test_a_foreign_picture_is_saved_as_it_is_seen(lab):
    changed(lab, lambda: choose(lab, "own.jpg", written(picture(), "JPEG")))
    with lab.expect_download() as saved:
        panel(lab).get_by_role("button", name="save as PNG").click()
    kept = np.asarray(Image.open(saved.value.path()).convert("RGB")).astype(int)
    assert np.array_equal(kept, pixels(panel(lab).locator("canvas")))


def test_the_newest_of_two_pictures_counts(lab):
    def both():
        choose(lab, "first.png", written(picture(3000, 2000), "PNG"), "image/png")
        choose(lab, "second.png", written(Image.new("RGB", (300, 300), (30, 160, 30)), "PNG"), "image/png")

    seen = bare(lab, both)
    assert np.abs(seen - [30, 160, 30]).max() < 12


def test_the_camera_gives_a_picture_or_a_sentence(lab):
    """Chromium's own false camera: refused, allowed and closed, allowed and taken."""
    lab.get_by_role("button", name="camera").click()
    assert "The camera was not allowed" in said(lab, "camera")
    lab.context.grant_permissions(["camera"])
    before = panel(lab).get_attribute("data-count")
    lab.get_by_role("button", name="camera").click()
    dialog = lab.locator("dialog.lab-camera")
    dialog.get_by_role("button", name="close").click()
    dialog.wait_for(state="detached")
    assert panel(lab).get_attribute("data-count") == before
    lab.get_by_role("button", name="camera").click()
    changed(lab, lambda: dialog.get_by_role("button", name="take the picture").click())
    drawn(lab)
    lab.context.clear_permissions()


def test_without_a_camera_a_sentence_says_so(lab):
    gone = "Promise.reject(new DOMException('', 'NotFoundError'))"
    lab.evaluate(f"() => {{ navigator.mediaDevices.getUserMedia = () => {gone}; }}")
    lab.get_by_role("button", name="camera").click()
    assert "choose a file instead" in said(lab, "No camera was found here")


STOPS = {
    "an error": ("self.addEventListener('message', () => { throw new Error('out of luck'); })", "out of luck", "tench"),
    "no memory": (
        "self.Float32Array = class { constructor() { throw new RangeError('Array buffer allocation failed'); } }",
        "Array buffer allocation failed",
        "goldfish",
    ),
}


@pytest.mark.parametrize("why", STOPS)
def test_a_network_that_stops_says_so_and_starts_anew(lab, why):
    code, words, name = STOPS[why]
    lab.workers[-1].evaluate(f"() => {{ {code}; }}")
    status, box = panel(lab).locator(".lab-status"), panel(lab).get_by_label("class")
    box.fill(name)
    box.press("Enter")
    lab.wait_for_function("e => /The network stopped/.test(e.textContent)", arg=status.element_handle())
    assert words in status.text_content() and status.text_content().endswith("Ask again, and it starts anew.")
    changed(lab, lambda: panel(lab).get_by_label("method").select_option("pge"))
    assert f"PGE, stage 4: {name}" in status.text_content()


def test_a_worker_that_dies_in_silence_is_missed(browser, place):
    with watched(browser) as page:
        page.clock.install(time=time.time())
        started(page, f"{place}/lab.html#laboratory?{QUICK}")
        page.workers[-1].evaluate("self.close()")
        panel(page).get_by_label("class").fill("1")
        panel(page).get_by_label("class").press("Enter")
        status = panel(page).locator(".lab-status")
        page.wait_for_function("e => e.textContent === 'asking …'", arg=status.element_handle())
        page.clock.fast_forward(61_000)
        page.wait_for_function("e => /no answer for a minute/.test(e.textContent)", arg=status.element_handle())
        changed(page, lambda: panel(page).get_by_label("method").select_option("pge"))
        assert "PGE, stage 4: goldfish" in status.text_content()
        judge(page)


def test_a_photograph_of_the_page_that_does_not_come_is_asked_for_again(lab):
    lab.route("**/rocket.rgb", lambda route: route.fulfill(status=500))
    lab.locator(".lab-photos input[value=rocket]").check(force=True)
    status = panel(lab).locator(".lab-status")
    lab.wait_for_function("e => /did not come [(]500[)]/.test(e.textContent)", arg=status.element_handle())
    lab.unroute("**/rocket.rgb")
    show(lab, f"photo=rocket&{QUICK}")
    assert "stage 4" in status.text_content()
    lab.troubles[:] = [word for word in lab.troubles if "500" not in word]
