"""The page in a real Chromium: what people write, show and see, and what is explained to them."""

import base64
import io
import re
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import Running, write_clip
from page_client import WAIT, Open, ask, browser_of, needs_chromium, page_of, shot, switch
from PIL import Image

from unisono.assess.quality.scenes import read_scene
from unisono.data.world.pictures import Thing, draw_things

__all__ = ["browser_of", "page_of"]  # fixtures

pytestmark = needs_chromium


def test_a_written_turn_shows_words_ids_and_time(page_of: Open) -> None:
    page = page_of()
    said = ask(page, "What colour is the sky?")
    assert (
        re.search("[a-z]", said)
        and "first answer after" in page.locator(".turn.assistant .acts").inner_text()
    )
    assert re.search(r"\d+ text", page.inner_text("#counts"))
    box = page.locator("#strip").bounding_box()
    page.mouse.move(box["x"] + 3, box["y"] + 5)
    page.wait_for_function(
        "() => /id \\d+ .* p [01]\\.\\d+/.test(document.getElementById('under').textContent)"
    )


def test_a_drawing_appears_and_is_one(page_of: Open) -> None:
    page = page_of()
    for _ in range(4):  # a small network does not draw each time it is asked to
        ask(page, "Draw a big red circle.")
        if page.locator("img.drawing").count():
            break
    source = page.locator("img.drawing").last.get_attribute("src")
    picture = Image.open(io.BytesIO(base64.b64decode(source.split(",")[1])))
    assert picture.size == (64, 64) and len(read_scene(np.asarray(picture.convert("RGB")))) >= 1
    with page.expect_download() as download:
        page.locator(".acts button", has_text="Save").last.click()
    with Image.open(download.value.path()) as saved:
        assert saved.size == (64, 64)
    page.locator(".acts button", has_text="Use").last.click()
    page.wait_for_selector("#attached img")
    assert "red" in ask(page, "What colour is the circle?")  # it sees what it drew
    page.hover("#strip", position={"x": 300, "y": 10})
    shot(page, "conversation")


def test_a_picture_and_a_clip_are_asked_about(page_of: Open, tmp_path: Path) -> None:
    page = page_of()
    draw_things([Thing("circle", "red", "big", 32, 32)]).save(tmp_path / "red.png")
    page.set_input_files("#files", [tmp_path / "red.png", write_clip(tmp_path / "clip.mp4")])
    page.wait_for_function("() => document.querySelectorAll('#attached li').length === 2")
    assert re.search("[a-z]", ask(page, "What colour is it?"))
    assert page.locator(".user img").count() == 1 and page.locator(".user video").count() == 1
    assert re.search(r"\d+ (text|image)", page.inner_text("#counts"))


def test_edited_questions_are_branches_and_survive_saving(page_of: Open, tmp_path: Path) -> None:
    page = page_of()
    ask(page, "What colour is the sky?")
    page.locator(".user button", has_text="Edit").click()
    ask(page, "What is two plus two?")
    assert "2 / 2" in page.inner_text(".user .acts") and page.locator(".turn.user").count() == 1
    page.locator("button[aria-label='previous version']").first.click()
    assert "sky" in page.inner_text(".user .said")
    page.locator(".assistant button", has_text="Retry").click()
    page.wait_for_function("() => document.querySelector('.assistant .acts')?.textContent.includes('2 / 2')")
    page.click("#settings-open")
    with page.expect_download() as download:
        page.click("#export")
    page.click("#settings button[value=close]")
    page.click("#new")
    assert page.locator(".turn").count() == 0
    page.set_input_files("#import-file", download.value.path())
    page.wait_for_selector(".turn.assistant")
    assert "sky" in page.inner_text(".user .said") and "1 / 2" in page.inner_text(".user .acts")


def test_the_camera_is_looked_through(page_of: Open, tmp_path: Path) -> None:
    clip = write_film(
        tmp_path / "camera.y4m", draw_things([Thing("circle", "red", "big", 32, 32)]).resize((320, 320))
    )
    page = page_of(clip=clip)
    page.click("#look")
    page.wait_for_selector("#look[aria-pressed=true]")
    page.wait_for_function(
        "() => document.getElementById('camera').getVideoPlaybackQuality().totalVideoFrames > 2"
    )
    assert "red" in ask(page, "What colour is the circle?")
    assert page.locator(".user img").count() == 1
    switch(page, camera="video")
    page.evaluate(  # three of its pictures, which it takes twice a second
        "new Promise((done) => { let count = 0; setInterval(() => { if (++count === 3) done(); }, 500); })"
    )
    assert re.search("[a-z]", ask(page, "What moves?")) and page.locator(".user img").count() == 2
    page.click("#look")
    assert page.locator("#camera").is_hidden()


def write_film(path: Path, picture: Image.Image) -> Path:
    """Two seconds of it, as Chromium wants a camera."""
    with av.open(str(path), "w", format="yuv4mpegpipe") as film:
        stream = film.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = *picture.size, "yuv420p"
        for _ in range(20):
            film.mux(stream.encode(av.VideoFrame.from_image(picture)))
        film.mux(stream.encode(None))
    return path


