"""`sequence`: questions about several steps of one session, by their pictures alone.

`images` are the pictures one by one, all of the same size and, being raw, of as many bytes: a
file's size would tell how much is built. Numbers that the manual prints beside a step are taken
out. `image` shows them on one sheet with their labels, for models and tools that take one picture.
The options of `next` and `previous` are the same pictures,
on both sides of the one that is shown: the likest picture is as often the one before as the one
after. Letters of right answers are dealt out evenly.
"""

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
from datasets import Features, Image, Value
from datasets import Sequence as ListOf

from core.build import BuildRow
from core.names import opaque_id
from core.part_names import part_kind, part_labels
from core.pictures.media import encode, image_value
from core.records import Instruction, PartLabel, Vlm
from derived.sheet import sheet
from derived.source import SOURCE_IDS, Made, Source, least_of, pixels_of
from lego_arta import FEATURES
from synthesis.collage import fit
from synthesis.foreground import foreground_mask
from synthesis.pixels import border_color
from synthesis.printed import printed_marks
from tasks.queries import query
from tasks.sequence.text import FORMS, LETTERS, QUERY_LABEL

NAME = "sequence"
LONG_SIDE_PX = 480
# A pixel whose colour is so far from the border's shows something.
BACKGROUND_LEVELS = 12
MARK_RIM_PX = 4  # around a printed number: the soft edges of its strokes
_SCENE = FEATURES["scene"]
_SHARED = [name for name in _SCENE if name != "eop_distance"]


def configs(source: Source) -> tuple[str, ...]:
    """What it makes."""
    return (NAME,)


def features(config: str) -> Features:
    """The columns that all tasks share, the pictures, and what pixels alone would answer."""
    return Features(
        {
            **{name: _SCENE[name] for name in _SHARED},
            "images": ListOf(Image()),
            "labels": ListOf(Value("string")),
            "form": Value("string"),
            "by_similarity": Value("string"),
            "by_coverage": Value("string"),
            **SOURCE_IDS,
        }
    )


class Question(NamedTuple):
    """A question: its form, the place in the session of what is shown (None: nothing) and of the
    options, the right ones first (of an order all, in order), and its text."""

    form: str
    shown: int | None
    options: tuple[int, ...]
    right: int
    text: str


def make(source: Source) -> Iterator[Made]:
    """The rows of each split, session by session."""
    for split in source.splits:
        deal = {form: source.rng(NAME, split, form) for form in FORMS}
        dealt: dict[str, list[tuple[int, ...]]] = {form: [] for form in FORMS}
        sessions: dict[str, list[BuildRow]] = {}
        for row in source.rows("scene", split):
            sessions.setdefault(row.columns["session_id"], []).append(row)
        jobs = []
        for session, steps in sessions.items():
            steps.sort(key=lambda row: row.columns["step_num"])
            questions = list(questions_of(steps))
            if not questions:
                source.drop(NAME, "session_too_short")
            jobs += [(session, question) for question in questions]
        if source.limit is not None and source.limit < len(jobs):
            chosen = source.rng(NAME, split).sample(range(len(jobs)), source.limit)
            jobs = [jobs[index] for index in sorted(chosen)]
        for session, several in itertools.groupby(jobs, key=lambda job: job[0]):
            steps = sessions[session]
            pictures = _same_size([without_numbers(pixels_of(step)) for step in steps])
            for _, question in several:
                places = _dealt(question, dealt[question.form], deal[question.form])
                yield Made(NAME, split, _row(source, steps, pictures, question, places))


def questions_of(steps: Sequence[BuildRow]) -> Iterator[Question]:
    """All questions about the steps of a session."""
    number = len(steps)
    for k in range(1, number - 1):
        # The steps on both sides, then what is nearest to either.
        near = sorted((j for j in range(number) if abs(j - k) > 1), key=lambda j: abs(j - k))
        if len(near) >= 2:
            for form, right in (("next", k + 1), ("previous", k - 1)):
                other = 2 * k - right
                options = (right, other, *near[:2])
                yield Question(form, k, options, 1, FORMS[form])
    for k in range(number - 3):
        yield Question("order", None, (k, k + 1, k + 2, k + 3), 4, FORMS["order"])
    for k in range(number - 2):
        apart = [j for j in range(number) if j <= k - 2 or j >= k + 4]
        if apart:
            odd = min(apart, key=lambda j: abs(j - k - 1))
            yield Question("outlier", None, (odd, k, k + 1, k + 2), 1, FORMS["outlier"])
    for k, step in enumerate(steps):
        if (base := needed(steps[:k], step)) is not None:
            others = [j for j in range(k) if j != base][-3:]
            text = FORMS["dependency"].format(done=step.columns["instruction"])
            yield Question("dependency", None, (base, *others), 1, text)


def needed(before: Sequence[BuildRow], step: BuildRow) -> int | None:
    """Which of four or more steps before put the part that a step is put on; None where its words
    name none, or one that several of them put."""
    named = [e["text"] for e in step.columns["entities"] if e["tag"] == "target"]
    kinds = {_kind(text.removeprefix("the ")) for text in named}
    if len(kinds) != 1 or len(before) < len(LETTERS):
        return None
    (kind,) = kinds
    found = [index for index, row in enumerate(before) if kind in _kinds_found(row)]
    return found[0] if len(found) == 1 else None


