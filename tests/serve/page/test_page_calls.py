"""Calls in the page and what is written, shown and loaded beside them: nothing is dropped silently, nothing
goes on behind the call's back.
"""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import tone, write_clip
from page_client import (
    Open,
    ask,
    browser_of,
    needs_chromium,
    overhear,
    page_of,
    playwright,
    types,
    until,
)

from unisono.media import write_sound

__all__ = ["browser_of", "page_of"]  # fixtures
pytestmark = needs_chromium
STATE = "document.getElementById('state').textContent"


def call(page: "playwright.Page") -> None:
    page.click("#talk")
    page.wait_for_function(f"() => {STATE}.includes('listening')")


def attach(page: "playwright.Page", *files: Path) -> None:
    page.set_input_files("#files", list(files))
    page.wait_for_function(
        "count => document.querySelectorAll('#attached li').length === count", arg=len(files)
    )


def sent(events: list[dict]) -> list[dict]:
    """The items that the page has sent."""
    return [
        event["item"] for event in events if event["type"] == "conversation.item.create" and event.get("sent")
    ]


def spied(page: "playwright.Page") -> None:
    """Keeps the page's WebSockets where a test can have them say what a server would."""
    page.evaluate(
        "() => { const S = WebSocket; window.lines = []; window.WebSocket = class extends S { "
        "constructor(...all) { super(...all); lines.push(this); } }; }"
    )


def tell(page: "playwright.Page", *events: dict) -> None:
    """As if the server had said them."""
    page.evaluate(
        "events => { for (const one of events) lines.at(-1).onmessage({ data: JSON.stringify(one) }); }",
        list(events),
    )


def test_attached_sound_is_heard_in_a_call(page_of: Open, tmp_path: Path) -> None:
    write_sound(tmp_path / "tone.wav", tone(1.0), 16000)
    page = page_of(query="?transport=websocket")
    events = overhear(page)
    call(page)
    attach(page, tmp_path / "tone.wav")
    page.fill("#words", "What do you hear?")
    page.press("#words", "Enter")
    page.press("#words", "Enter")
    until(page, lambda: "response.done" in types(events))
    (item,) = sent(events)
    assert [part["type"] for part in item["content"]] == ["input_audio", "input_text"]
    heard = np.frombuffer(base64.b64decode(item["content"][0]["audio"]), "<i2") / 32768
    assert len(heard) == pytest.approx(24000, abs=240) and np.abs(heard).max() == pytest.approx(
        np.abs(tone(1.0)).max(), rel=0.1
    )
    assert not page.inner_text("#trouble") and page.locator(".user audio").count() == 1
    page.click("#talk")
    call(page)  # the next call is told of it, too
    until(page, lambda: len(sent(events)) > 1)
    assert [part["type"] for part in sent(events)[1]["content"]] == ["input_audio", "input_text"]


def test_what_cannot_be_sent_in_a_call_stays_attached(page_of: Open, tmp_path: Path) -> None:
    write_sound(tmp_path / "long.wav", tone(8.0), 16000)
    write_sound(tmp_path / "short.wav", tone(1.0), 16000)
    (tmp_path / "odd.wav").write_bytes(b"RIFF")
    page = page_of(query="?transport=webrtc")
    call(page)
    for file, words in (
        (write_clip(tmp_path / "clip.mp4"), "clip.mp4 cannot be"),
        (tmp_path / "odd.wav", "odd.wav cannot be"),
        (tmp_path / "long.wav", "too large"),
    ):
        attach(page, file)
        page.fill("#words", "What is it?")
        page.press("#words", "Enter")
        page.wait_for_function(
            "words => document.getElementById('trouble').textContent.includes(words)", arg=words
        )
        assert "hang up first" in page.inner_text("#trouble") and page.locator(".turn").count() == 0
        assert page.input_value("#words") == "What is it?" and page.locator("#attached li").count() == 1
        page.click("#attached button")
    attach(page, tmp_path / "short.wav")
    page.press("#words", "Enter")
    page.wait_for_selector(".turn.assistant .said p")


def test_sound_too_long_for_a_call_leaves_its_words_there(page_of: Open, tmp_path: Path) -> None:
    write_sound(tmp_path / "long.wav", tone(8.0), 16000)
    page = page_of(query="?transport=webrtc")
    page.evaluate(
        "() => { const send = RTCDataChannel.prototype.send; window.lines = []; "
        "RTCDataChannel.prototype.send = function (line) { lines.push(JSON.parse(line)); "
        "send.call(this, line); }; }"
    )
    attach(page, tmp_path / "long.wav")
    ask(page, "What do you hear?")
    call(page)
    assert page.evaluate("lines.find((one) => one.type === 'conversation.item.create').item.content") == [
        {"type": "input_text", "text": "What do you hear?"}
    ]
    assert not page.inner_text("#trouble")


