"""What the tests of the page share: a real Chromium, with a recorded question as its microphone, and hands to
use the page with.

Set UNISONO_SHOTS to a folder to keep the screenshots that the README shows.
"""

import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Running
from PIL import Image

from unisono.media import write_sound

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium; apt-get install chromium")
WAIT = 30_000
LAST = "[...document.querySelectorAll('.turn.assistant')].at(-1)?.dataset.id"
Open = Callable[..., "playwright.Page"]


@pytest.fixture(scope="module")
def browser_of() -> Iterator[Callable[..., "playwright.Browser"]]:
    """browser_of(wav): Chromium whose microphone plays the file once; without one it has no microphone that
    works.
    """
    with playwright.sync_playwright() as running:
        opened: dict[str, playwright.Browser] = {}

        def browser(wav: Path | None = None, clip: Path | None = None) -> "playwright.Browser":
            key = f"{wav} {clip}"
            if key not in opened:
                arguments = [
                    "--no-sandbox",
                    "--use-fake-device-for-media-stream",
                    "--autoplay-policy=no-user-gesture-required",
                ]
                arguments += [f"--use-file-for-fake-audio-capture={wav}%noloop"] if wav else []
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
    from unisono.data.speech.voices import speak

    sounds = [
        speak(part, "heart") if isinstance(part, str) else np.zeros(round(16000 * part), np.float32)
        for part in parts
    ]
    write_sound(path, np.concatenate(sounds), 16000)
    return path


def overhear(page: "playwright.Page") -> list[dict]:
    """Every event that crosses the page's WebSockets, in order; those of the page have `sent`."""
    events: list[dict] = []

    def opened(socket: "playwright.WebSocket") -> None:
        socket.on("framereceived", lambda text: events.append(json.loads(text)))
        socket.on("framesent", lambda text: events.append({**json.loads(text), "sent": True}))

    page.on("websocket", opened)
    return events


def until(page: "playwright.Page", holds: Callable[[], object], seconds: float = 30) -> None:
    """Lets the page run until something holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        page.wait_for_timeout(50)


def types(events: list[dict]) -> list[str]:
    return [event["type"] for event in events]
