"""Instructions of mask rows in other words: a new one counts only if the things that it names are
those of the mask, and no others of the picture.

What an instruction means beyond the things it names ("every piece that is not grey", "what it
rests on") can't be read back, so only those are asked for that name all of their region.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from builder.rewriting.lines import Line, rows_of_piece
from core.shards import Values
from tasks.mask.diversify import names_region, refusal
from tasks.mask.notes import Seen, notes_of
from tasks.mask.simplify import simplify
from tasks.queries import take_apart

CONFIG = "mask"
PROMPT = (
    "Here is an instruction about a picture: '{line}' Say it in one sentence in other words, as "
    "another person would. Call these things exactly as they are called there, and name no others: "
    "{names}. Do not say anything else about them."
)


class Instruction(NamedTuple):
    """A row's instruction, its variants, and what its picture shows."""

    line: Line
    variants: list[dict[str, str]]
    seen: list[Seen]

    def refusal(self, new: str) -> str:
        """Why a new sentence does not count, empty if it does."""
        known = {one["text"] for one in self.variants}
        return "said twice" if new in known else refusal(new, self.line.line, self.seen)

    @property
    def group(self) -> str:
        """Rows that say nothing twice."""
        return self.line.item.id


def lines_of(rows: Path) -> Iterator[Instruction]:
    """The instructions of a manual's mask rows that name all of their region. Rows whose words are
    others already are left alone."""
    seen = {note.id: note.seen for note in notes_of(rows).rows}
    for row, item in rows_of_piece(rows / f"{CONFIG}.parquet", CONFIG):
        there, line = seen.get(row["id"], []), take_apart(item.query, CONFIG).instruction
        if there and not row["diversified"] and names_region(line, there):
            things = simplify(line, [f"{one.color} {one.label}".strip() for one in there])
            asking = PROMPT.format(line=line, names=", ".join(things))
            yield Instruction(Line(item, line, asking), row["instruction_variants"], there)


def values_of(kept: list[tuple[Instruction, str]]) -> Values:
    """What rows have instead, by column and id: the instruction as it was stays a variant."""
    queries: dict[str, Any] = {}
    variants: dict[str, Any] = {}
    for one, new in kept:
        item, old = one.line.item, one.line.line
        queries[item.id] = item.query.replace(old, new, 1)
        (level, *_) = [v["level"] for v in one.variants if v["text"] == old] or ["simple"]
        variants[item.id] = [*one.variants, {"level": level, "text": new}]
    return {
        "query": queries,
        "instruction_variants": variants,
        "diversified": dict.fromkeys(queries, True),
    }
