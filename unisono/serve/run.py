"""`unisono serve`: reads keys and certificates, starts the application, stops it gracefully."""

import asyncio
import json
import logging
import os
import signal
import socket
import ssl
import sys
import threading
import time
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.serve.app import create_app
from unisono.serve.reply.guards import chosen, tell
from unisono.serve.reply.scheduler import Scheduler
from unisono.serve.reply.service import Service
from unisono.serve.wire.access import Settings, is_loopback


@dataclass(frozen=True, kw_only=True)
class ServeOptions:
    """cli/serve.py says what they mean to a user."""

    host: str = "127.0.0.1"
    port: int = 8000  # 0: any that is free
    model: str | None = None  # folder of a network; None: the weights in the package
    engine: str = "auto"
    precision: str = "int8"
    strict_models: bool = False
    guards: Sequence[str] | None = None  # None: all that are installed
    c2pa_cert: str | None = None
    c2pa_key: str | None = None
    voices: Path | None = None  # folder of people's own voices; None: presets alone
    keys: Path | None = None
    requests_per_minute: int = 0  # 0: no limit
    tokens_per_minute: int = 0
    sessions: int = 64
    max_mb: float = 50.0
    tls_cert: str | None = None
    tls_key: str | None = None
    open: bool = False
    verbose: bool = False


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, what happened, and fields; never what people said."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps({**line, **getattr(record, "fields", {})}, ensure_ascii=False)


class Server(uvicorn.Server):
    """uvicorn that first lets running replies end: at SIGTERM new requests get 503 while old ones go on."""

    settings: Settings
    scheduler: Scheduler

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.settings.is_draining or sig == signal.SIGINT:
            super().handle_exit(sig, frame)
            return
        self.settings.is_draining = True
        asyncio.get_event_loop().create_task(self._drain())

    async def _drain(self) -> None:
        end = time.monotonic() + self.settings.drain_s
        while (self.scheduler.running or self.scheduler.waiting) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        self.should_exit = True


def read_keys(file: Path | None, host: str) -> tuple[str, ...]:
    """Keys from a file (one a line) and UNISONO_API_KEYS (separated by commas). UserError where the host can
    be reached from other machines and there is none.
    """
    keys = [key.strip() for key in os.environ.get("UNISONO_API_KEYS", "").split(",")]
    if file:
        try:
            keys += [line.strip() for line in file.read_text(encoding="utf8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"cannot read the keys in {file}: {error}; expected a text file with one key a line"
            ) from None
    keys = [key for key in keys if key and not key.startswith("#")]
    if not keys and file:
        raise UserError(f"{file} holds no key; write one a line")
    if not keys and not is_loopback(host):
        raise UserError(
            f"{host} can be reached from other machines; name a file of keys with --keys, or "
            f"set UNISONO_API_KEYS"
        )
    return tuple(keys)


def listen(host: str, port: int) -> socket.socket:
    """A socket at the address; taken before anything is loaded, so that a wrong one is known at once."""
    made: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(2048)
    except (OSError, OverflowError, UnicodeError) as error:
        if made:
            made.close()
        raise UserError(
            f"cannot listen at {host}:{port}: {getattr(error, 'strerror', None) or error}; choose "
            f"another --host or --port"
        ) from None
    return made


def check_certificate(certificate: str | None, key: str | None) -> None:
    """UserError unless both can be used, before anything is announced; a certificate's file may hold its key
    too.
    """
    if key and not certificate:
        raise UserError("--tls-key needs --tls-cert; without a certificate nothing would be encrypted")
    for name in (certificate, key):
        if name and not Path(name).is_file():
            raise UserError(f"no file {name}; --tls-cert and --tls-key name PEM files")
    if certificate:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                certificate, key, password=""
            )  # else OpenSSL asks the terminal for one
        except OSError as error:  # SSLError is one
            raise UserError(
                f"{certificate}{f' and {key}' if key else ''} cannot be used ({error.strerror or error}); "
                "expected a certificate and its key in PEM, without a password"
            ) from None


def run(options: ServeOptions) -> int:
    """Entry of `unisono serve`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, handlers=[handler])
    settings = Settings(
        keys=read_keys(options.keys, options.host),
        max_bytes=int(options.max_mb * 1e6),
        sessions=options.sessions,
        requests_per_minute=options.requests_per_minute,
        tokens_per_minute=options.tokens_per_minute,
    )
    check_certificate(options.tls_cert, options.tls_key)
    folder = options.model or default_weights()
    guards, off = chosen(options.guards, folder, options.c2pa_cert, options.c2pa_key)
    listening = listen(options.host, options.port)
    service = Service(
        folder,
        engine=options.engine,
        precision=options.precision,
        strict_models=options.strict_models,
        guards=guards,
        voices=options.voices,
    )
    config = uvicorn.Config(
        create_app(service, settings),
        log_config=None,
        ws="websockets-sansio",
        ws_max_size=16_000_000,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
        server_header=False,
        ssl_certfile=options.tls_cert,
        ssl_keyfile=options.tls_key,
    )
    server = Server(config)
    server.settings, server.scheduler = settings, service.scheduler
    scheme = "https" if options.tls_cert else "http"
    host = f"[{options.host}]" if ":" in options.host else options.host
    address = f"{scheme}://{host}:{listening.getsockname()[1]}"
    tell(guards, off)
    print(f"Unisono listens at {address}/v1, its page is {address}   (Ctrl-C stops it)", flush=True)
    if options.open and (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform in ("darwin", "win32")
    ):
        threading.Timer(1.0, webbrowser.open, [address]).start()
    server.run(sockets=[listening])
    return 0 if server.started else 1
