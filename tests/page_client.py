"""What the tests of the page share: a real Chromium, with a recorded question as its microphone, and hands to
use the page with.

Set UNISONO_SHOTS to a folder to keep the screenshots that the README shows.
"""

import base64
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Running
from PIL import Image

from unisono.data.speech.voices import SAMPLE_RATE, speak
from unisono.media import write_sound

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium; apt-get install chromium")
WAIT = 120_000  # ms: a busy machine is slow, and what waits for something that comes does not wait this long
LAST = "[...document.querySelectorAll('.turn.assistant')].at(-1)?.dataset.id"
Open = Callable[..., "playwright.Page"]
# WebRTC is given up after 6 s, as a user would want; here a busy machine may take longer to connect.
PATIENCE = """{
    const later = window.setTimeout;
    window.setTimeout = (act, ms, ...all) => later(act, ms === 6000 ? 120000 : ms, ...all);
}"""
# A microphone that is silent until window.say(a WAV file, base64) has it say something.
SAYING = """() => {
    const air = new AudioContext(), ear = air.createMediaStreamDestination();
    navigator.mediaDevices.getUserMedia = async () => { await air.resume(); return ear.stream.clone(); };
    window.say = async (sound) => {
        const source = air.createBufferSource();
        const bytes = Uint8Array.from(atob(sound), (byte) => byte.charCodeAt(0));
        source.buffer = await air.decodeAudioData(bytes.buffer);
        source.connect(ear);
        source.start();
    };
}"""


@pytest.fixture(scope="module")
def browser_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., "playwright.Browser"]]:
    """browser_of(wav): Chromium whose microphone plays the file once; without one it hears a quiet room."""
    quiet = microphone(tmp_path_factory.mktemp("quiet") / "quiet.wav", 60.0)
    with playwright.sync_playwright() as running:
        opened: dict[str, playwright.Browser] = {}

        def browser(wav: Path | None = None, clip: Path | None = None) -> "playwright.Browser":
            wav = wav or quiet
            key = f"{wav} {clip}"
            if key not in opened:
                arguments = [
                    "--no-sandbox",
                    "--use-fake-device-for-media-stream",
                    "--autoplay-policy=no-user-gesture-required",
                ]
                arguments += [f"--use-file-for-fake-audio-capture={wav}%noloop"]
                arguments += [f"--use-file-for-fake-video-capture={clip}"] if clip else []
                opened[key] = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
            return opened[key]

        yield browser
        for one in opened.values():
            one.close()


@pytest.fixture
def page_of(browser_of, shipped_server: Running) -> Iterator[Open]:
    """page_of(wav=..., allow=...): the page, open; a test fails if the browser reports an error."""
    contexts, complaints = [], []

    def opened(
        *,
        wav: Path | None = None,
        clip: Path | None = None,
        allow: bool = True,
        query: str = "",
        **options: object,
    ) -> "playwright.Page":
        context = browser_of(wav, clip).new_context(
            permissions=["microphone", "camera"] if allow else [], **options
        )
        contexts.append(context)
        context.add_init_script(PATIENCE)
        page = context.new_page()
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if message.type == "error"
                and "status of 4" not in message.text
                and "ERR_" not in message.text
                else None
            ),
        )
        page.goto(shipped_server.url[:-2] + query)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def shot(page: "playwright.Page", name: str) -> None:
    """Keeps a screenshot where the README's are made."""
    if folder := os.environ.get("UNISONO_SHOTS"):
        taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        taken.quantize(128, dither=Image.Dither.NONE).save(Path(folder) / f"{name}.png", optimize=True)


def ask(page: "playwright.Page", text: str) -> str:
    """Writes and waits for the whole answer."""
    before = page.evaluate(LAST)
    page.fill("#words", text)
    page.press("#words", "Enter")
    page.wait_for_function(
        f"before => {LAST} !== before && document.getElementById('send').textContent === 'Send'", arg=before
    )
    return page.locator(".turn.assistant .said").last.inner_text().strip()


def switch(page: "playwright.Page", **fields: bool | str) -> None:
    page.click("#settings-open")
    for name, value in fields.items():
        field = page.locator(f"#settings [name={name}]")
        field.set_checked(value) if isinstance(value, bool) else field.select_option(value)
    page.click("#settings button[value=close]")


def microphone(path: Path, *parts: str | float) -> Path:
    """A file that says the texts and is silent for the seconds between them."""
    sounds = [
        speak(part, "heart") if isinstance(part, str) else np.zeros(round(16000 * part), np.float32)
        for part in parts
    ]
    write_sound(path, np.concatenate(sounds), 16000)
    return path


def say(page: "playwright.Page", text: str) -> None:
    """Has a page that was made to wait for it, by SAYING, hear the text from its microphone."""
    sound = io.BytesIO()
    soundfile.write(sound, speak(text, "heart"), SAMPLE_RATE, format="WAV")
    page.evaluate("say", base64.b64encode(sound.getvalue()).decode())


def overhear(page: "playwright.Page") -> list[dict]:
    """Every event that crosses the page's WebSockets, in order; those of the page have `sent`."""
    events: list[dict] = []

    def opened(socket: "playwright.WebSocket") -> None:
        socket.on("framereceived", lambda text: events.append(json.loads(text)))
        socket.on("framesent", lambda text: events.append({**json.loads(text), "sent": True}))

    page.on("websocket", opened)
    return events


def until(page: "playwright.Page", holds: Callable[[], object], seconds: float = WAIT / 1000) -> None:
    """Lets the page run until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        page.wait_for_timeout(50)


def types(events: list[dict]) -> list[str]:
    return [event["type"] for event in events]
