"""`unisono serve`: reads the operator's wishes, starts the application, stops it gracefully."""

import argparse
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
from pathlib import Path
from types import FrameType

import uvicorn

from unisono.core.errors import UserError
from unisono.core.home import default_weights
from unisono.serve.app import create_app
from unisono.serve.reply.guards import chosen, tell
from unisono.serve.reply.scheduler import Scheduler
from unisono.serve.reply.service import Service
from unisono.serve.wire.guard import Settings, is_loopback


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


def read_keys(arguments: argparse.Namespace) -> tuple[str, ...]:
    """Keys from --keys FILE (one a line) and UNISONO_API_KEYS (separated by commas)."""
    keys = [key.strip() for key in os.environ.get("UNISONO_API_KEYS", "").split(",")]
    if arguments.keys:
        try:
            keys += [line.strip() for line in arguments.keys.read_text(encoding="utf8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"cannot read the keys in {arguments.keys}: {error}; expected a text file with one key a line"
            ) from None
    keys = [key for key in keys if key and not key.startswith("#")]
    if not keys and arguments.keys:
        raise UserError(f"{arguments.keys} holds no key; write one a line")
    if not keys and not is_loopback(arguments.host):
        raise UserError(
            f"{arguments.host} can be reached from other machines; name a file of keys with --keys, or "
            f"set UNISONO_API_KEYS"
        )
    return tuple(keys)


def listen(host: str, port: int) -> socket.socket:
    """A socket at the address; taken before anything is loaded, so that a wrong one is known at once."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(2048)
    except (OSError, OverflowError, UnicodeError) as error:
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


def run(arguments: argparse.Namespace) -> int:
    """Entry of `unisono serve`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO if arguments.verbose else logging.WARNING, handlers=[handler])
    settings = Settings(
        keys=read_keys(arguments),
        max_bytes=int(arguments.max_mb * 1e6),
        sessions=arguments.sessions,
        requests_per_minute=arguments.requests_per_minute,
        tokens_per_minute=arguments.tokens_per_minute,
    )
    check_certificate(arguments.tls_cert, arguments.tls_key)
    guards, off = chosen(arguments.guards, arguments.c2pa_cert, arguments.c2pa_key)
    listening = listen(arguments.host, arguments.port)
    service = Service(
        arguments.model or default_weights(),
        engine=arguments.engine,
        precision=arguments.precision,
        strict_models=arguments.strict_models,
        guards=guards,
    )
    config = uvicorn.Config(
        create_app(service, settings),
        log_config=None,
        ws="websockets-sansio",
        ws_max_size=16_000_000,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
        server_header=False,
        ssl_certfile=arguments.tls_cert,
        ssl_keyfile=arguments.tls_key,
    )
    server = Server(config)
    server.settings, server.scheduler = settings, service.scheduler
    scheme = "https" if arguments.tls_cert else "http"
    host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    address = f"{scheme}://{host}:{listening.getsockname()[1]}"
    tell(guards, off)
    print(f"Unisono listens at {address}/v1, its page is {address}   (Ctrl-C stops it)", flush=True)
    if arguments.open and (
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform in ("darwin", "win32")
    ):
        threading.Timer(1.0, webbrowser.open, [address]).start()
    server.run(sockets=[listening])
    return 0 if server.started else 1
