"""Writing in the page with a keyboard: where the focus goes, what editing is and how it ends, files of
conversations that are broken.
"""

import json
from base64 import b64decode
from pathlib import Path

import pytest
from page_client import Open, ask, browser_of, needs_chromium, page_of, playwright

__all__ = ["browser_of", "page_of"]  # fixtures
pytestmark = needs_chromium
DOT = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
BROKEN = (
    None,
    "words",
    {"type": "text"},
    {"type": "frames"},
    {"type": "frames", "urls": []},
    {"type": "frames", "urls": [DOT, None]},
    {"type": "image"},
    {"type": "image", "url": "https://example.org/a.png"},
    {"type": "film", "url": DOT},
    {"type": "audio", "url": DOT},
)
FOCUS = "document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.textContent"


def press(page: "playwright.Page", selector: str) -> None:
    """As those do who use no mouse."""
    page.locator(selector).first.focus()
    page.keyboard.press("Enter")


def with_ears(page: "playwright.Page") -> None:
    """Counts how often the microphone is asked for."""
    page.evaluate(
        "() => { window.calls = 0; navigator.mediaDevices.getUserMedia = () => { window.calls++; "
        "return Promise.reject(new DOMException('', 'NotFoundError')); }; }"
    )


def space_is_silent(page: "playwright.Page") -> bool:
    page.keyboard.press(" ")
    return page.evaluate("window.calls") == 0


def test_the_space_bar_does_not_call_after_a_button_that_goes(page_of: Open) -> None:
    page = page_of()
    with_ears(page)
    press(page, ".examples button")
    assert page.evaluate(FOCUS) == "words" and space_is_silent(page)
    page.wait_for_selector(".assistant button:text-is('Retry')")
    press(page, ".assistant button:text-is('Retry')")
    assert page.evaluate(FOCUS) == "words" and space_is_silent(page)
    page.wait_for_selector(".assistant button:text-is('Retry')")
    before = page.get_attribute(".turn.assistant", "data-id")
    press(page, "button[aria-label='next version']")
    assert page.get_attribute(".turn.assistant", "data-id") != before
    assert page.evaluate(FOCUS) == "next version" and page.evaluate(
        "document.activeElement.closest('.turn.assistant') !== null"
    )
    page.keyboard.press(" ")  # the button again, which is what the space bar does to buttons
    assert page.get_attribute(".turn.assistant", "data-id") == before and page.evaluate("window.calls") == 0


def test_the_focus_goes_on_among_what_is_attached(page_of: Open) -> None:
    page = page_of()
    with_ears(page)
    files = [{"name": f"{name}.mp3", "mimeType": "audio/mpeg", "buffer": b"x"} for name in "abc"]
    page.set_input_files("#files", files)
    page.wait_for_function("() => document.querySelectorAll('#attached li').length === 3")
    press(page, "[aria-label='remove b.mp3']")
    assert page.evaluate(FOCUS) == "remove c.mp3"
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUS) == "remove a.mp3"
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUS) == "words" and space_is_silent(page)


def test_a_broken_file_leaves_the_conversation_as_it_is(page_of: Open) -> None:
    page = page_of()
    page.evaluate(
        """async () => { const { Conversation } = await import('./store.js');
            window.from = (stored) => { try { return Conversation.from(stored).nodes.size; } catch (error) { return error.message; } }; }"""
    )

    def told(*odd: object) -> int | str:
        parts = [{"type": "text", "text": "Hello."}, {"type": "image", "url": DOT}, *odd]
        nodes = [{"id": 1, "parent": 0, "role": "user", "parts": parts}]
        stored = {"format": "unisono-conversation-1", "chosen": [[0, 1]], "nodes": nodes}
        return page.evaluate("stored => window.from(stored)", stored)

    assert told() == 1
    for part in BROKEN:
        words = told(part)
        assert "turn 1" in words and words.count(".") == 1, part


def test_after_a_broken_file_one_can_go_on(page_of: Open, tmp_path: Path) -> None:
    page = page_of()
    ask(page, "What colour is the sky?")
    for name, stored in (
        ("null", {"chosen": [[0, 1]], "nodes": [{"id": 1, "parent": 0, "role": "user", "parts": [None]}]}),
        ("chosen", {"chosen": [None], "nodes": []}),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps({"format": "unisono-conversation-1", **stored}))
        page.fill("#words", "")
        page.set_input_files("#import-file", tmp_path / f"{name}.json")
        page.wait_for_function("() => document.getElementById('trouble').textContent")
        assert "null" not in page.inner_text("#trouble") and "sky" in page.inner_text(".user .said")
        ask(page, "What is two plus two?")
        assert not page.inner_text("#trouble")
    assert page.locator(".turn.user").count() == 3


@pytest.mark.parametrize("way", ["escape", "emptied"])
def test_editing_can_be_left(page_of: Open, way: str) -> None:
    page = page_of()
    page.set_input_files(
        "#files", [{"name": "a.png", "mimeType": "image/png", "buffer": b64decode(DOT.split(",")[1])}]
    )
    page.wait_for_selector("#attached img")
    ask(page, "What colour is the sky?")
    press(page, ".user button:text-is('Edit')")
    assert page.locator("#editing").is_visible() and "earlier message" in page.inner_text("#editing")
    assert (
        page.evaluate("document.getElementById('words').getAttribute('aria-describedby')") == "editing"
        and page.get_attribute("#editing", "role") == "status"
    )
    assert page.locator("#attached img").count() == 1
    page.keyboard.press("Escape") if way == "escape" else page.fill("#words", "")
    assert (
        not page.inner_text("#editing")
        and not page.input_value("#words")
        and page.locator("#attached li").count() == 0
    )
    ask(page, "What is two plus two?")
    assert (
        page.locator(".turn.user").count() == 2
        and "1 / 2" not in page.inner_text("#log")
        and "2 / 2" not in page.inner_text("#log")
    )