def test_bad_files_get_a_friendly_sentence(page_of: Open, tmp_path: Path) -> None:
    page = page_of()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "text.txt").write_text("words")
    (tmp_path / "empty.wav").write_bytes(b"")
    for files, words in (
        ([tmp_path / "text.png"], "not a picture"),
        ([tmp_path / "text.txt"], "neither a picture"),
        ([tmp_path / "empty.wav"], "empty"),
        ([{"name": f"{n}.png", "mimeType": "image/png", "buffer": b"x"} for n in range(50)], "At most 8"),
    ):
        page.set_input_files("#files", files)
        page.wait_for_function(
            "words => document.getElementById('trouble').textContent.includes(words)", arg=words
        )
    page.evaluate("""() => { const big = new File(['x'], 'big.mp4', {type: 'video/mp4'}); Object.defineProperty(big, 'size', {value: 2e9});
        const drop = new Event('drop', {bubbles: true}); drop.dataTransfer = {files: [big]}; document.dispatchEvent(drop); }""")
    page.wait_for_function("() => document.getElementById('trouble').textContent.includes('2000 MB')")
    assert page.locator("#attached li").count() == 0


def test_a_key_is_asked_for_once(browser_of, tiny_network: Path) -> None:
    running = Running(tiny_network, keys=("sk-one",))
    try:
        with browser_of().new_context() as context:
            page = context.new_page()
            page.set_default_timeout(WAIT)
            page.goto(running.url[:-2])
            page.fill("#words", "What colour is the sky?")
            page.press("#words", "Enter")
            page.wait_for_selector("#settings[open]")
            assert page.evaluate(
                "document.activeElement.name"
            ) == "key" and "asks for a key" in page.inner_text("#trouble")
            page.keyboard.type("sk-one")
            page.click("#settings button[value=close]")
            page.locator(".assistant button", has_text="Retry").click()
            page.wait_for_function(
                "() => /first answer after/.test(document.querySelector('.turn.assistant').textContent)"
            )
            page.reload()
            page.fill("#words", "What colour is the sky?")
            page.press("#words", "Enter")
            page.wait_for_function(
                "() => /first answer after/.test(document.querySelector('.turn.assistant')?.textContent)"
            )
    finally:
        running.stop()


def test_a_clip_that_cannot_be_read_is_explained_by_the_server(page_of: Open, tmp_path: Path) -> None:
    (tmp_path / "odd.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(2000))
    page = page_of()
    page.set_input_files("#files", [tmp_path / "odd.mp4"])
    page.wait_for_function("() => document.querySelectorAll('#attached li').length === 1")
    page.fill("#words", "What moves?")
    page.press("#words", "Enter")
    page.wait_for_function(
        "() => /cannot be read|no video|not a "
        "clip|unreadable/i.test(document.getElementById('trouble').textContent)"
    )
    assert re.search("[a-z]", ask(page, "What colour is the sky?"))


def test_what_is_written_is_never_run(page_of: Open) -> None:
    page = page_of()
    ask(
        page,
        (
            "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script> "
            "**bold** [a](javascript:alert(1))"
        ),
    )
    made = page.evaluate("""async () => { const { render } = await import('./markdown.js'); const box = document.createElement('div');
        box.append(render('**b** <script>document.title="owned"</script> [x](javascript:alert(1)) [y](https://example.org/)\\n\\n```\\n<b>\\n```\\n- one\\n- two')); return box.innerHTML; }""")
    assert (
        "<strong>b</strong>" in made
        and "&lt;script&gt;" in made
        and made.count("<a ") == 1
        and "<li>one</li>" in made
    )
    assert page.title() == "Unisono"


def test_a_lost_connection_keeps_the_words(page_of: Open) -> None:
    page = page_of()
    ask(page, "What colour is the sky?")
    page.context.set_offline(True)
    page.fill("#words", "Are you there?")
    page.press("#words", "Enter")
    page.wait_for_function(
        "() => document.getElementById('trouble').textContent.includes('cannot be reached')"
    )
    page.context.set_offline(False)
    page.locator(".assistant button", has_text="Retry").last.click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.turn.assistant .said')].at(-1).textContent.trim().length > 0"
    )
    assert page.locator(".turn.user").count() == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page_of: Open, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = page_of(color_scheme=scheme, bypass_csp=True)
    ask(page, "What colour is the sky?")
    shot(page, scheme)
    found = axe.Axe().run(page).response["violations"]
    page.click("#settings-open")
    found += axe.Axe().run(page).response["violations"]
    serious = [
        (fault["id"], [node["html"][:90] for node in fault["nodes"]])
        for fault in found
        if fault["impact"] in ("serious", "critical")
    ]
    assert not serious, serious


def test_it_fits_a_phone_and_is_light(page_of: Open) -> None:
    page = page_of(viewport={"width": 360, "height": 640}, has_touch=True)
    ask(page, "What colour is the sky?")
    assert page.evaluate(
        "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight "
        "<= innerHeight"
    )
    shot(page, "phone")
    fetched = page.evaluate(
        "performance.getEntriesByType('resource').filter(one => "
        "!one.name.includes('/v1/')).reduce((sum, one) => sum + one.encodedBodySize, 0)"
    )
    assert 0 < fetched < 150_000
    assert not [
        one
        for one in page.evaluate("performance.getEntriesByType('resource').map(one => one.name)")
        if "127.0.0.1" not in one and not one.startswith(("data:", "blob:"))
    ]
