"""The page in Firefox, driven by WebDriver BiDi: words, a drawing, and a call over its own WebRTC. Its
microphone is Firefox's fake one, a tone.

Slow, for its size: apt-get install firefox-esr, then ./test.sh -m slow tests/serve/page/test_firefox.py
"""

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Running
from websockets.sync.client import ClientConnection, connect

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FIREFOX, reason="no Firefox; apt-get install firefox-esr"),
]
PREFERENCES = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
}


class Browser:
    """One tab, by the commands of WebDriver BiDi (W3C)."""

    def __init__(self, line: ClientConnection) -> None:
        self.line, self.numbers = line, itertools.count(1)
        self.call("session.new", capabilities={})
        self.tab = self.call("browsingContext.getTree")["contexts"][0]["context"]

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command -> its result."""
        number = next(self.numbers)
        self.line.send(json.dumps({"id": number, "method": method, "params": params}))
        while (answer := json.loads(self.line.recv(timeout=60))).get("id") != number:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    def open(self, url: str) -> None:
        """Loads a page."""
        self.call("browsingContext.navigate", context=self.tab, url=url, wait="complete")

    def tell(self, expression: str) -> Any:
        """What an expression in the page is: text, numbers, truth."""
        result = self.call(
            "script.evaluate", expression=expression, target={"context": self.tab}, awaitPromise=True
        )
        assert result["type"] == "success", result
        return result["result"].get("value")

    def until(self, expression: str, seconds: float = 120) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + seconds
        while not self.tell(f"Boolean({expression})"):
            assert time.monotonic() < end, (
                expression,
                self.tell(
                    "document.getElementById('state').textContent + "
                    "document.getElementById('trouble').textContent"
                ),
            )
            time.sleep(0.1)

    def ask(self, text: str) -> str:
        """Writes and waits for the whole answer."""
        before = self.tell("document.querySelectorAll('.turn.assistant').length")
        self.tell(
            f"(() => "
            f"{{ document.getElementById('words').value = {json.dumps(text)}; document.getElementById('composer').requestSubmit(); }})()"
        )
        self.until(
            f"document.querySelectorAll('.turn.assistant').length > {before} && "
            f"document.getElementById('send').textContent === 'Send'"
        )
        return self.tell("[...document.querySelectorAll('.turn.assistant .said')].at(-1).innerText")


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    (tmp_path / "user.js").write_text(
        "".join(
            f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items()
        )
    )
    with subprocess.Popen(
        [FIREFOX, "--headless", "--no-remote", "--profile", str(tmp_path), "--remote-debugging-port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "MOZ_DISABLE_CONTENT_SANDBOX": "1"},
    ) as process:
        try:
            for told in process.stderr or ():
                if "WebDriver BiDi listening on" in told:
                    break
            with connect(told.split()[-1] + "/session", max_size=None) as line:
                yield Browser(line)
        finally:
            process.kill()


def test_words_a_drawing_and_a_call(browser: Browser, shipped_server: Running) -> None:
    browser.open(shipped_server.url[:-2] + "?transport=webrtc")
    assert "blue" in browser.ask("What colour is the sky?")
    for _ in range(4):  # a small network does not draw each time it is asked to
        browser.tell("document.getElementById('new').click()")
        browser.ask("Draw a big red circle.")
        if browser.tell("document.querySelectorAll('img.drawing').length"):
            break
    browser.until("document.querySelector('img.drawing')?.naturalWidth === 64")
    browser.tell("document.getElementById('talk').click()")
    browser.until("document.getElementById('state').textContent.startsWith('listening')")
    browser.tell("document.getElementById('talk').click()")
    assert browser.tell("document.getElementById('state').textContent") == "ready" and not browser.tell(
        "document.getElementById('trouble').textContent"
    )
