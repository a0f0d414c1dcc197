"""Where data: and http(s): addresses lead, and base64 -> bytes. Whoever names an address may mean harm.

Remote addresses: http and https only, public ones only (checked after each redirect and for what the name
resolves to), at most 20 MB and 10 s.
"""

import asyncio
import base64
import binascii
import ipaddress
import socket
from collections.abc import AsyncIterator
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from unisono.core.errors import UserError

MAX_BYTES = 20_000_000
MAX_SECONDS = 10.0
MAX_REDIRECTS = 3
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def from_base64(text: object, what: str) -> bytes:
    """Base64, padded or not, url-safe or not, in lines or not -> bytes. Errors begin with `what`."""
    if not isinstance(text, str) or not text:
        raise UserError(f"{what} must be a base64 string")
    text = "".join(text.split()).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise UserError(f"{what} is not valid base64") from None


async def content_of(url: object, what: str) -> bytes:
    """A data: or http(s): address -> what it holds. Errors begin with `what`."""
    if not isinstance(url, str):
        raise UserError(f"{what} must be a data: or http(s): address")
    if url[:5].lower() == "data:":
        head, comma, data = url[5:].partition(",")
        if not comma:
            raise UserError(f"{what} is a data: address without a comma; expected data:image/png;base64,...")
        if head.lower().replace(" ", "").endswith(";base64"):
            return from_base64(data if "%" not in data else unquote_to_bytes(data).decode("latin1"), what)
        return unquote_to_bytes(data)
    if not url.lower().startswith(
        ("http://", "https://")
    ):  # before it is taken apart, which fails for some that are none
        raise UserError(f"{what} must be a data: or http(s): address, got {url[:40]!r}")
    try:
        return await asyncio.wait_for(_fetch(url, what), MAX_SECONDS)
    except asyncio.TimeoutError:  # not yet the same as TimeoutError in Python 3.10
        raise UserError(
            f"{what} could not be fetched within {MAX_SECONDS:.0f} s; send it as a data: address"
        ) from None


async def _fetch(url: str, what: str) -> bytes:
    import httpx  # only for the few requests that name an address

    try:
        async with httpx.AsyncClient(follow_redirects=False, trust_env=False) as client:
            for _ in range(MAX_REDIRECTS + 1):
                address = await public_address(url, what)
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
                        raise UserError(f"{what} answered with status {answer.status_code}")
                    return await _limited(answer.aiter_raw(), what)  # as sent: nothing unpacks to more
    except UserError:  # is a ValueError, and says what it is
        raise
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise UserError(
            f"{what} could not be fetched ({type(error).__name__}); send it as a data: address"
        ) from None
    raise UserError(f"{what} redirects more than {MAX_REDIRECTS} times")


async def _limited(pieces: AsyncIterator[bytes], what: str) -> bytes:
    content = bytearray()
    async for piece in pieces:
        content += piece
        if len(content) > MAX_BYTES:
            raise UserError(f"{what} is larger than {MAX_BYTES // 10**6} MB")
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


async def public_address(url: str, what: str) -> str:
    """The address of the host; UserError unless every one of its addresses is public."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    if not host or urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"{what} leads to {url[:60]!r}, which is not an http(s): address")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UserError(f"{what}: no host {host!r}; send it as a data: address") from None
    addresses = [str(info[4][0]) for info in found]
    if not all(is_public(address) for address in addresses):
        raise UserError(f"{what} leads to a private address, which is not fetched")
    return addresses[0]
