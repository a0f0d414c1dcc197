"""Writing in the page with a keyboard: where the focus goes."""

from page_client import Open, ask, browser_of, needs_chromium, page_of, playwright

__all__ = ["browser_of", "page_of"]     # fixtures
pytestmark = needs_chromium
FOCUS = "document.activeElement.id || document.activeElement.ariaLabel || document.activeElement.textContent"


def press(page: "playwright.Page", selector: str) -> None:
    """As those do who use no mouse."""
    page.locator(selector).first.focus()
    page.keyboard.press("Enter")


def with_ears(page: "playwright.Page") -> None:
    """Counts how often the microphone is asked for."""
    page.evaluate("() => { window.calls = 0; navigator.mediaDevices.getUserMedia = () => { window.calls++; return Promise.reject(new DOMException('', 'NotFoundError')); }; }")


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
    assert page.evaluate(FOCUS) == "next version" and page.evaluate("document.activeElement.closest('.turn.assistant') !== null")
    page.keyboard.press(" ")                    # the button again, which is what the space bar does to buttons
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
