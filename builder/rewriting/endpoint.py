"""Ask an OpenAI-compatible endpoint for other words (LLaVA-VSD, 2.3), and judge what it says.

Rows stay as they are on the disk; a build takes the new answers when it writes its shards. What was
asked is cached by the hash of the request, so a second build asks nothing and is the same, and a
killed one goes on. A new sentence counts only if the same relations of the same names are read from
it and no two words in a row are kept.
"""

import collections
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from core import store
from core.answers import final_text
from core.build import Place
from core.errors import UserError
from core.items import Item, item_of
from core.records import dump
from evaluation.prompts import Prompt, Turn
from evaluation.runners import RunnerOptions
from evaluation.runners.openai_endpoint import runner
from tasks.spatial.diversify import refusal
from tasks.spatial.text import LINE_BREAK

log = logging.getLogger("lego_arta")

CONFIG, OPTION = "spatial", "--diversify endpoint"
# The paper's; it has no picture to go with, for the line alone is rewritten.
PROMPT = (
    "Given the image and a concise spatial relationship description between {one} and {other}: "
    "'{line}', generate a simpler sentence with a similar meaning. Keep the main structure of the "
    "sentence, but replace words or phrases with simpler adjectives, verbs, or synonyms, ensuring "
    "no consecutive words from the original description remain the same."
)
_QUOTES = " \t\"'`*\u201c\u201d\u2018\u2019"


@dataclass(frozen=True)
class Endpoint:
    """Who is asked. The key is read from the environment variable of that name only."""

    model: str
    base_url: str
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 4


class Line(NamedTuple):
    """A row and the line of its answer that is put into other words."""

    item: Item
    line: str
    pair_id: str

    @property
    def prompt(self) -> Prompt:
        """What is asked."""
        one, other = self.item.names
        text = PROMPT.format(one=one, other=other, line=self.line)
        return Prompt(self.item, (Turn("user", text),), ())


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


def rewrite_all(work: Path, manual_ids: Sequence[str], endpoint: Endpoint) -> dict[str, int]:
    """Ask for every line of the manuals' spatial rows; the accepted ones go to `REWRITTEN` in the
    work folder, a file a manual. Returns how many were asked, kept, and refused by reason."""
    answering = runner(
        RunnerOptions(
            endpoint.model,
            base_url=endpoint.base_url,
            api_key_env=endpoint.api_key_env,
            concurrency=endpoint.concurrency,
            cache=work / store.ANSWERS / "rewritten",
        )
    )
    counts = collections.Counter({"lines": 0, "kept": 0})
    for number, manual_id in enumerate(manual_ids, 1):
        lines = list(lines_of(work / store.ROWS / manual_id / f"{CONFIG}.parquet"))
        replies = list(answering(distinct(line.prompt for line in lines)))
        said = {one.prompt.turns[0].text: one.text for one in replies if one.error is None}
        errors = [one.error for one in replies if one.error is not None]
        if errors:
            log.warning(
                "other words: %d requests of %s failed (%s); their answers stay as they are, until "
                "a build asks again", len(errors), manual_id, errors[0],
            )  # fmt: skip
        found = accepted(lines, said, counts)
        store.write_bytes(store.rewritten_file(work, manual_id), dump(found))
        log.info("other words: %d of %d manuals", number, len(manual_ids))
    refused = sorted(why for why in counts if why.startswith("refused"))
    return {name: counts[name] for name in ("lines", "kept", *refused)}


def lines_of(path: Path) -> Iterator[Line]:
    """Of a manual's rows the line to rewrite: that of a phrase, and the last of three, as rules do.
    Rows whose words are others already are left alone."""
    with pq.ParquetFile(path) as file:
        names = [name for name in file.schema_arrow.names if name != "image"]
        for group in range(file.num_row_groups):
            for row in file.read_row_group(group, columns=names).to_pylist():
                item = item_of(row, CONFIG, "", Place(path, 0, 0))
                if item.conversation != "classification" and not row["diversified"]:
                    yield Line(item, item.answer.split(LINE_BREAK)[-1], row["pair_id"])


def distinct(prompts: Iterable[Prompt]) -> list[Prompt]:
    """Each text once."""
    return list({prompt.turns[0].text: prompt for prompt in prompts}.values())


def accepted(
    lines: Sequence[Line], said: Mapping[str, str | None], counts: collections.Counter[str]
) -> dict[str, str]:
    """New answers by row id, in the order of rows; `counts` learns what was kept and refused. A
    pair's rows say nothing twice."""
    found: dict[str, str] = {}
    taken: set[tuple[str, str]] = set()
    for line in lines:
        counts["lines"] += 1
        new = sentence_of(said.get(line.prompt.turns[0].text))
        why = refusal(new, line.line, line.item.names) if new else "no answer"
        why = why if line.prompt.turns[0].text in said else "the request failed"
        if not why and (line.pair_id, new) in taken:
            why = "said twice"
        if why:
            counts[f"refused: {why}"] += 1
            continue
        taken.add((line.pair_id, new))
        counts["kept"] += 1
        found[line.item.id] = LINE_BREAK.join([*line.item.answer.split(LINE_BREAK)[:-1], new])
    return found


def sentence_of(text: str | None) -> str:
    """The sentence of an answer: what stands after thinking, without quotes, with a capital and a
    full stop; empty for none and for several lines, of which nobody knows which is meant."""
    lines = [line.strip(_QUOTES) for line in final_text(text or "").splitlines()]
    lines = [line for line in lines if line]
    if len(lines) != 1:
        return ""
    line = re.sub(r"\s+", " ", lines[0])
    return f"{line[:1].upper()}{line[1:].rstrip('.')}."
