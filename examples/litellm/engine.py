# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A make-believe engine: python examples/litellm/engine.py 8101 [SPEED]

Speaks as much of OpenAI's API as LiteLLM asks for. It reads one prompt at a time, and writes 50 tokens of
each answer, 40 a second. At SPEED 0.5 it takes twice as long for everything.
"""

from __future__ import annotations

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

TOKENS = 50
SECONDS_PER_TOKEN = 1 / 40
SECONDS_PER_CHARACTER = 0.0005


class Engine(ThreadingHTTPServer):
    """`speed`: 1.0 is as above. `reading`: held while a prompt is read."""

    daemon_threads = True

    def __init__(self, port: int, speed: float) -> None:
        super().__init__(("127.0.0.1", port), Answer)
        self.speed = speed
        self.reading = Lock()

    def take(self, seconds: float) -> None:
        """Be at work for as long as it takes at this speed."""
        time.sleep(seconds / self.speed)


class Answer(BaseHTTPRequestHandler):
    server: Engine
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.reading:
            self.server.take(len(str(asked.get("messages"))) * SECONDS_PER_CHARACTER)
        if asked.get("stream"):
            self._stream(asked["model"])
        else:
            self.server.take(TOKENS * SECONDS_PER_TOKEN)
            self._whole(asked["model"])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the server calls it so
        """Keep silent."""

    def _whole(self, model: str) -> None:
        message = {"role": "assistant", "content": "word " * TOKENS}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": TOKENS, "total_tokens": TOKENS + 1}
        answer = {
            "id": "1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [choice],
            "usage": usage,
        }
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, model: str) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(TOKENS):
            delta = {"role": "assistant", "content": "word "}
            choice = {"index": 0, "delta": delta, "finish_reason": "stop" if number == TOKENS - 1 else None}
            piece = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}
            self._piece(b"data: " + json.dumps(piece).encode() + b"\n\n")
            self.server.take(SECONDS_PER_TOKEN)
        self._piece(b"data: [DONE]\n\n")
        self._piece(b"")

    def _piece(self, content: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))


if __name__ == "__main__":
    Engine(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0).serve_forever()
