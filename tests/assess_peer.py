"""An endpoint that behaves as it is told: slow, dying, throttling, talking nonsense, without sound."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PLAIN = {
    "choices": [{"message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 500},
}


class Peer:
    """`ways` says what happens to each completion in turn; the last way holds on. `asked` counts them."""

    def __init__(self, *ways: str) -> None:
        self.ways = list(ways)
        self.asked = 0
        self.bodies: list[dict[str, Any]] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None: ...

            def do_GET(self) -> None:
                self.reply(200, json.dumps({"object": "list", "data": [{"id": "m", "object": "model"}]}))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                peer.bodies.append(body)
                peer.asked += 1
                peer.behave(self, body)

            def reply(self, status: int, text: str, **headers: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(text.encode())

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def behave(self, handler: Any, body: dict[str, Any]) -> None:
        """Answers in the way whose turn it is."""
        way = self.ways.pop(0) if len(self.ways) > 1 else self.ways[0]
        has_sound = "audio" in body or "input_audio" in json.dumps(body["messages"])
        if way == "throttle":
            handler.reply(429, '{"error": {"message": "slow down"}}', retry_after_ms="1")
        elif way == "nonsense":
            handler.reply(200, "<html>a proxy's page</html>")
        elif way == "die":  # in the middle of the body
            handler.send_response(200)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", "1000")
            handler.end_headers()
            handler.wfile.write(b'{"choices": [')
            handler.close_connection = True
        elif way == "key":
            handler.reply(401, '{"error": {"message": "wrong key"}}')
        elif way == "no sound" and has_sound:
            handler.reply(400, '{"error": {"message": "text only"}}')
        elif way == "reject":
            handler.reply(400, '{"error": {"message": "too long"}}')
        else:
            time.sleep(0.3 if way == "slow" else 0)
            handler.reply(200, json.dumps(PLAIN))

    def close(self) -> None:
        """Ends it."""
        self.server.shutdown()
        self.server.server_close()
