"""Who may ask, how much and how often; a request id on every answer. Pure ASGI, so that streams pass
unbuffered.

Settings come from the command line. Keys: sk-... from --keys or UNISONO_API_KEYS; without any, only this
machine is served.
"""

import hmac
import ipaddress
import logging
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unisono.serve.wire.errors import ApiError, as_api_error
from unisono.serve.wire.metrics import IN_FLIGHT, REQUESTS, SECONDS

log = logging.getLogger("unisono.serve")
OPEN_PATHS = ("/health", "/docs", "/openapi.json", "/")
SHOWN = "/v1/files/shown/"  # pictures under names that are secrets
PAGE_ENDINGS = (".js", ".css", ".svg", ".html")  # the page itself holds no secrets
EXPOSED = "location, x-request-id, retry-after"
WINDOW_S = 60.0


@dataclass
class Settings:
    """What an operator decides."""

    keys: tuple[str, ...] = ()
    max_bytes: int = 50_000_000  # of a request's body
    requests_per_minute: int = 0  # per key; 0 = no limit
    tokens_per_minute: int = 0
    sessions: int = 64  # realtime sessions at once, per key
    drain_s: float = 20.0
    is_draining: bool = False
    client_keys: dict[str, tuple[str, float]] = field(
        default_factory=dict
    )  # ek_... of realtime/client_secrets -> whose, until when


class Limits:
    """What each key used within the last minute."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.requests: dict[str, deque[float]] = defaultdict(deque)
        self.tokens: dict[str, deque[tuple[float, int]]] = defaultdict(deque)
        self.sessions: dict[str, int] = defaultdict(int)

    def check(self, key: str) -> None:
        """ApiError 429 with the time to wait, where a limit is reached; otherwise counts the request."""
        now = time.monotonic()
        requests, tokens = self.requests[key], self.tokens[key]
        while requests and requests[0] < now - WINDOW_S:
            requests.popleft()
        while tokens and tokens[0][0] < now - WINDOW_S:
            tokens.popleft()
        if self.settings.requests_per_minute and len(requests) >= self.settings.requests_per_minute:
            raise ApiError(
                "Too many requests in a minute for this key.",
                429,
                None,
                "rate_limit_exceeded",
                requests[0] + WINDOW_S - now,
            )
        if (
            self.settings.tokens_per_minute
            and sum(count for _, count in tokens) >= self.settings.tokens_per_minute
        ):
            raise ApiError(
                "Too many tokens in a minute for this key.",
                429,
                None,
                "rate_limit_exceeded",
                tokens[0][0] + WINDOW_S - now,
            )
        requests.append(now)

    def use(self, key: str, num_tokens: int) -> None:
        """Counts the tokens of a reply."""
        if self.settings.tokens_per_minute:
            self.tokens[key].append((time.monotonic(), num_tokens))


@dataclass
class _Exchange:
    """One request and its answer on their way through `AccessControl`."""

    scope: Scope
    send: Send
    may_read: str  # the web page whose scripts may read the answer
    id: str = field(default_factory=lambda: f"req_{uuid.uuid4().hex}")
    began: float = field(default_factory=time.perf_counter)
    status: int = 0  # 0 until an answer has begun
    refused: ApiError | None = None

    def refuse(self, error: ApiError) -> None:
        """This is what is answered, whatever the application says."""
        self.refused = error

    async def send_unless_refused(self, message: Message) -> None:
        """Frameworks answer 400 where reading the body fails; ours says why."""
        if not self.refused:
            await self.send_with_id(message)

    async def send_with_id(self, message: Message) -> None:
        """Sends, with the request's id and what browsers need."""
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.id
            if self.may_read:
                headers["access-control-allow-origin"] = self.may_read
                headers["access-control-expose-headers"] = EXPOSED
                headers.add_vary_header("origin")
        elif message["type"] == "websocket.accept":
            self.status = 101
        await self.send(message)

    def count(self) -> None:
        """Tells the metrics and the log."""
        route = getattr(self.scope.get("route"), "path", "none")
        seconds, status = time.perf_counter() - self.began, self.status or 500
        REQUESTS.labels(route, str(status)).inc()
        SECONDS.labels(route).observe(seconds)
        fields = {"id": self.id, "path": self.scope["path"], "status": status, "s": round(seconds, 4)}
        log.info("request", extra={"fields": fields})


