"""Any OpenAI-compatible chat endpoint: vLLM, llama.cpp, hosted models.

Requests go out several at a time, are retried with patience, kept under a rate, and cached by the
hash of what is asked, so that nothing is paid for twice. What an endpoint refuses by name is asked
in another way (`manners`); where it refuses everything, the run ends after the first few.
"""

import functools
import hashlib
import json
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential, wait_random

from core.errors import UserError
from core.net import check_answers
from core.store import write_text
from evaluation.prompts import Prompt
from evaluation.runners import Answering, Reply, RunnerOptions
from evaluation.runners.manners import Manner, body_of, fails_over_a_picture

RETRIED = {408, 409, 425, 429, 500, 502, 503, 504, 529}
# What a request can never mend: stop at once instead of failing 35,612 times.
HOPELESS = {401, 402, 403, 404}
LONGEST_WAIT_S = 60.0
# So many equal failures end a run: of the first requests, and in a row after one has succeeded.
EQUAL_FAILURES_FIRST, EQUAL_FAILURES_LATER = 5, 50


class _Status(Exception):
    """An answer that is no success: its status, and what the endpoint says."""

    def __init__(self, response: httpx.Response):
        self.status, self.said = _refusal(response)
        super().__init__(f"HTTP {self.status}")
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
    manner = Manner()

    # Once, and only when something is asked: answers may all be in the cache.
    @functools.cache
    def reach() -> None:
        check_answers("--base-url", options.base_url or "")

    def replies(prompts: Sequence[Prompt]) -> Iterator[Reply]:
        with (
            httpx.Client(
                headers=headers,
                timeout=options.timeout_s,
                event_hooks={"request": [lambda _: reach()]},
            ) as client,
            ThreadPoolExecutor(options.concurrency) as pool,
        ):
            stop = threading.Event()
            running: set[Future[Reply]] = set()
            try:
                for prompt in prompts:
                    running.add(pool.submit(_ask, prompt, options, client, pace, manner, stop))
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

    return lambda prompts: _unless_hopeless(replies(prompts))


def _unless_hopeless(replies: Iterable[Reply]) -> Iterator[Reply]:
    """The replies; raises `UserError` where one failure after the other says the same."""
    failures: Counter[str] = Counter()
    most = EQUAL_FAILURES_FIRST
    for reply in replies:
        if reply.error is None:
            failures.clear()
            most = EQUAL_FAILURES_LATER
        else:
            kind = re.sub(r"\w*\d\w*", "#", reply.error)  # whatever numbers and ids it tells
            failures[kind] += 1
            if failures[kind] >= most:
                raise UserError(f"{reply.error}; {most} requests were answered so: stopped")
        yield reply


def _ask(
    prompt: Prompt,
    options: RunnerOptions,
    client: httpx.Client,
    pace: Pace,
    manner: Manner,
    stop: threading.Event,
) -> Reply:
    wanted = json.dumps(body_of(prompt, options)).encode()
    asked = hashlib.sha256(f"{options.base_url}\n".encode() + wanted).hexdigest()
    kept = options.cache / asked[:2] / f"{asked}.json" if options.cache else None
    if kept and kept.is_file():
        try:
            return _reply(prompt, json.loads(kept.read_bytes()), options)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            kept.unlink()  # a file that is no answer: ask again
    while not stop.is_set():
        started = time.monotonic()
        version, body, changes = manner.request(prompt, options)
        try:
            answer = _post(client, options, json.dumps(body).encode(), pace)
            answer |= {"seconds": round(time.monotonic() - started, 3), "changes": changes}
            reply = _reply(prompt, answer, options)
        except _Status as error:
            if manner.learn(version, error.status, error.said, body):
                continue
            if error.status in HOPELESS:
                raise UserError(_explain(error, options)) from None
            return Reply(prompt, None, error=_explain(error, options))
        except httpx.ConnectError as error:
            raise UserError(
                f"--base-url {options.base_url}: nobody answers there ({error}); start the server"
            ) from None
        except (httpx.HTTPError, ValueError, KeyError, TypeError, IndexError, AttributeError) as e:
            return Reply(prompt, None, error=f"{type(e).__name__}: {str(e)[:200]}")
        if kept and reply.error is None:
            write_text(kept, json.dumps(answer))
        return reply
    return Reply(prompt, None, error="stopped")


def _post(client: httpx.Client, options: RunnerOptions, body: bytes, pace: Pace) -> dict[str, Any]:
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
            if "choices" not in answer and answer.get("error"):
                raise _Status(response)
            return answer
    raise ValueError("no attempt was made")


def _worth_retrying(error: BaseException) -> bool:
    if isinstance(error, _Status):
        return error.status in RETRIED and not fails_over_a_picture(error.status, error.said)
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


def _refusal(response: httpx.Response) -> tuple[int, str]:
    """Status and words of a refusal: OpenAI's, FastAPI's, or whatever the body holds.

    Some gateways send errors as successes; their own code counts then.
    """
    try:
        body = response.json()
    except ValueError:
        return response.status_code, response.text[:2000]
    error = body.get("error") or body.get("detail") or body if isinstance(body, dict) else body
    code = error.get("code") if isinstance(error, dict) else None
    status = code if response.is_success and isinstance(code, int) else response.status_code
    if isinstance(error, dict) and "message" in error:
        param = f" ({error['param']})" if error.get("param") else ""
        return status, f"{error['message']}{param}"
    if isinstance(error, list) and all(isinstance(part, dict) for part in error):
        return status, "; ".join(f"{part.get('loc')}: {part.get('msg')}" for part in error)
    return status, (error if isinstance(error, str) else response.text)[:2000]


def _explain(error: _Status, options: RunnerOptions) -> str:
    """One line; the endpoint's own words, never the key."""
    key = os.environ.get(options.api_key_env, "")
    said = " ".join((error.said.replace(key, "...") if key else error.said).split())[:200]
    cure = {
        401: f"; put the key into the environment variable {options.api_key_env}",
        404: f"; is {options.model} served there, and does the address end in /v1?",
    }.get(error.status, "")
    return f"{options.base_url} answered {error.status}: {said}{cure}"


def _reply(prompt: Prompt, answer: dict[str, Any], options: RunnerOptions) -> Reply:
    choice = answer["choices"][0]
    text = choice["message"].get("content")
    if isinstance(text, list):  # some servers answer in parts
        text = "".join(part.get("text") or "" for part in text)
    error = None
    if not (text or "").strip() and choice.get("finish_reason") == "length":
        text, error = None, (
            f"no answer within {options.max_new_tokens} tokens (thinking?); "
            "give more --max-new-tokens"
        )  # fmt: skip
    elif text is None:
        refusal = choice["message"].get("refusal")
        error = f"the model refuses: {refusal}" if refusal else "the endpoint gave no text"
    usage = answer.get("usage") or {}
    return Reply(
        prompt,
        text,
        answer.get("seconds"),
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        error=error,
        changes=answer.get("changes", ()),
    )
