"""What a request carries or points to: base64, data addresses, and remote ones, which lead nowhere
private.
"""

import asyncio
import base64
import http.server
import io
import threading
import time
from collections.abc import Coroutine, Iterator

import av
import numpy as np
import pytest
import soundfile
from conftest import drawing, tone
from hypothesis import given, settings, strategies as st
from PIL import Image

from unisono.core import address
from unisono.media import CLIP_SIZE, Sound
from unisono.serve.wire import media_in
from unisono.serve.wire.errors import ApiError


def fetched(url: object) -> bytes:
    return asyncio.run(media_in.content_of(url, "image_url"))


def refused(url: object, match: str) -> None:
    with pytest.raises(ApiError, match=match) as caught:
        fetched(url)
    assert caught.value.status == 400 and caught.value.param == "image_url"


def test_a_name_of_a_public_and_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever resolves it a second time may be given the other one."""

    async def both(*_: object, **__: object) -> list[tuple]:
        return [(0, 0, 0, "", (ip, 80)) for ip in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", both)
    refused("http://two.example/ok", "private")


class Pages(http.server.BaseHTTPRequestHandler):
    """/ok, /large, /endless, /slow, /away (to an address of this machine), /loop, /none."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path in ("/away", "/loop", "/file", "/nowhere"):
            self.send_response(302)
            goal = {
                "/away": "http://127.0.0.1/ok",
                "/loop": "/loop",
                "/file": "file:///etc/passwd",
                "/nowhere": "http://[::1]/",
            }[path]
            self.send_header("location", goal)
            self.end_headers()
            return
        self.send_response({"/none": 404, "/unchanged": 304}.get(path, 200))
        if path == "/large":
            self.send_header("content-length", str(10**9))
        self.end_headers()
        try:
            for _ in range({"/large": 100, "/endless": 10**9, "/slow": 100}.get(path, 1)):
                self.wfile.write(b"content" if path not in ("/large", "/endless") else b"x" * 10**6)
                time.sleep(1 if path == "/slow" else 0)
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def public(pages: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same pages as if `public.test` were an address of the world: only what the name resolves to is made
    up.
    """
    real = address.public_address

    async def resolved(url: str, param: str) -> str:
        return "127.0.0.1" if address.urlsplit(url).hostname == "public.test" else await real(url, param)

    monkeypatch.setattr(address, "public_address", resolved)
    return pages.replace("127.0.0.1", "public.test")


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "172.16.0.9",
        "[fd00::1]",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "127.1",
        "[fe80::1%25eth0]",
        "100.64.0.1",
        "user@127.0.0.1",
        "[::]",
    ],
)
def test_private_addresses_are_not_fetched(host: str) -> None:
    refused(f"http://{host}/ok", "private|no host|could not be fetched")


def test_addresses_that_stand_for_others() -> None:
    for ip in (
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::ffff:10.0.0.1",
        "224.0.0.1",
        "ff02::1",
        "fe80::1%eth0",
        "0.0.0.0",
        "255.255.255.255",
    ):
        assert not address.is_public(ip), ip
    for ip in ("93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"):
        assert address.is_public(ip), ip


def test_a_server_on_this_machine_is_not_reached(pages: str) -> None:
    refused(pages + "/ok", "private")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://x/y",
        "x",
        "",
        "/a.png",
        "javascript:alert(1)",
        "gopher://127.0.0.1",
        5,
        None,
        {},
        "data:image/png",
        "http://",
        "https:///x",
        "http://[",
        "http://a b/",
        "http://x:99999999/",
        "http://\ud800/",
        "http://" + "a" * 300,
    ],
)
def test_what_is_no_address(url: object) -> None:
    with pytest.raises(ApiError) as caught:
        fetched(url)
    assert caught.value.status == 400


def test_a_page_of_the_world_is_fetched(public: str) -> None:
    assert fetched(public + "/ok?x=1") == b"content"


@pytest.mark.parametrize(
    "path, match",
    [
        ("/away", "private"),
        ("/nowhere", "private"),
        ("/file", "not an http"),
        ("/loop", "redirects more"),
        ("/none", "status 404"),
        ("/unchanged", "status 304"),
        ("/large", "larger than"),
        ("/endless", "larger than"),
    ],
)
def test_pages_that_are_refused(public: str, path: str, match: str) -> None:
    refused(public + path, match)


def test_slow_pages_are_given_up(public: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "MAX_SECONDS", 0.5)
    began = time.monotonic()
    refused(public + "/slow", "within")
    assert time.monotonic() - began < 3


def test_too_slow_is_told_in_python_3_10_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """There asyncio has a TimeoutError of its own."""

    class Late(Exception):
        pass

    async def wait_for(work: Coroutine, _: float) -> None:
        work.close()
        raise Late

    monkeypatch.setattr(asyncio, "TimeoutError", Late)
    monkeypatch.setattr(asyncio, "wait_for", wait_for)
    refused("https://example.com/cat.png", "within")


def test_data_addresses() -> None:
    assert fetched("data:image/png;base64," + base64.b64encode(b"one").decode()) == b"one"
    assert fetched("DATA:text/plain;base64,b25l") == b"one" and fetched("data:,a%20b") == b"a b"
    refused("data:image/png;base64,!!!", "base64")


@given(st.binary(min_size=1, max_size=60))
@settings(max_examples=50, deadline=None)
def test_base64_padded_or_not_of_both_alphabets(content: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        text = encode(content).decode()
        assert (
            media_in.from_base64(text, "x")
            == media_in.from_base64(text.rstrip("="), "x")
            == media_in.from_base64(f" {text}\n", "x")
            == content
        )


@pytest.mark.parametrize("text", [None, "", 5, "a", "abc!", "\u00e9\u00e9\u00e9\u00e9", "ab=c", "\ud800abc"])
def test_what_is_no_base64(text: object) -> None:
    with pytest.raises(ApiError):
        media_in.from_base64(text, "x")


def test_pictures_and_sound_are_read_or_refused_in_one_sentence() -> None:
    file = io.BytesIO()
    drawing().save(file, "PNG")
    url = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    assert asyncio.run(media_in.picture_of(url, "x")).size == (48, 32)
    sound = io.BytesIO()
    soundfile.write(sound, tone(0.5), 16000, format="WAV")
    assert asyncio.run(media_in.sound_of(sound.getvalue(), "x")).seconds == 0.5
    for work in (
        media_in.picture_of("data:,nothing", "x"),
        media_in.sound_of(b"nothing", "x"),
        media_in.clip_from(b"nothing", "x"),
        media_in.sound_of(sound.getvalue(), "x", 0.4),
    ):
        with pytest.raises(ApiError) as caught:
            asyncio.run(work)
        assert (
            caught.value.status == 400
            and "\n" not in caught.value.message
            and caught.value.message.startswith("x: ")
        )


def test_pictures_are_kept_no_larger_than_wanted() -> None:
    file = io.BytesIO()
    Image.new("RGB", (5000, 2500)).save(file, "PNG")
    assert asyncio.run(media_in.picture_from(file.getvalue(), "x")).size == (2048, 1024)
    assert asyncio.run(media_in.picture_from(file.getvalue(), "x", CLIP_SIZE)).size == (512, 256)


def test_a_clip_without_pictures_is_sound() -> None:
    with av.open(recorded := io.BytesIO(), "w", format="webm") as target:
        stream = target.add_stream("libopus", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, 24000), 0.1, np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        target.mux([*stream.encode(frame), *stream.encode(None)])
    sound = asyncio.run(media_in.clip_from(recorded.getvalue(), "x"))
    assert isinstance(sound, Sound) and abs(sound.seconds - 0.5) < 0.1
