"""A loopback server that speaks OpenAI's chat completions and can be told to misbehave."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from loopback import running

Answer = Callable[[dict], str | dict]
# What a request is refused with (status, body), None for what is taken.
Refusal = Callable[[dict], tuple[int, dict] | None]
# Status and headers of the next answers, before good ones follow.
Fault = tuple[int, dict[str, str]]


class OpenAiServer(ThreadingHTTPServer):
    """Logs what it is asked; `answer` makes the text (or the body); `faults` come first."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Answer = lambda body: "No."
        self.refuse: Refusal = lambda body: None
        self.faults: list[Fault] = []
        self.bodies: list[dict] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        self.wait_s = 0.0
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OpenAiServer

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with server.lock:
            server.times.append(time.monotonic())
            server.bodies.append(body)
            server.keys.append(self.headers.get("Authorization"))
            fault = server.faults.pop(0) if server.faults else None
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        try:
            time.sleep(server.wait_s)
            if self.path != "/v1/chat/completions":
                self._send(404, {"error": {"message": f"no {self.path}"}}, {})
            elif fault:
                self._fault(*fault)
            elif refused := server.refuse(body):
                self._send(*refused, {})
            else:
                answer = server.answer(body)
                whole = completion(body, answer) if isinstance(answer, str) else answer
                self._send(200, whole, {})
        finally:
            with server.lock:
                server.at_once -= 1

    def _fault(self, status: int, headers: dict[str, str]) -> None:
        if status == 0:  # hang up without a word
            self.close_connection = True
        elif status == 200:  # a success that is no JSON
            self._raw(200, b"<html>hello</html>", {})
        else:
            said = f"fault {status} for {self.headers.get('Authorization')}"
            self._send(status, {"error": {"message": said}}, headers)

    def _send(self, status: int, answer: dict, headers: dict[str, str]) -> None:
        self._raw(status, json.dumps(answer).encode(), headers)

    def _raw(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def completion(body: dict, text: str) -> dict:
    """The JSON that a chat endpoint answers."""
    return {
        "object": "chat.completion",
        "model": body["model"],
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13},
    }


def question_of(body: dict) -> str:
    """The text of the last user message."""
    content = body["messages"][-1]["content"]
    return content if isinstance(content, str) else content[-1]["text"]


@contextlib.contextmanager
def serving() -> Iterator[OpenAiServer]:
    """A running server on a free port of 127.0.0.1."""
    with running(OpenAiServer()) as server:
        yield server


def command(build, server, out, *more, config="state"):
    return [
        "run", str(build), "--model", "openai:tiny", "--config", config, "--out", str(out),
        "--base-url", server.url, *more,
    ]  # fmt: skip


def answers(out):
    (path,) = Path(out).glob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]
