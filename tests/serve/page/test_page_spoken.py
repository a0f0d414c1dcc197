"""Spoken turns in the page, in a real Chromium with a recorded question as its microphone: what people hear,
and how calls begin, break and end.
"""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from page_client import (
    SAYING,
    Open,
    ask,
    browser_of,
    microphone,
    needs_chromium,
    overhear,
    page_of,
    playwright,
    say,
    shot,
    types,
    until,
)
from PIL import Image

from unisono.assess.quality.judge import transcribe

__all__ = ["browser_of", "page_of"]  # fixtures

pytestmark = needs_chromium
LISTENING = "() => document.getElementById('state').textContent.includes('listening')"


def sound_of(events: list[dict], response: str) -> np.ndarray:
    """(N,) at 24 kHz: what was sent of a response."""
    pieces = [
        base64.b64decode(event["delta"])
        for event in events
        if event["type"] == "response.output_audio.delta" and event["response_id"] == response
    ]
    return np.frombuffer(b"".join(pieces), "<i2").astype(np.float32) / 32768


def test_the_reply_that_is_heard_is_the_one_that_is_read(page_of: Open) -> None:
    """By the ear of a network that is not ours; this one mumbles, so some of its words must be there, not
    all.
    """
    questions = ("What colour is the sky?", "What is the opposite of big?", "What is two plus two?")
    page = page_of(query="?transport=websocket")
    page.evaluate(SAYING)
    events = overhear(page)
    page.click("#talk")
    page.wait_for_function(LISTENING)
    for question in questions:
        before = len(events)
        say(page, question)
        until(page, lambda before=before: "response.done" in types(events[before:]))
    replies = [event["response"] for event in events if event["type"] == "response.done"]
    said = [words_of(reply["output"][0]["content"][0]["transcript"]) for reply in replies]
    read = [
        text.split() for text in page.locator(".turn.assistant .said").all_inner_texts()
    ]  # a page breaks lines as it likes
    assert read == [reply["output"][0]["content"][0]["transcript"].split() for reply in replies]
    heard = [words_of(transcribe(sound_of(events, reply["id"]), 24000)) for reply in replies]
    assert sum(len(a & b) for a, b in zip(said, heard)) >= 0.25 * sum(map(len, said)), (said, heard)


def words_of(text: str) -> set[str]:
    return set(re.findall("[a-z]+", text.lower()))


def test_speech_interrupts_the_reply(page_of: Open) -> None:
    """What falls silent is the page, and it tells the server what was heard: never more than was sent. The
    second question is asked once the reply, of nearly four seconds, has begun to arrive.
    """
    page = page_of(query="?transport=websocket")
    page.evaluate(SAYING)
    events = overhear(page)
    page.click("#talk")
    until(page, lambda: "session.updated" in types(events))
    say(page, "What can you do?")
    until(page, lambda: "response.output_audio.delta" in types(events))
    page.wait_for_timeout(300)
    say(page, "What colour is the sky?")
    until(page, lambda: types(events).count("response.done") == 2)
    first = next(event["response"]["id"] for event in events if event["type"] == "response.created")
    (told,) = [
        event for event in events if event["type"] == "conversation.item.truncate" and event.get("sent")
    ]
    assert 0 < told["audio_end_ms"] <= len(sound_of(events, first)) / 24
    assert "conversation.item.truncated" in types(events)
    assert page.locator(".turn.user").count() == 2 and page.locator(".turn.assistant").count() == 2


def test_a_call_that_breaks_is_taken_up_again(page_of: Open) -> None:
    page = page_of(query="?transport=websocket")
    page.evaluate(SAYING)
    events, sockets = overhear(page), []

    def through(socket: "playwright.WebSocketRoute") -> None:
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket(re.compile("realtime"), through)
    ask(page, "What is two plus two?")
    page.click("#talk")
    until(page, lambda: "session.updated" in types(events))
    sockets[0].close(code=1011)
    until(page, lambda: types(events).count("session.updated") == 2)
    until(
        page,
        lambda: (
            len(
                [
                    event
                    for event in events
                    if event["type"] == "conversation.item.create" and event.get("sent")
                ]
            )
            == 4
        ),
    )  # both turns, told twice
    say(page, "What colour is the sky?")
    until(page, lambda: "response.done" in types(events))
    assert page.locator(".turn.user").count() == 2 and page.locator(".turn.assistant").count() == 2