REPLY = """() => {
    const A = AudioContext, ask = fetch;
    window.opened = [];
    window.AudioContext = class extends A { constructor(...all) { super(...all); opened.push(this); } };
    window.fetch = async (where, how) => where !== 'v1/chat/completions' ? ask(where, how) : new Response(new ReadableStream({ start(reply) {
        window.feed = (delta) => reply.enqueue(new TextEncoder().encode(`data: ${JSON.stringify({ choices: [{ delta }] })}\\n\\n`));
        how.signal.addEventListener('abort', () => { window.feed = () => {}; reply.error(how.signal.reason); });
    } }));
}"""


def test_talking_ends_the_reply_that_is_being_written(page_of: Open) -> None:
    page = page_of(query="?transport=websocket")
    page.evaluate(REPLY)
    page.fill("#words", "What colour is the sky?")
    page.press("#words", "Enter")
    page.wait_for_function("() => window.feed")
    delta = {"audio": {"transcript": "It is ", "data": base64.b64encode(bytes(48000)).decode()}}
    page.evaluate("delta => feed(delta)", delta)
    page.wait_for_selector(".turn.assistant .said p")
    call(page)
    page.evaluate("delta => feed(delta)", delta)
    page.wait_for_function("() => document.querySelector('.turn.assistant audio')")  # what had come is kept
    assert page.inner_text("#send") == "Send" and "listening" in page.inner_text("#state")
    page.wait_for_function("() => opened.filter((one) => one.state !== 'closed').length === 1")  # the call's
    assert page.inner_text(".turn.assistant .said p").strip() == "It is"


def test_a_conversation_loaded_in_a_call_is_what_the_call_is_about(page_of: Open, tmp_path: Path) -> None:
    nodes = [{"id": 1, "parent": 0, "role": "user", "parts": [{"type": "text", "text": "My name is Ada."}]}]
    (tmp_path / "ada.json").write_text(
        json.dumps({"format": "unisono-conversation-1", "nodes": nodes, "chosen": [[0, 1]]})
    )
    page = page_of(query="?transport=websocket")
    events = overhear(page)
    call(page)
    page.set_input_files("#import-file", tmp_path / "ada.json")
    until(page, lambda: types(events).count("session.created") == 2 and sent(events))
    page.wait_for_function(f"() => {STATE}.includes('listening')")
    assert (
        sent(events)[0]["content"] == [{"type": "input_text", "text": "My name is Ada."}]
        and page.get_attribute("#talk", "aria-pressed") == "true"
    )


def test_a_microphone_that_is_pulled_out_ends_the_call(page_of: Open) -> None:
    page = page_of(query="?transport=websocket")
    page.evaluate(
        "() => { const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); "
        "navigator.mediaDevices.getUserMedia = async (what) => window.given = await ask(what); }"
    )
    call(page)
    page.evaluate("given.getAudioTracks()[0].dispatchEvent(new Event('ended'))")
    page.wait_for_function("() => document.getElementById('trouble').textContent.includes('microphone')")
    assert page.get_attribute("#talk", "aria-pressed") == "false" and page.inner_text("#state") == "ready"
    assert page.evaluate("given.getTracks().every((track) => track.readyState === 'ended')")
    call(page)
    assert not page.inner_text("#trouble")


def test_a_turn_that_was_not_understood_goes_with_the_call(page_of: Open) -> None:
    page = page_of(query="?transport=websocket")
    spied(page)
    call(page)
    tell(
        page,
        {"type": "input_audio_buffer.committed", "item_id": "one"},
        {"type": "response.output_audio_transcript.delta", "response_id": "r", "delta": "Yes."},
        {"type": "response.done", "response": {"id": "r", "status": "completed"}},
        {"type": "input_audio_buffer.committed", "item_id": "two"},
    )
    assert page.locator(".turn").count() == 3
    page.click("#talk")
    assert [words.strip() for words in page.locator(".turn .said").all_inner_texts()] == [
        "(not written down)",
        "Yes.",
    ]
    tell(
        page,
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "two",
            "transcript": "Too late.",
        },
    )
    assert page.locator(".turn").count() == 2
    assert re.search("[a-z]", ask(page, "What colour is the sky?"))


def test_a_reply_that_grows_in_a_call_is_read_aloud_once(page_of: Open) -> None:
    page = page_of(query="?transport=websocket")
    spied(page)
    call(page)
    busy = "document.querySelector('.turn.assistant')?.getAttribute('aria-busy')"
    for word in ("The sky ", "is ", "blue."):
        tell(page, {"type": "response.output_audio_transcript.delta", "response_id": "r", "delta": word})
        assert page.evaluate(busy) == "true"
    page.evaluate("() => { window.said = document.querySelector('.turn.assistant .said'); }")
    tell(page, {"type": "response.done", "response": {"id": "r", "status": "completed"}})
    assert (
        page.evaluate(busy) == "false"
        and page.locator(".turn.assistant button:text-is('Retry')").count() == 1
    )
    page.evaluate("() => { window.said = document.querySelector('.turn.assistant .said'); }")
    tell(page, {"type": "response.done", "response": {"id": "r", "status": "cancelled"}})
    assert "interrupted" in page.inner_text(".turn.assistant .acts") and page.evaluate(
        "said.isConnected"
    )  # a note does not have it read again
