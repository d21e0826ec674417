"""`mistake`: the wrong states of a build, asked for what is wrong, where, and how to put it right.

All of it is known, because the build made the mistake: its kind, where the new parts are and where
they belong, and the sentence that puts it right. Where a part was moved, `difficulty` says how far.
"""

from collections.abc import Iterator
from typing import Any

from datasets import Features, Value

from core.boxtext import rounded
from core.build import BuildRow
from core.names import opaque_id
from derived.source import SOURCE_IDS, Made, Source, pixels_of, words_of
from lego_arta import FEATURES
from synthesis.boxes import as_box, px_to_norm100
from tasks.mistake.score import answer_text
from tasks.mistake.text import NOWHERE
from tasks.queries import query
from tasks.state.difficulty import shift_studs

NAME = "mistake"
_STATE = FEATURES["state"]
_BOX = _STATE["part_box_px"]
_KEPT = [name for name in _STATE if name not in ("label", "group_id", "part_box_px")]


def configs(source: Source) -> tuple[str, ...]:
    """What it makes."""
    return (NAME,)


def features(config: str) -> Features:
    """The columns of wrong states, with where in both frames, and how hard it is."""
    return Features(
        {
            **{name: _STATE[name] for name in _KEPT},
            "error_box_px": _BOX,
            "error_box_norm100": _BOX,
            "correct_box_norm100": _BOX,
            "shift_studs": Value("float32"),
            **SOURCE_IDS,
        }
    )


def make(source: Source) -> Iterator[Made]:
    """A row a wrong state, in the order of the build."""
    for split in source.splits:
        rows = [row for row in source.rows("state", split) if row.columns["negative_kind"]]
        if source.limit is not None and source.limit < len(rows):
            chosen = source.rng(NAME, split).sample(range(len(rows)), source.limit)
            rows = [rows[index] for index in sorted(chosen)]
        for row in rows:
            if not row.columns["correction"]:
                source.drop(NAME, "no_correction_known")  # of an imported dataset
                continue
            yield Made(NAME, split, _row(source, row))


def _row(source: Source, found: BuildRow) -> dict[str, Any]:
    row, rgb = found.columns, pixels_of(found)
    size_wh = (rgb.shape[1], rgb.shape[0])
    error, correct = row["part_box_px"], row["correct_box_px"]
    norm100 = [None if box is None else px_to_norm100(box, size_wh) for box in (error, correct)]
    written = [NOWHERE if box is None else _written(box) for box in norm100]
    kind, sentence = row["negative_kind"], row["correction"]
    return {
        **{name: row[name] for name in _KEPT if name != "image"},
        "id": opaque_id(NAME, found.id),
        "image": source.picture(rgb),
        "query": query(source.template, NAME, **words_of(row)),
        "answer": answer_text(kind, written[0], written[1], sentence),
        "error_box_px": error,
        "error_box_norm100": norm100[0] and list(norm100[0]),
        "correct_box_norm100": norm100[1] and list(norm100[1]),
        "shift_studs": shift_studs(sentence) if kind == "shift" else None,
        "source_ids": [found.id],
    }


def _written(box_norm100: Any) -> str:
    return f"{{{''.join(f'<{value}>' for value in rounded(as_box(box_norm100)))}}}"