@pytest.mark.parametrize("transport", ["websocket", "webrtc"])
def test_a_spoken_turn_is_answered_aloud(page_of: Open, tmp_path: Path, transport: str) -> None:
    page = page_of(
        wav=microphone(tmp_path / "asked.wav", 4.0, "What can you do?", 30.0),
        query=f"?transport={transport}",
    )
    page.click("#talk")
    page.wait_for_selector("#talk[aria-pressed=true]")
    page.wait_for_selector(".turn.assistant .said p")
    page.wait_for_function(
        "() => /answered after \\d+ ms/.test(document.querySelector('.turn.assistant .acts').textContent)"
    )
    # What was said is written down after the answer to it has begun.
    page.wait_for_function("() => /[a-z]/.test(document.querySelector('.turn.user .said').textContent)")
    assert re.search("[a-z]", page.inner_text(".turn.assistant .said"))
    assert "audio" in page.inner_text("#counts")
    shot(page, f"voice-{transport}")
    page.click("#talk")
    assert page.inner_text("#talk-name") == "Talk"


def test_a_large_photo_is_shown_in_a_call(page_of: Open, tmp_path: Path) -> None:
    """A call's channel carries 256 kB at once; what is larger breaks it."""
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)).save(
        tmp_path / "photo.png"
    )
    page = page_of()
    page.click("#talk")
    page.wait_for_function(
        "() => document.getElementById('state').textContent.includes('listening (WebRTC)')"
    )
    page.set_input_files("#files", [tmp_path / "photo.png"])
    page.wait_for_selector("#attached img")
    page.fill("#words", "What is in the picture?")
    page.press("#words", "Enter")
    page.wait_for_function(
        "() => /[a-z]/.test(document.querySelector('.turn.assistant .said')?.textContent ?? '')"
    )
    assert "listening (WebRTC)" in page.inner_text("#state") and not page.inner_text("#trouble")


def test_the_space_bar_held_down_calls_once(page_of: Open) -> None:
    page = page_of(query="?transport=websocket")
    page.evaluate("document.activeElement.blur()")
    for _ in range(5):
        page.keyboard.down(" ")
    page.wait_for_function(LISTENING)
    assert page.get_attribute("#talk", "aria-pressed") == "true"


def test_a_call_hung_up_before_it_begins_leaves_nothing_open(page_of: Open) -> None:
    page = page_of()
    page.evaluate("""() => { const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (what) => { await new Promise((done) => { window.allow = done; }); return window.given = await ask(what); }; }""")
    page.click("#talk")
    page.wait_for_function("() => window.allow")
    page.click("#talk")
    page.evaluate("window.allow()")
    page.wait_for_function("() => window.given?.getTracks().every((track) => track.readyState === 'ended')")
    assert page.get_attribute("#talk", "aria-pressed") == "false" and not page.inner_text("#trouble")


def test_a_conversation_longer_than_the_network_holds_goes_on(page_of: Open, tmp_path: Path) -> None:
    nodes = [
        {
            "id": number + 1,
            "parent": number,
            "role": ("user", "assistant")[number % 2],
            "parts": [{"type": "text", "text": "The sky is blue. " * 25}],
        }
        for number in range(120)
    ]
    stored = {
        "format": "unisono-conversation-1",
        "nodes": nodes,
        "chosen": [[node["parent"], node["id"]] for node in nodes] + [[120, 1]],
    }
    (tmp_path / "long.json").write_text(json.dumps(stored))
    page = page_of()
    page.set_input_files("#import-file", tmp_path / "long.json")
    page.wait_for_function("() => document.querySelectorAll('.turn').length === 120")
    assert re.search("[a-z]", ask(page, "What colour is the sky?")) and not page.inner_text("#trouble")


def test_a_refused_microphone_is_explained(page_of: Open) -> None:
    page = page_of(allow=False)
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', "
        "'NotAllowedError')); }"
    )
    page.click("#talk")
    page.wait_for_function(
        "() => document.getElementById('trouble').textContent.includes('permission was refused')"
    )
    assert page.get_attribute("#talk", "aria-pressed") == "false"
    assert re.search("[a-z]", ask(page, "What colour is the sky?"))
