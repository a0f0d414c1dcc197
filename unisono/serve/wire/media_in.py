"""What a request carries as sound, picture or clip: data URLs, base64, remote addresses -> arrays. Guarded on
every side.

Remote addresses: http and https only, public ones only (checked after each redirect and for what the name
resolves to),
at most 20 MB and 10 s.
"""

import asyncio
import base64
import binascii
import ipaddress
import socket
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from PIL import Image as Pictures

from unisono.core.errors import UserError
from unisono.media import (
    CLIP_SIZE,
    MAX_SECONDS as MAX_SECONDS_OF_SOUND,
    Footage,
    Sound,
    read_clip,
    read_picture,
    read_sound,
)
from unisono.serve.wire.errors import ApiError

Result = TypeVar("Result")
MAX_BYTES = 20_000_000
MAX_SECONDS = 10.0
MAX_REDIRECTS = 3
MAX_PICTURES = 120  # of a clip that comes as pictures: a minute at two a second
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def from_base64(text: object, param: str) -> bytes:
    """Base64, padded or not, url-safe or not, in lines or not -> bytes."""
    if not isinstance(text, str) or not text:
        raise ApiError(f"{param} must be a base64 string.", 400, param)
    text = "".join(text.split()).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ApiError(f"{param} is not valid base64.", 400, param) from None


async def content_of(url: object, param: str) -> bytes:
    """A data: or http(s): address -> what it holds."""
    if not isinstance(url, str):
        raise ApiError(f"{param} must be a data: or http(s): address.", 400, param)
    if url[:5].lower() == "data:":
        head, comma, data = url[5:].partition(",")
        if not comma:
            raise ApiError(
                f"{param} is a data: address without a comma; expected data:image/png;base64,...", 400, param
            )
        if head.lower().replace(" ", "").endswith(";base64"):
            return from_base64(data if "%" not in data else unquote_to_bytes(data).decode("latin1"), param)
        return unquote_to_bytes(data)
    if not url.lower().startswith(
        ("http://", "https://")
    ):  # before it is taken apart, which fails for some that are none
        raise ApiError(f"{param} must be a data: or http(s): address, got {url[:40]!r}.", 400, param)
    try:
        return await asyncio.wait_for(_fetch(url, param), MAX_SECONDS)
    except asyncio.TimeoutError:  # not yet the same as TimeoutError in Python 3.10
        raise ApiError(
            f"{param} could not be fetched within {MAX_SECONDS:.0f} s; send it as a data: address.",
            400,
            param,
        ) from None


async def _fetch(url: str, param: str) -> bytes:
    import httpx  # only for the few requests that name an address

    try:
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False) as client:
            for _ in range(MAX_REDIRECTS + 1):
                address = await _public_address(url, param)
                parts = urlsplit(url)
                # Connect to the address that was checked, not to what the name may resolve to next time.
                host = f"[{address}]" if ":" in address else address
                port = f":{parts.port}" if parts.port else ""
                target = parts._replace(netloc=host + port).geturl()
                async with client.stream(
                    "GET",
                    target,
                    headers={"host": parts.netloc.rpartition("@")[2], "accept-encoding": "identity"},
                    extensions={"sni_hostname": parts.hostname},
                ) as answer:
                    if answer.has_redirect_location:
                        url = urljoin(url, answer.headers["location"])
                        continue
                    if answer.status_code != 200:
                        raise ApiError(f"{param} answered with status {answer.status_code}.", 400, param)
                    return await _limited(answer.aiter_raw(), param)  # as sent: nothing unpacks to more
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise ApiError(
            f"{param} could not be fetched ({type(error).__name__}); send it as a data: address.", 400, param
        ) from None
    raise ApiError(f"{param} redirects more than {MAX_REDIRECTS} times.", 400, param)


async def _limited(pieces, param: str) -> bytes:
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) > MAX_BYTES:
            raise ApiError(f"{param} is larger than {MAX_BYTES // 10**6} MB.", 400, param)
    return bytes(content)


def is_public(address: str) -> bool:
    """Whether an IP address is one of the world, and so is the IPv4 address that an IPv6 one may stand
    for.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if not ip.is_global or ip.is_multicast:
        return False
    if isinstance(ip, ipaddress.IPv4Address):
        return True
    inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else ip.ipv4_mapped or ip.sixtofour
    return inner is None or is_public(str(inner))


async def _public_address(url: str, param: str) -> str:
    """The address of the host; ApiError unless every one of its addresses is public."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    if not host or urlsplit(url).scheme not in ("http", "https"):
        raise ApiError(f"{param} leads to {url[:60]!r}, which is not an http(s): address.", 400, param)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ApiError(f"{param}: no host {host!r}; send it as a data: address.", 400, param) from None
    addresses = [str(info[4][0]) for info in found]
    if not all(is_public(address) for address in addresses):
        raise ApiError(f"{param} leads to a private address, which this server does not fetch.", 400, param)
    return addresses[0]


async def picture_of(url: object, param: str) -> Pictures.Image:
    """The picture at an address."""
    return await picture_from(await content_of(url, param), param)


async def picture_from(content: bytes, param: str, most: tuple[int, int] | None = None) -> Pictures.Image:
    """The picture in a file's content, made smaller where it is larger than `most`, as many in one request
    must be.
    """

    def read(content: bytes) -> Pictures.Image:
        picture = read_picture(content)
        if most:
            picture.thumbnail(most)
        return picture

    return await _read(read, content, param)


async def sound_of(content: bytes, param: str, max_seconds: float = MAX_SECONDS_OF_SOUND) -> Sound:
    """The sound in a file's content."""
    return await _read(partial(read_sound, max_seconds=max_seconds), content, param)


async def clip_of(url: object, param: str) -> Footage | Sound:
    """The clip at an address. data:video/jpeg;base64,A,B,C is vLLM's way to send pictures one by one."""
    if isinstance(url, str) and url[:16].lower().replace(" ", "").startswith("data:video/jpeg"):
        head, _, data = url.partition(",")
        pictures = data.split(",")
        if not head.lower().endswith(";base64") or not 1 <= len(pictures) <= MAX_PICTURES:
            raise ApiError(
                f"{param} must be data:video/jpeg;base64, and 1 to {MAX_PICTURES} pictures between commas.",
                400,
                param,
            )
        found = [await picture_from(from_base64(one, param), param, CLIP_SIZE) for one in pictures]
        return Footage(found, None)
    return await clip_from(await content_of(url, param), param)


async def clip_from(content: bytes, param: str) -> Footage | Sound:
    """The clip in a file's content, or the sound where it holds no pictures."""
    return await _read(read_clip, content, param)


async def _read(read: Callable[[bytes], Result], content: bytes, param: str) -> Result:
    """Decodes beside the event loop: a large file must not stop everybody else."""
    try:
        return await asyncio.to_thread(read, content)
    except UserError as error:
        raise ApiError(f"{param}: {error}.", 400, param) from None