class AccessControl:
    """ASGI middleware. Puts `key` (a name for whoever asks) and `limits` into the request's state."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings, self.limits = app, settings, Limits(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self._may_read(scope))
        IN_FLIGHT.inc()
        try:
            if exchange.may_read and scope["method"] == "OPTIONS":
                await self._preflight(scope, receive, exchange.send_with_id)
                return
            state = scope.setdefault("state", {})
            state.update(request_id=exchange.id, limits=self.limits, key=self._admit(scope))
            limited = self._limited(receive, exchange.refuse)
            await self.app(scope, limited, exchange.send_unless_refused)
        except ApiError as error:
            exchange.refuse(error)
        except Exception as error:
            if scope["type"] != "http" or exchange.status:  # it is too late for another answer
                raise
            log.error("request failed", exc_info=error, extra={"fields": {"id": exchange.id}})
            exchange.refuse(as_api_error(error))
        finally:
            if exchange.refused:
                await self._refuse(exchange.refused, scope, receive, exchange.send_with_id)
            IN_FLIGHT.dec()
            exchange.count()

    def _may_read(self, scope: Scope) -> str:
        """The web page whose scripts may read the answer, if one asks: with keys any that has one, else this
        machine's.
        """
        headers = Headers(scope=scope)
        is_let_in = scope["type"] == "http" and (self.settings.keys or _is_of_this_machine(headers))
        return headers.get("origin", "") if is_let_in else ""

    @staticmethod
    async def _preflight(scope: Scope, receive: Receive, send: Send) -> None:
        """A browser asks what a page may send here."""
        wanted = Headers(scope=scope).get("access-control-request-headers", "")
        allowed = {
            "access-control-allow-methods": "GET, POST, DELETE",
            "access-control-allow-headers": wanted,
            "access-control-max-age": "600",
        }
        await Response(None, 204, allowed)(scope, receive, send)

    def _admit(self, scope: Scope) -> str:
        """The name of whoever asks; ApiError if they may not."""
        path, headers = scope["path"].rstrip("/") or "/", Headers(scope=scope)
        if (
            path in OPEN_PATHS
            or path.startswith(SHOWN)
            or path.count("/") == 1
            and path.endswith(PAGE_ENDINGS)
            or scope.get("method") == "OPTIONS"
        ):
            return "open"
        if self.settings.is_draining:
            raise ApiError("The server is stopping; try again in a moment.", 503, None, None, 5)
        if _number(headers.get("content-length")) > self.settings.max_bytes:
            raise ApiError(f"The request is larger than {self.settings.max_bytes / 1e6:g} MB.", 413)
        if not self.settings.keys and not (_is_of_this_machine(headers) and _comes_from_here(scope)):
            raise ApiError(
                (
                    "Without keys only this machine is served, and no web page from elsewhere; start the "
                    "server with --keys."
                ),
                403,
            )
        key = self._known(sent_key(headers))
        if key in self.settings.client_keys and not path.startswith("/v1/realtime"):
            raise ApiError("A client secret opens realtime sessions only; use an API key.", 403)
        self.limits.check(self.settings.client_keys[key][0] if key in self.settings.client_keys else key)
        return key

    def _known(self, key: str) -> str:
        if not self.settings.keys:
            return "local"
        for number, known in enumerate(self.settings.keys):
            if hmac.compare_digest(key.encode("utf8", "replace"), known.encode()):
                return f"key{number}"
        if self.settings.client_keys.get(key, ("", 0.0))[1] > time.time():
            return key
        raise ApiError(
            "Incorrect API key; send it as Authorization: Bearer KEY.", 401, None, "invalid_api_key"
        )

    def _limited(self, receive: Receive, refuse: Callable[[ApiError], None]) -> Receive:
        """Stops bodies that are longer than they said, or said nothing."""
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            if message["type"] == "http.request":
                size += len(message.get("body", b""))
                if size > self.settings.max_bytes:
                    error = ApiError(f"The request is larger than {self.settings.max_bytes / 1e6:g} MB.", 413)
                    refuse(error)
                    raise error
            return message

        return limited

    @staticmethod
    async def _refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await error.response()(scope, receive, send)
        elif "websocket.http.response" in scope.get("extensions", {}):
            await send(
                {
                    "type": "websocket.http.response.start",
                    "status": error.status,
                    "headers": [(b"content-type", b"application/json")],
                }
            )
            await send({"type": "websocket.http.response.body", "body": error.response().body})
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": error.message})


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's own."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_of_this_machine(headers: Headers) -> bool:
    """Whether a request names this machine, and comes from no web page of another: browsers let any page open
    sockets to here, and a name that is made to lead here (DNS rebinding) reads the answers as well."""
    try:
        named = [urlsplit(f"//{headers['host']}").hostname] if "host" in headers else []
        named += [urlsplit(headers["origin"]).hostname] if "origin" in headers else []
    except ValueError:
        return False
    return all(name and is_loopback(name) for name in named)


def _comes_from_here(scope: Scope) -> bool:
    """Whether no other machine sent it, as far as the server behind this application tells."""
    host = (scope.get("client") or ("",))[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a socket in the file system, a test
        return True


def sent_key(headers: Headers) -> str:
    """The bearer key, or the one that browsers put among a socket's protocols."""
    for protocol in headers.get("sec-websocket-protocol", "").split(","):
        if protocol.strip().startswith("openai-insecure-api-key."):
            return protocol.strip().removeprefix("openai-insecure-api-key.")
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""
