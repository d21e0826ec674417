"""A line that is put into other words, and the sentence of an answer."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

from core.answers import final_text
from core.build import shard_rows
from core.items import Item, item_of
from core.names import Row
from evaluation.prompts import Prompt, Turn

_QUOTES = " \t\"'`*\u201c\u201d\u2018\u2019"


class Line(NamedTuple):
    """A row, the line of it that is rewritten, and the words that ask for that."""

    item: Item
    line: str
    asking: str

    @property
    def prompt(self) -> Prompt:
        """What is asked. No picture goes with it, for the line alone is rewritten."""
        return Prompt(self.item, (Turn("user", self.asking),), ())


def rows_of_piece(path: Path, config: str) -> Iterator[tuple[Row, Item]]:
    """The rows of a manual's piece without their pictures, and the same as items."""
    columns = [name for name in pq.read_schema(path).names if name not in ("image", "mask")]
    for one in shard_rows(path, config, columns):
        yield one.columns, item_of(one.columns, config, "", one.place)


def sentence_of(text: str | None) -> str:
    """The sentence of an answer: what stands after thinking, without quotes, with a capital and a
    full stop; empty for none and for several lines, of which nobody knows which is meant."""
    lines = [line.strip(_QUOTES) for line in final_text(text or "").splitlines()]
    lines = [line for line in lines if line]
    if len(lines) != 1:
        return ""
    line = re.sub(r"\s+", " ", lines[0])
    return f"{line[:1].upper()}{line[1:].rstrip('.')}."
