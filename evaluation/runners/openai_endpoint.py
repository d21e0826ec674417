"""Any OpenAI-compatible chat endpoint: vLLM, llama.cpp, hosted models.

Requests go out several at a time, are retried with patience, kept under a rate, and cached by the
hash of what is asked, so that nothing is paid for twice.
"""

import base64
import hashlib
import io
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

import httpx
from PIL import Image
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential, wait_random

from evaluation.items import UserError, picture_bytes
from evaluation.prompts import Prompt
from evaluation.runners import Answering, Reply, RunnerOptions

RETRIED = {408, 409, 425, 429, 500, 502, 503, 504, 529}
# What a request can never mend: stop at once instead of failing 35,612 times.
HOPELESS = {401, 402, 403, 404}
LONGEST_WAIT_S = 60.0


class _Status(Exception):
    """An answer that is no success."""

    def __init__(self, response: httpx.Response):
        super().__init__(f"HTTP {response.status_code}")
        self.response = response


class Pace:
    """At most so many requests a minute, evenly spaced over all threads."""

    def __init__(self, requests_per_minute: float | None):
        self._step_s = 60 / requests_per_minute if requests_per_minute else 0.0
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is this request's turn."""
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next)
            self._next = turn + self._step_s
        time.sleep(turn - now)


def runner(options: RunnerOptions) -> Answering:
    """Ask `options.base_url`/chat/completions; the key is read from the environment only."""
    if not options.base_url:
        raise UserError(
            f"--model openai:{options.model}: --base-url is missing; "
            "give the endpoint, e.g. http://localhost:8000/v1"
        )
    if not options.base_url.startswith(("http://", "https://")):
        raise UserError(f"--base-url {options.base_url}: give a http:// or https:// address")
    key = os.environ.get(options.api_key_env, "")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    pace = Pace(options.requests_per_minute)

    def answering(prompts: Sequence[Prompt]) -> Iterator[Reply]:
        with (
            httpx.Client(headers=headers, timeout=options.timeout_s) as client,
            ThreadPoolExecutor(options.concurrency) as pool,
        ):
            stop = threading.Event()
            running: set[Future[Reply]] = set()
            try:
                for prompt in prompts:
                    running.add(pool.submit(_ask, prompt, options, client, pace, stop))
                    if len(running) >= 2 * options.concurrency:  # pictures only when needed
                        done, running = wait(running, return_when=FIRST_COMPLETED)
                        yield from (future.result() for future in done)
                while running:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            finally:
                stop.set()
                for future in running:
                    future.cancel()

    return answering


def body_of(prompt: Prompt, options: RunnerOptions) -> dict:
    """The JSON of a request: pictures as data URLs before the text of their turn."""
    messages = []
    for turn in prompt.turns:
        content: list[dict] = []
        if turn.image is not None:
            content.append({"type": "image_url", "image_url": {"url": _data_url(turn.image)}})
        content.append({"type": "text", "text": turn.text})
        messages.append({"role": turn.role, "content": content if turn.image else turn.text})
    return {
        "model": options.model,
        "messages": messages,
        "max_tokens": options.max_new_tokens,
        "temperature": options.temperature,
    }


def _data_url(item) -> str:
    data = picture_bytes(item)
    kind = Image.open(io.BytesIO(data)).get_format_mimetype()
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _ask(
    prompt: Prompt, options: RunnerOptions, client: httpx.Client, pace: Pace, stop: threading.Event
) -> Reply:
    body = json.dumps(body_of(prompt, options)).encode()
    asked = hashlib.sha256(f"{options.base_url}\n".encode() + body).hexdigest()
    kept = options.cache / asked[:2] / f"{asked}.json" if options.cache else None
    if kept and kept.is_file():
        try:
            return _reply(prompt, json.loads(kept.read_bytes()))
        except (ValueError, KeyError, TypeError, IndexError):
            kept.unlink()  # a file that is no answer: ask again
    if stop.is_set():
        return Reply(prompt, None, error="stopped")
    started = time.monotonic()
    try:
        answer = _post(client, options, body, pace)
        answer["seconds"] = round(time.monotonic() - started, 3)
        reply = _reply(prompt, answer)
    except _Status as error:
        if error.response.status_code in HOPELESS:
            raise UserError(_explain(error.response, options)) from None
        return Reply(prompt, None, error=_explain(error.response, options))
    except httpx.ConnectError as error:
        raise UserError(
            f"--base-url {options.base_url}: nobody answers there ({error}); start the server"
        ) from None
    except (httpx.HTTPError, ValueError, KeyError, TypeError, IndexError) as error:
        return Reply(prompt, None, error=f"{type(error).__name__}: {str(error)[:200]}")
    if kept:
        _keep(kept, answer)
    return reply


def _keep(path: Path, answer: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{threading.get_ident()}.tmp")
    temporary.write_text(json.dumps(answer), encoding="utf-8")
    temporary.replace(path)


def _post(client: httpx.Client, options: RunnerOptions, body: bytes, pace: Pace) -> dict:
    """The JSON of a successful answer; raises _Status, httpx.HTTPError or ValueError at the end."""
    url = f"{(options.base_url or '').rstrip('/')}/chat/completions"
    for attempt in Retrying(
        retry=retry_if_exception(_worth_retrying),
        stop=stop_after_attempt(options.attempts),
        wait=_patience,
        reraise=True,
    ):
        with attempt:
            pace.wait()
            response = client.post(url, content=body, headers={"Content-Type": "application/json"})
            if not response.is_success:
                raise _Status(response)
            answer = response.json()
            if not isinstance(answer, dict):
                raise ValueError("the endpoint's answer is not a JSON object")
            return answer
    raise ValueError("no attempt was made")


def _worth_retrying(error: BaseException) -> bool:
    if isinstance(error, _Status):
        return error.response.status_code in RETRIED
    return isinstance(error, httpx.TransportError)


_backoff = wait_exponential(multiplier=0.5, max=LONGEST_WAIT_S) + wait_random(0, 0.5)


def _patience(state: RetryCallState) -> float:
    """What the server asks for, else longer every time."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Status):
        try:
            return min(max(float(error.response.headers["Retry-After"]), 0.0), LONGEST_WAIT_S)
        except (KeyError, ValueError):
            pass
    return _backoff(state)


def _explain(response: httpx.Response, options: RunnerOptions) -> str:
    """One line; the endpoint's own words, never the key."""
    try:
        said = str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        said = response.text
    key = os.environ.get(options.api_key_env, "")
    said = " ".join((said.replace(key, "...") if key else said).split())[:200]
    cure = {
        401: f"; put the key into the environment variable {options.api_key_env}",
        404: f"; is {options.model} served there, and does the address end in /v1?",
    }.get(response.status_code, "")
    return f"{options.base_url} answered {response.status_code}: {said}{cure}"


def _reply(prompt: Prompt, answer: dict) -> Reply:
    text = answer["choices"][0]["message"].get("content")
    if isinstance(text, list):  # some servers answer in parts
        text = "".join(part.get("text", "") for part in text)
    usage = answer.get("usage") or {}
    return Reply(
        prompt,
        text,
        answer.get("seconds"),
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        error=None if text is not None else "the endpoint gave no text",
    )
