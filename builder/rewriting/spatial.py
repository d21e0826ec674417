"""Answers of spatial rows in other words (LLaVA-VSD, 2.3): a new sentence counts only if the same
relations of the same names are read from it and no two words in a row are kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from builder.rewriting.lines import Line, rows_of_piece
from core.shards import Values
from tasks.spatial.diversify import refusal
from tasks.spatial.text import LINE_BREAK

CONFIG = "spatial"
# The paper's.
PROMPT = (
    "Given the image and a concise spatial relationship description between {one} and {other}: "
    "'{line}', generate a simpler sentence with a similar meaning. Keep the main structure of the "
    "sentence, but replace words or phrases with simpler adjectives, verbs, or synonyms, ensuring "
    "no consecutive words from the original description remain the same."
)


class Answer(NamedTuple):
    """A row's line, and the pair whose rows say nothing twice."""

    line: Line
    pair_id: str

    def refusal(self, new: str) -> str:
        """Why a new sentence does not count, empty if it does."""
        return refusal(new, self.line.line, self.line.item.names)

    @property
    def group(self) -> str:
        """Rows that say nothing twice."""
        return self.pair_id


def lines_of(rows: Path) -> Iterator[Answer]:
    """Of a manual's rows the line to rewrite: that of a phrase, and the last of three, as rules do.
    Rows whose words are others already are left alone."""
    for row, item in rows_of_piece(rows / f"{CONFIG}.parquet", CONFIG):
        if item.conversation != "classification" and not row["diversified"]:
            line = item.answer.split(LINE_BREAK)[-1]
            one, other = item.names
            asking = PROMPT.format(one=one, other=other, line=line)
            yield Answer(Line(item, line, asking), row["pair_id"])


def values_of(kept: list[tuple[Answer, str]]) -> Values:
    """What rows have instead, by column and id."""
    answers: dict[str, Any] = {}
    for answer, new in kept:
        item = answer.line.item
        answers[item.id] = LINE_BREAK.join([*item.answer.split(LINE_BREAK)[:-1], new])
    return {"answer": answers, "diversified": dict.fromkeys(answers, True)}
