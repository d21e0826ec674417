"""`languages`: object queries in German, Dutch or French, with the boxes of the same rows.

Parts are named by a lexicon (`part_phrases.py`), so a row with a part that it lacks is left out and
counted. The directive, which says how boxes are written, stays in English, so that a run can ask
for any form of boxes.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from datasets import Features, Value

from core.boxtext import box_answer
from core.build import BuildRow, picture_bytes
from core.colors import split_color
from core.names import opaque_id
from core.part_names import phrase_words
from core.pictures.media import image_value
from core.records import PartLabel
from derived.kinds import LANGUAGES
from derived.part_phrases import part_phrase
from derived.source import SOURCE_IDS, Made, Source
from lego_arta import FEATURES
from synthesis.boxes import as_box
from tasks import TASKS
from tasks.queries import take_apart

NAME = "object"


class Words(NamedTuple):
    """What a query says besides parts: the question, several pieces, and the last comma."""

    question: str
    several: str
    last: str


WORDS = {
    "de": Words(
        "Bitte finde und markiere im Bild: {wanted}.", "die folgenden {count} Teile: ", " und ",
    ),
    "nl": Words(
        "Zoek en markeer in de afbeelding: {wanted}.", "de volgende {count} onderdelen: ", " en ",
    ),
    "fr": Words(
        "Trouve et indique sur l'image : {wanted}.", "les {count} pièces suivantes : ", " et ",
    ),
}  # fmt: skip


def configs(source: Source) -> tuple[str, ...]:
    """What it makes: rows like those of the build."""
    return (NAME,)


def features(config: str) -> Features:
    """The columns of object rows, and the language."""
    return Features({**FEATURES[NAME], **SOURCE_IDS, "language": Value("string")})


def make(source: Source) -> Iterator[Made]:
    """A row a language, of whole groups: the collages of one object have one query."""
    for split in source.splits:
        for row in source.whole_groups(NAME, split):
            for language in source.languages or LANGUAGES:
                made = _row(source, row, language)
                if made is None:
                    source.drop(NAME, f"no_words_{language}")
                else:
                    yield Made(NAME, split, made)


def _row(source: Source, found: BuildRow, language: str) -> dict[str, Any] | None:
    """The row in a language; None where the lexicon lacks a part that is asked for."""
    row = found.columns
    asked = [_said(one["label"], one["count"], language) for one in row["targets"]]
    if any(text is None for text in asked):
        return None
    phrases = [text for text in asked if text is not None]
    short = [_said(_short(one["label"]), one["count"], language) or "" for one in row["targets"]]
    named = [s if s and short.count(s) == 1 else p for s, p in zip(short, phrases, strict=True)]
    boxes = [as_box(one["box_norm100"]) for one in row["targets"]]
    data = picture_bytes(found.place)
    return {
        **row,
        "id": opaque_id(NAME, found.id, language),
        "image": image_value(data, source.image_format),
        "query": f"{_question(phrases, row['targets'], language)} {_directive(row['query'])}",
        "answer": box_answer(list(zip(named, boxes, strict=True))),
        "targets": [
            {**one, "label": _uncounted(p)} for one, p in zip(row["targets"], phrases, strict=True)
        ],
        "distractors": [
            {**one, "label": _uncounted(said) if said else one["label"]}
            for one in row["distractors"]
            for said in [_said(one["label"], one["count"], language)]
        ],
        "source_ids": [found.id],
        "language": language,
    }


def _question(phrases: list[str], targets: list[dict[str, Any]], language: str) -> str:
    words = WORDS[language]
    wanted = phrases[0]
    if len(phrases) > 1:
        count = sum(int(one["count"]) for one in targets)
        head = words.several.format(count=count)
        wanted = f"{head}{', '.join(phrases[:-1])}{words.last}{phrases[-1]}"
    return words.question.format(wanted=wanted)


def _directive(query: str) -> str:
    parts = take_apart(query, NAME)
    return parts.directive or TASKS[NAME].text.directives["paper"]


def _said(label: str, count: int, language: str) -> str | None:
    return part_phrase(count, label, language)


def _short(label: str) -> str:
    """A label without its size, as answers name parts."""
    return phrase_words(PartLabel(1, *split_color(label)))


def _uncounted(phrase: str) -> str:
    return phrase.split(" ", 1)[1]