def _kind(theme: str) -> str:
    return part_kind(PartLabel(1, "", theme))


def _kinds_found(row: BuildRow) -> set[str]:
    """The kinds of parts, without their colours, that were found for a step."""
    text = row.columns["previous_instruction"] or ""
    labels = part_labels(Instruction(0, [text], Vlm(), None, []))
    return {_kind(label.theme) for label in labels}


def _dealt(question: Question, left: list[tuple[int, ...]], rng: random.Random) -> tuple[int, ...]:
    """Where each option goes: a permutation of four, each as often as any other; of questions with
    one right option, each place as often."""
    if not left:
        every = list(itertools.permutations(range(len(LETTERS))))
        if question.right == 1:  # six times each place, in turn
            rng.shuffle(every)
            by_place = [[one for one in every if one[0] == place] for place in range(4)]
            rng.shuffle(by_place)
            every = [one for several in zip(*by_place, strict=True) for one in several]
        else:
            rng.shuffle(every)
        left += reversed(every)
    return left.pop()


def _row(
    source: Source,
    steps: Sequence[BuildRow],
    pictures: Sequence[np.ndarray],
    question: Question,
    places: Sequence[int],
) -> dict[str, Any]:
    options = [0] * len(LETTERS)
    for option, place in zip(question.options, places, strict=True):
        options[place] = option
    shown = [] if question.shown is None else [question.shown]
    labels = [QUERY_LABEL] * len(shown) + list(LETTERS)
    used = [pictures[index] for index in (*shown, *options)]
    rows = [steps[index] for index in (*shown, *options)]
    told = (steps[shown[0]] if shown else steps[question.options[0]]).columns
    answer = ", ".join(LETTERS[place] for place in places[: question.right])
    guesses = _guesses(question.form, used[: len(shown)], used[len(shown) :])
    return {
        **{name: told[name] for name in _SHARED if name != "image"},
        "id": opaque_id(NAME, question.form, *(row.id for row in rows)),
        "image": source.picture(sheet(used, labels)),
        "query": query(source.template, NAME, wanted=question.text),
        "answer": answer,
        # Its words would tell what is asked for.
        "instruction": question.text,
        "previous_instruction": None,
        "entities": [],
        "provenance": {
            "source_images": [row.columns["provenance"]["source_images"][0] for row in rows],
            "annotator": None,
        },
        "confidence": least_of([row.columns for row in rows], "confidence"),
        "sample_weight": least_of([row.columns for row in rows], "sample_weight"),
        "images": [image_value(encode(one, "bmp"), "bmp") for one in used],
        "labels": labels,
        "form": question.form,
        "by_similarity": guesses[0],
        "by_coverage": guesses[1],
        "source_ids": [row.id for row in rows],
    }


def without_numbers(rgb: np.ndarray) -> np.ndarray:
    """A picture (H, W, 3) without the numbers printed into it, which count the steps."""
    marks = printed_marks(rgb, foreground_mask(rgb))
    if not marks.any():
        return rgb
    around = np.ones((2 * MARK_RIM_PX + 1,) * 2, np.uint8)
    found: np.ndarray = cv2.inpaint(
        rgb, cv2.dilate(marks.astype(np.uint8), around), MARK_RIM_PX, cv2.INPAINT_TELEA
    )
    return found


def _same_size(pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """(H, W, 3) pictures, all in the shape of the first."""
    height, width = pictures[0].shape[:2]
    scale = LONG_SIDE_PX / max(height, width)
    size_wh = (max(16, round(width * scale)), max(16, round(height * scale)))
    return [fit(one, size_wh).cell for one in pictures]


def _guesses(
    form: str, shown: Sequence[np.ndarray], options: Sequence[np.ndarray]
) -> tuple[str, str]:
    """What pixels answer: by how alike pictures are, and by how much there is on them."""
    built = [_coverage(one) for one in options]
    by_built = sorted(range(len(options)), key=lambda i: built[i])
    letters = [LETTERS[i] for i in by_built]
    if form == "order":
        return _chain(options), ", ".join(letters)
    if shown:
        alike = [_distance(shown[0], one) for one in options]
        now = _coverage(shown[0])
        after = [i for i in by_built if built[i] > now] or by_built[-1:]
        before = [i for i in by_built if built[i] < now] or by_built[:1]
        place = after[0] if form == "next" else before[-1]
        return LETTERS[int(np.argmin(alike))], LETTERS[place]
    far = [sum(_distance(one, other) for other in options) for one in options]
    if form == "outlier":
        middle = float(np.median(built))
        odd = max(range(len(options)), key=lambda i: abs(built[i] - middle))
        return LETTERS[int(np.argmax(far))], LETTERS[odd]
    return LETTERS[int(np.argmin(far))], letters[0]


def _chain(options: Sequence[np.ndarray]) -> str:
    """The order in which each picture is as like the one before as can be."""
    apart = np.array([[_distance(one, other) for other in options] for one in options])
    orders = itertools.permutations(range(len(options)))
    best = min(orders, key=lambda o: sum(apart[a, b] for a, b in itertools.pairwise(o)))
    return ", ".join(LETTERS[i] for i in best)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())


def _coverage(picture: np.ndarray) -> float:
    return float((np.abs(picture - border_color(picture)).max(axis=2) > BACKGROUND_LEVELS).mean())
