"""Ask an OpenAI-compatible endpoint for other words, and judge what it says.

Rows stay as they are on the disk; a build takes the new words when it writes its shards. What was
asked is cached by the hash of the request, so a second build asks nothing and is the same, and a
killed one goes on. What is asked and what counts is said by `spatial.py` and `masks.py`.
"""

import collections
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from builder.rewriting import masks, spatial
from builder.rewriting.lines import Line, sentence_of
from core import store
from core.errors import UserError
from core.records import dump
from evaluation.prompts import Prompt
from evaluation.runners import RunnerOptions
from evaluation.runners.openai_endpoint import runner

log = logging.getLogger("lego_arta")

OPTION = "--diversify endpoint"
KINDS: tuple[Any, ...] = (spatial, masks)
FIRST = {"lines", "kept"}


@dataclass(frozen=True)
class Endpoint:
    """Who is asked. The key is read from the environment variable of that name only."""

    model: str
    base_url: str
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 4


class Rewritable(Protocol):
    """A line and what may stand in its place; rows of one group say nothing twice."""

    @property
    def line(self) -> Line: ...

    @property
    def group(self) -> str: ...

    def refusal(self, new: str) -> str:
        """Why a new sentence does not count, empty if it does."""
        ...


def endpoint_of(model: str | None, base_url: str | None, api_key_env: str) -> Endpoint:
    """The endpoint that options name; raises `UserError` where one is missing."""
    if not model or not base_url:
        missing = "--endpoint-model" if not model else "--endpoint-url"
        raise UserError(
            f"{OPTION}: {missing} is missing; give a model and the address of the endpoint that "
            "serves it, e.g. --endpoint-model Qwen/Qwen2-7B-Instruct --endpoint-url "
            "http://localhost:8000/v1"
        )
    if not base_url.startswith(("http://", "https://")):
        raise UserError(f"--endpoint-url {base_url}: give a http:// or https:// address")
    return Endpoint(model, base_url, api_key_env)


def rewrite_all(
    work: Path, manual_ids: Sequence[str], endpoint: Endpoint
) -> dict[str, dict[str, int]]:
    """Ask for every line of the manuals' rows; what rows have instead goes to `REWRITTEN` in the
    work folder, a file a manual. Returns by config how many were asked, kept, and refused by
    reason."""
    answering = runner(
        RunnerOptions(
            endpoint.model,
            base_url=endpoint.base_url,
            api_key_env=endpoint.api_key_env,
            concurrency=endpoint.concurrency,
            cache=work / store.ANSWERS / "rewritten",
        )
    )
    counts = {kind.CONFIG: collections.Counter({"lines": 0, "kept": 0}) for kind in KINDS}
    for number, manual_id in enumerate(manual_ids, 1):
        lines = [list(kind.lines_of(work / store.ROWS / manual_id)) for kind in KINDS]
        prompts = distinct(one.line.prompt for several in lines for one in several)
        replies = list(answering(prompts))
        said = {one.prompt.turns[0].text: one.text for one in replies if one.error is None}
        errors = [one.error for one in replies if one.error is not None]
        if errors:
            log.warning(
                "other words: %d requests of %s failed (%s); their rows stay as they are, until "
                "a build asks again", len(errors), manual_id, errors[0],
            )  # fmt: skip
        values = {
            kind.CONFIG: kind.values_of(accepted(several, said, counts[kind.CONFIG]))
            for kind, several in zip(KINDS, lines, strict=True)
        }
        store.write_bytes(store.rewritten_file(work, manual_id), dump(values))
        log.info("other words: %d of %d manuals", number, len(manual_ids))
    return {
        config: {name: own[name] for name in ("lines", "kept", *sorted(own.keys() - FIRST))}
        for config, own in counts.items()
    }


def distinct(prompts: Iterable[Prompt]) -> list[Prompt]:
    """Each text once."""
    return list({prompt.turns[0].text: prompt for prompt in prompts}.values())


def accepted(
    lines: Sequence[Rewritable], said: Mapping[str, str | None], counts: collections.Counter[str]
) -> list[tuple[Any, str]]:
    """Lines with their new sentences, in the order of rows; `counts` learns what was kept and
    refused. Rows of one group say nothing twice."""
    found: list[tuple[Any, str]] = []
    taken: set[tuple[str, str]] = set()
    for one in lines:
        counts["lines"] += 1
        new = sentence_of(said.get(one.line.asking))
        why = one.refusal(new) if new else "no answer"
        why = why if one.line.asking in said else "the request failed"
        if not why and (one.group, new) in taken:
            why = "said twice"
        if why:
            counts[f"refused: {why}"] += 1
            continue
        taken.add((one.group, new))
        counts["kept"] += 1
        found.append((one, new))
    return found
