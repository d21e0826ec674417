"""`episode`: a step as a conversation, from the object, scene and state rows that are about it.

Find the parts in a collage, place them, check what was built, put it right, check again. A row is a
turn: `history` has the turns before it as they should have been, `images` the pictures of all of
them, `image` that of the turn. Half of the first checks are of a right state, and end there; half
of those after a correction are wrong again, in another way. What was done in the session before is
told in the first turn, in words: with the pictures too, rows would grow with every step.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from datasets import Features, Image, Value
from datasets import Sequence as ListOf

from core.build import BuildRow, picture_bytes
from core.names import Row, opaque_id
from core.pictures.media import image_value
from derived.source import SOURCE_IDS, Made, Source
from lego_arta import FEATURES
from tasks.episode.text import FIX, RECHECK, so_far

NAME = "episode"
_SCENE = FEATURES["scene"]
_SHARED = [name for name in _SCENE if name != "eop_distance"]


def configs(source: Source) -> tuple[str, ...]:
    """What it makes."""
    return (NAME,)


def features(config: str) -> Features:
    """The columns that all tasks share, and the conversation."""
    text = Value("string")
    return Features(
        {
            **{name: _SCENE[name] for name in _SHARED},
            "images": ListOf(Image()),
            "history": [{"role": text, "text": text, "picture": Value("int32")}],
            "turn": text,
            "episode_id": text,
            "targets": FEATURES["object"]["targets"],
            **SOURCE_IDS,
        }
    )


class Turn(NamedTuple):
    """A question with its picture and answer, of a row of the build."""

    name: str
    query: str
    answer: str
    row: BuildRow
    shows: bool = True  # its row's picture; else it is about the one before


def make(source: Source) -> Iterator[Made]:
    """The turns of every step that can be found, placed, and checked both ways."""
    for split in source.splits:
        yield from _of_split(source, split)


def _of_split(source: Source, split: str) -> Iterator[Made]:
    found = _by(source.rows("object", split), "session_id", "instruction")
    states = _by(source.rows("state", split), "session_id", "step_num", "instruction")
    sessions = _by(source.rows("scene", split), "session_id")
    number = 0
    coins = tuple(_dealt(source.rng(NAME, split, name)) for name in ("check", "recheck"))
    for session in sessions.values():
        session.sort(key=lambda row: row.columns["step_num"])
        for index, scene in enumerate(session):
            told = scene.columns
            collages = found.get((told["session_id"], told["previous_instruction"]), [])
            key = (told["session_id"], told["step_num"], told["instruction"])
            group = states.get(key, [])
            if not collages or not any(r.columns["correction"] for r in group):
                source.drop(NAME, "step_without_object_or_state_rows")
                continue
            if source.limit is not None and number >= source.limit:
                return
            before = [row.columns["instruction"] for row in session[:index]]
            turns = _turns(source.rng(NAME, scene.id), coins, collages, scene, group, before)
            for row in _rows(source, scene, turns):
                yield Made(NAME, split, row)
                number += 1


def _by(rows: Iterator[BuildRow], *names: str) -> dict[Any, list[BuildRow]]:
    found: dict[Any, list[BuildRow]] = {}
    for row in rows:
        key = tuple(row.columns[name] for name in names)
        found.setdefault(key if len(names) > 1 else key[0], []).append(row)
    return found


def _turns(
    rng: random.Random,
    coins: Sequence[Iterator[bool]],
    collages: Sequence[BuildRow],
    scene: BuildRow,
    group: Sequence[BuildRow],
    before: list[str],
) -> list[Turn]:
    """The conversation about a step."""
    collage = rng.choice(collages)
    right = [row for row in group if row.columns["label"] == 1]
    wrong = [row for row in group if row.columns["correction"]]
    rng.shuffle(wrong)
    query = " ".join(filter(None, [so_far(before), collage.columns["query"]]))
    turns = [
        Turn("find", query, collage.columns["answer"], collage),
        Turn("place", scene.columns["query"].strip(), scene.columns["answer"], scene),
    ]
    is_right: bool = next(coins[0])
    if right and is_right:
        return [*turns, _check("check", right[0])]
    turns += [
        _check("check", wrong[0]),
        Turn("fix", FIX, wrong[0].columns["correction"], wrong[0], shows=False),
    ]
    put_right: bool = next(coins[1])
    again = right if put_right else wrong[1:]
    return [*turns, _check("recheck", again[0])] if again else turns


def _dealt(rng: random.Random) -> Iterator[bool]:
    """True and False, each once in every two."""
    while True:
        first = rng.random() < 0.5
        yield first
        yield not first


def _check(name: str, state: BuildRow) -> Turn:
    query = state.columns["query"] if name == "check" else RECHECK
    return Turn(name, query, state.columns["answer"], state)


def _rows(source: Source, scene: BuildRow, turns: Sequence[Turn]) -> Iterator[Row]:
    """A row a turn."""
    episode = opaque_id(NAME, scene.id)
    history: list[Mapping[str, Any]] = []
    images: list[dict[str, Any]] = []
    used: list[str] = []
    for turn in turns:
        if turn.shows:
            data = picture_bytes(turn.row.place)
            images.append(image_value(data, source.image_format))
        used += [turn.row.id] if turn.row.id not in used else []
        told = turn.row.columns
        yield {
            **{name: scene.columns[name] for name in _SHARED if name != "image"},
            "provenance": told["provenance"],
            "confidence": told["confidence"],
            "sample_weight": told["sample_weight"],
            "id": opaque_id(episode, turn.name),
            "image": images[-1],
            "query": turn.query,
            "answer": turn.answer,
            "images": list(images),
            "history": list(history),
            "turn": turn.name,
            "episode_id": episode,
            "targets": told["targets"] if turn.name == "find" else [],
            "source_ids": list(used),
        }
        shown = len(images) - 1 if turn.shows else None
        history += [
            {"role": "user", "text": turn.query, "picture": shown},
            {"role": "assistant", "text": turn.answer, "picture": None},
        ]
