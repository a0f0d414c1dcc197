"""Makes docs/demo.webp and docs/answer.mp3 from the real page in Chromium and the weights in the package.

    python scripts/demo.py [FOLDER]

Somebody asks aloud and is answered aloud, asks for a drawing in writing, and then what the drawing shows. The
frames are screenshots at the times at which they were taken. answer.mp3 is the same question, answered by
/v1/chat/completions, because a picture has no sound.
"""

import base64
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from unisono.assess.speed.server import served
from unisono.core.home import default_weights
from unisono.data.speech.voices import speak
from unisono.media import write_sound

QUESTION = "What colour is the sky?"
RATE = 16000
SIZE = {"width": 880, "height": 600}
FRAME_S = 0.12
READY = "document.getElementById('send').textContent === 'Send'"


class Film:
    """Screenshots of a page with the time of each."""

    def __init__(self, page: Page) -> None:
        self.page, self.frames, self.times = page, list[Image.Image](), list[float]()

    def until(self, is_done: Callable[[], bool], limit_s: float = 40) -> None:
        """Films until something is so."""
        end = time.monotonic() + limit_s
        while not is_done():
            if time.monotonic() > end:
                raise SystemExit("what was waited for did not come; run it again on a quieter machine")
            self.take()

    def wait(self, duration_s: float) -> None:
        """Films so long."""
        end = time.monotonic() + duration_s
        self.until(lambda: time.monotonic() > end)

    def take(self) -> None:
        """One frame."""
        began = time.monotonic()
        self.frames.append(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"))
        self.times.append(began)
        self.page.wait_for_timeout(max(1, 1000 * (FRAME_S - (time.monotonic() - began))))

    def type(self, text: str) -> None:
        """Writes as people do and sends it."""
        for place in range(0, len(text), 3):
            self.page.locator("#words").press_sequentially(text[place : place + 3])
            self.take()
        self.page.press("#words", "Enter")
        self.wait(0.3)
        self.until(lambda: self.page.evaluate(READY))

    def save(self, path: Path) -> None:
        """An animated WebP; frames that show the same are one."""
        frames, durations = [self.frames[0]], [0]
        for number in range(1, len(self.frames)):
            durations[-1] += round(1000 * (self.times[number] - self.times[number - 1]))
            if np.abs(np.asarray(self.frames[number], int) - np.asarray(frames[-1], int)).max() > 8:
                frames.append(self.frames[number])
                durations.append(0)
        durations[-1] += 2500
        frames[0].save(
            path, save_all=True, append_images=frames[1:], duration=durations, loop=0, lossless=True, method=4
        )
        print(
            f"{path}: {len(frames)} frames, {sum(durations) / 1000:.1f} s, {path.stat().st_size / 1e6:.2f} MB"
        )


def film(port: int, asked: Path) -> Film:
    """The whole scene."""
    with sync_playwright() as running:
        browser = running.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                "--autoplay-policy=no-user-gesture-required",
                f"--use-file-for-fake-audio-capture={asked}%noloop",
            ],
        )
        page = browser.new_context(permissions=["microphone"], viewport=SIZE).new_page()
        page.goto(f"http://127.0.0.1:{port}/?transport=websocket")
        scene = Film(page)
        scene.wait(0.8)
        page.click("#talk")
        scene.until(lambda: page.locator(".turn.assistant").count() > 0)
        scene.until(lambda: "answered after" in page.locator(".turn.assistant").last.inner_text())
        scene.wait(2.5)
        page.click("#talk")
        scene.wait(0.5)
        scene.type("Draw a big red circle.")
        scene.wait(1.5)
        page.locator(".acts button", has_text="Use").last.click()
        scene.type("What colour is the circle?")
        scene.wait(1.5)
        browser.close()
    return scene


def answer(port: int, asked: Path) -> tuple[str, bytes]:
    """What the network says to the question -> its words, and MP3."""
    sound = {"data": base64.b64encode(asked.read_bytes()).decode(), "format": "wav"}
    done = httpx.post(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        timeout=60,
        json={
            "model": "unisono",
            "seed": 1,
            "modalities": ["text", "audio"],
            "audio": {"voice": "heart", "format": "mp3"},
            "messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": sound}]}],
        },
    ).raise_for_status()
    audio = done.json()["choices"][0]["message"]["audio"]
    return audio["transcript"], base64.b64decode(audio["data"])


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, served(default_weights()) as (port, _, _):
        pcm = speak(QUESTION, "heart")
        question, asked = Path(scratch) / "question.wav", Path(scratch) / "asked.wav"
        write_sound(question, pcm, RATE)
        write_sound(
            asked,
            np.concatenate([np.zeros(2 * RATE, np.float32), pcm, np.zeros(30 * RATE, np.float32)]),
            RATE,
        )
        words, sound = answer(port, question)
        (folder / "answer.mp3").write_bytes(sound)
        print(f"{folder / 'answer.mp3'}: {words}")
        film(port, asked).save(folder / "demo.webp")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
