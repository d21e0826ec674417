"""Who answers prompts: one file a kind of model.

A runner is a function from prompts to replies; replies may come in another order. What it needs
it builds once, from `RunnerOptions`:

    def runner(options: RunnerOptions) -> Callable[[Sequence[Prompt]], Iterator[Reply]]
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import UserError
from evaluation.prompts import Prompt


@dataclass(frozen=True)
class RunnerOptions:
    """How a model is run. `model` is without its `kind:` prefix."""

    model: str
    max_new_tokens: int = 128
    temperature: float = 0.0
    batch_size: int = 1
    # transformers
    device: str = "auto"
    dtype: str = "auto"
    attention: str | None = None  # the model's own choice
    max_pixels: int | None = None
    adapter: str | None = None
    # an endpoint
    base_url: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 4
    requests_per_minute: float | None = None
    timeout_s: float = 120.0
    attempts: int = 6
    cache: Path | None = None
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])


class Reply(NamedTuple):
    """A model's answer to a prompt; `text` is None with an `error` that says why.

    `changes`: what an endpoint was asked otherwise, because it refused that.
    """

    prompt: Prompt
    text: str | None
    seconds: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    size_wh: tuple[int, int] | None = None
    resized_wh: tuple[int, int] | None = None
    error: str | None = None
    changes: Sequence[str] = ()


Answering = Callable[[Sequence[Prompt]], Iterator[Reply]]

ATTENTION = ("sdpa", "flash_attention_2", "eager")
# Prefix of --model -> module. No prefix: a Hub id or a folder, run here.
KINDS = {
    "openai": "evaluation.runners.openai_endpoint",
    "replay": "evaluation.runners.replay",
    "baseline": "evaluation.runners.baseline",
    "transformers": "evaluation.runners.local",
}


def split_model(model: str) -> tuple[str, str]:
    """(kind, name) of a --model value."""
    kind, colon, name = model.partition(":")
    if colon and kind in KINDS:
        if not name:
            raise UserError(f"--model {model}: name a model after the colon")
        return kind, name
    return "transformers", model


def make_runner(kind: str, options: RunnerOptions) -> Answering:
    """The runner of a kind; imports what only it needs."""
    answering: Answering = import_module(KINDS[kind]).runner(options)
    return answering
