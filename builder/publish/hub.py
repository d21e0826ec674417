"""Talking to the Hub: sign in, ask again when it makes sense, tell in one line what went wrong.

The token comes from where `huggingface_hub` looks for it (HF_TOKEN, or the file that `hf auth
login` writes) and is never shown: whatever we or the client say is scrubbed of it, and of the
signatures in upload addresses.
"""

import contextlib
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeVar

import httpx2
import huggingface_hub
import tenacity
from huggingface_hub import HfApi, RepoFile
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from builder.publish.options import Patience as Patience  # callers take it from here
from builder.sources.audio.fetch import retry_after_s
from core.cli import python_module
from core.errors import UserError

log = logging.getLogger("lego_arta.hub")

T = TypeVar("T")
TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
QUOTA = {402, 413, 507}
_QUOTA_WORDS = re.compile(r"quota|storage limit|too large|payment required", re.IGNORECASE)
_SIGNATURES = re.compile(r"(https?://[^\s?'\"]+)\?[^\s'\"]+")
LOGIN = f"run `{python_module('huggingface_hub.cli.hf', 'auth', 'login')}`, or set HF_TOKEN"


@dataclass(frozen=True)
class Hub:
    """One signed-in connection to one dataset repository."""

    api: HfApi
    repo_id: str
    token: str
    patience: Patience

    def call(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Make a call that may be made twice; again while the trouble may pass."""

        def wait(state: tenacity.RetryCallState) -> float:
            return self.pause_s(state.attempt_number, _error_of(state))

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.patience.tries),
            wait=wait,
            retry=tenacity.retry_if_exception(is_transient),
            before_sleep=lambda state: self.say_waiting(state.attempt_number, _error_of(state)),
            reraise=True,
        )
        return retrying(function, *args, **kwargs)

    def pause_s(self, attempt: int, error: BaseException | None) -> float:
        """Seconds to wait after the given attempt (1 is the first), at least what the Hub asks."""
        response = getattr(root_cause(error), "response", None) if error else None
        asked = response.headers.get("retry-after") if response is not None else None
        least = min(self.patience.wait_s * 2 ** (attempt - 1), self.patience.most_s)
        return float(max(least, retry_after_s(asked, datetime.now(timezone.utc))))

    def say_waiting(self, attempt: int, error: BaseException | None) -> None:
        """Tell what went wrong and how long it is until the next try."""
        what, _ = diagnosis(error or TimeoutError(), self.repo_id, self.api.endpoint)
        log.warning(
            "%s; asking again in %.0f s (try %d of %d)", scrubbed(what, self.token),
            self.pause_s(attempt, error), attempt + 1, self.patience.tries,
        )  # fmt: skip

    def about(self, error: BaseException) -> UserError:
        """The error as one line for a person, without secrets."""
        line = "; ".join(diagnosis(error, self.repo_id, self.api.endpoint))
        return UserError(scrubbed(line, self.token))

    def dataset(self, revision: str | None) -> Any:
        """What the Hub says of the repository at a revision; None when there is no repository."""
        try:
            return self.call(self.api.dataset_info, self.repo_id, revision=revision)
        except RevisionNotFoundError:
            raise
        except RepositoryNotFoundError:
            return None

    def files(self, revision: str) -> dict[str, RepoFile]:
        """Every file of a revision by its path."""

        def listed() -> dict[str, RepoFile]:
            entries = self.api.list_repo_tree(
                self.repo_id, repo_type="dataset", revision=revision, recursive=True
            )
            return {entry.path: entry for entry in entries if isinstance(entry, RepoFile)}

        return self.call(listed)

    def read(self, path: str, revision: str) -> bytes:
        """The content of a small file."""
        url = huggingface_hub.hf_hub_url(
            self.repo_id, path, repo_type="dataset", revision=revision, endpoint=self.api.endpoint
        )

        def got() -> bytes:
            headers = {"Authorization": f"Bearer {self.token}"}
            response = huggingface_hub.get_session().get(url, headers=headers)
            huggingface_hub.utils.hf_raise_for_status(response)
            return response.content

        return self.call(got)


@contextlib.contextmanager
def connected(repo_id: str, patience: Patience) -> Iterator[Hub]:
    """Sign in for a while. Raises `UserError` for all that goes wrong with the Hub inside."""
    token = huggingface_hub.get_token()
    if not token:
        raise UserError(f"no Hub token found; {LOGIN}")
    hub = Hub(HfApi(token=token), repo_id, token, patience)
    make_client = huggingface_hub.utils._http.default_client_factory

    def client_with_timeout() -> httpx2.Client:
        client = make_client()
        client.timeout = httpx2.Timeout(patience.timeout_s)
        return client

    huggingface_hub.set_client_factory(client_with_timeout)
    said = logging.getLogger("huggingface_hub")
    scrub = _Scrub(token)
    for handler in said.handlers:
        handler.addFilter(scrub)
    bars_were_off = huggingface_hub.utils.are_progress_bars_disabled()
    if not sys.stderr.isatty():
        huggingface_hub.utils.disable_progress_bars()
    try:
        yield hub
    except UserError as error:
        if token in str(error):
            raise UserError(scrubbed(str(error), token)) from None
        raise
    except (OSError, RuntimeError, ValueError, httpx2.HTTPError) as error:
        line = hub.about(error)
        # A traceback would quote what the server said, and it may have quoted the token.
        raise line from (None if token in _all_text(error) else error)
    finally:
        for handler in said.handlers:
            handler.removeFilter(scrub)
        if not bars_were_off:
            huggingface_hub.utils.enable_progress_bars()
        huggingface_hub.set_client_factory(make_client)


class _Scrub(logging.Filter):
    """Takes secrets out of what the client logs (it names whole upload addresses)."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = scrubbed(record.getMessage(), self.token), ()
        return True


def scrubbed(text: str, token: str) -> str:
    """The text without the token and without signed queries of addresses."""
    return _SIGNATURES.sub(r"\1", text.replace(token, "(token)"))


def root_cause(error: BaseException) -> BaseException:
    """The Hub's or the network's error that an exception was raised from, or the error itself."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, HfHubHTTPError | httpx2.TransportError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return error


def status_of(error: BaseException) -> int | None:
    """HTTP status of the answer behind an error, None when there was none."""
    response = getattr(root_cause(error), "response", None)
    return None if response is None else response.status_code


def is_transient(error: BaseException) -> bool:
    """Whether the same call may do better later: no answer, a garbled one, 429, 5xx."""
    if isinstance(error, json.JSONDecodeError):
        return True  # an error page of something in between
    cause = root_cause(error)
    return isinstance(cause, httpx2.TransportError) or status_of(error) in TRANSIENT


def _all_text(error: BaseException) -> str:
    texts, seen = [], error
    while seen is not None:
        texts.append(str(seen))
        seen = seen.__cause__ or seen.__context__  # type: ignore[assignment]
    return "\n".join(texts)


def _error_of(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def diagnosis(error: BaseException, repo_id: str, endpoint: str) -> tuple[str, str]:
    """What happened, and what to do about it."""
    cause, status = root_cause(error), status_of(error)
    text = " ".join((getattr(cause, "server_message", None) or str(cause)).split())[:300]
    if isinstance(cause, httpx2.TransportError):
        kind = "did not answer in time" if isinstance(cause, httpx2.TimeoutException) else text
        return f"{endpoint}: {kind}", "look at the network and run again, it goes on from here"
    if "xet-write-token" in str(error) or "xet" in type(error).__module__:
        return (
            f"{endpoint}: no Xet storage there ({text})",
            "set HF_HUB_DISABLE_XET=1 and run again",
        )
    if status in QUOTA or _QUOTA_WORDS.search(text):
        return (
            f"{repo_id}: the Hub has no room for it ({text})",
            "free some or ask for a larger plan",
        )
    if status == 401:
        return f"{endpoint} does not accept the token ({text})", f"{LOGIN} with a new one"
    if status == 403:
        return f"{repo_id}: no right to write there ({text})", "use a token with write access to it"
    if status == 429:
        return f"{endpoint}: too many requests ({text})", "run again later, it goes on from here"
    if (status is not None and status >= 500) or isinstance(error, json.JSONDecodeError):
        return f"{endpoint} fails with {status or 'no JSON'} ({text})", "run again later"
    if isinstance(cause, RevisionNotFoundError):
        return f"{repo_id}: no such branch ({text})", "look at --revision"
    if isinstance(cause, RepositoryNotFoundError) or status == 404:
        return f"{repo_id}: not found on {endpoint} ({text})", "look at --repo-id and the token"
    if isinstance(error, HFValidationError):
        return f"--repo-id {repo_id}: {text}", "give ORG/NAME"
    return f"{repo_id}: {text}", "mend that and run again"
