"""Boxes that a model gave elsewhere: `--annotator file:ANSWERS.jsonl`.

A line is an answer: `{"image": "MANUAL/PICTURE.png", "answer": "<p>2 red tiles</p> {<28>..}"}`.
Instead of `image`, `sha256` names the picture, or `id` the row (`MANUAL/NUMBER`); `raw`, `response`
and `prediction` are other names of `answer`. Answers are read in every form of `core/answers`.
`frame` says what the numbers are (core/frames.py); without it the form does, and where that says
nothing either, the range of all numbers in the file and the sizes of pictures (`size_wh`).
"""

import functools
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from builder.annotate import FILE, labelling, minigpt_v2_reading
from builder.annotate.models import Answer, Detection, Question, Reading
from core import store
from core.answers import parse_boxes
from core.errors import UserError
from core.frames import FRAMES, Seen, infer_frame, to_norm100
from core.records import Annotation, Drop, Instruction
from synthesis.boxes import norm100_to_px

KEYS = ("sha256", "id", "image")
ANSWER_KEYS = ("answer", "raw", "response", "prediction")


class Line(NamedTuple):
    """A line of the file: by which of `KEYS` and what it is found, the answer, its frame."""

    key: tuple[str, str]
    answer: str
    frame: str | None
    size_wh: tuple[int, int] | None
    resized_wh: tuple[int, int] | None


class Answers(NamedTuple):
    """All lines of a file by key, and the frame of those that say none."""

    lines: dict[tuple[str, str], Line]
    frame: str


def path_of(name: str) -> Path:
    """The file of an annotator `file:PATH`."""
    return Path(name.removeprefix(FILE)).expanduser()


def identity(name: str) -> str:
    """What the answers are, wherever the file lies; raises `UserError` for one that is not there"""
    return f"file {store.sha256(_bytes(path_of(name)))}"


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(
            f"--annotator {FILE}{path}: can't be read ({error.strerror}); "
            "give a file with a JSON object a line"
        ) from None


def read_answers(name: str) -> Answers:
    """The file of an annotator, read once a process; raises `UserError` that names the line."""
    path = path_of(name)
    return _answers(path, _bytes(path))


@functools.lru_cache(4)
def _answers(path: Path, data: bytes) -> Answers:
    lines: dict[tuple[str, str], Line] = {}
    for number, text in enumerate(data.split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            line = _line(json.loads(text))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise UserError(
                f"--annotator {FILE}{path}, line {number}: not an answer ({error}); a line is "
                '{"image": "MANUAL/PICTURE.png", "answer": "..."}, or has id or sha256 for image'
            ) from None
        if lines.setdefault(line.key, line).answer != line.answer:
            raise UserError(
                f"--annotator {FILE}{path}, line {number}: {line.key[1]} has another answer "
                "further up; keep one"
            )
    return Answers(lines, _frame(path, lines.values()))


def _line(row: dict[str, Any]) -> Line:
    key = next((key for key in KEYS if row.get(key)), None)
    if key is None:
        raise ValueError(f"none of {', '.join(KEYS)}")
    answer = next((row[name] for name in ANSWER_KEYS if name in row), None)
    frame = row.get("frame")
    if not isinstance(row[key], str) or not isinstance(answer, str):
        raise ValueError(f"{key} and answer must be texts")
    if frame is not None and frame not in FRAMES:
        raise ValueError(f"frame {frame!r} is none of {', '.join(FRAMES)}")
    value = picture_key(row[key]) if key == "image" else row[key]
    return Line((key, value), answer, frame, _size(row, "size_wh"), _size(row, "resized_wh"))


def _size(row: dict[str, Any], name: str) -> tuple[int, int] | None:
    if row.get(name) is None:
        return None
    width, height = (int(side) for side in row[name])
    return (width, height)


def _frame(path: Path, lines: Iterable[Line]) -> str:
    """The frame of lines that say none. Large numbers of pictures whose size nobody gives could be
    pixels or thousandths; raises `UserError` rather than guess."""
    seen = []
    for line in lines:
        found = parse_boxes(line.answer)
        if line.frame is None and found.boxes and found.frame is None and found.form != "angle":
            seen.append(Seen([box.box for box in found.boxes], line.size_wh, line.resized_wh))
    frame = infer_frame(seen)
    if frame not in ("norm1", "norm100") and not all(answer.size_wh for answer in seen):
        raise UserError(
            f"--annotator {FILE}{path}: numbers over 100 that may be pixels or thousandths; "
            f'give every line "frame": one of {", ".join(FRAMES)}'
        )
    return frame


def picture_key(path: str) -> str:
    """`MANUAL/NAME` of a picture's path or address: its last two parts.

    >>> picture_key("out/lego-60000-a-readscr/Car-28_eop%20AG.png")
    'lego-60000-a-readscr/Car-28_eop AG.png'
    """
    return "/".join(PurePosixPath(unquote(urlsplit(path).path)).parts[-2:])


def keys_of(manual_id: str, instruction: Instruction) -> list[tuple[str, str]]:
    """By what a row's answer may be found, the surest first. `image` is the name that the manual
    gives the picture, or that of our file, in a folder named as the manual or as the site's."""
    paths = [str(instruction.img or ""), str(instruction.VLM.img_path)]
    names = [PurePosixPath(picture_key(path)).name for path in paths]
    return [
        ("id", f"{manual_id}/{instruction.instruction_id}"),
        ("sha256", instruction.img_sha256 or ""),
        *(("image", f"{manual_id}/{name}") for name in names),
        *(("image", picture_key(path)) for path in paths),
    ]


def annotate(
    name: str,
    manual_id: str,
    instruction: Instruction,
    question: Question,
    size_wh: tuple[int, int],
) -> Annotation:
    """What the file says of one row."""
    answers = read_answers(name)
    shown = f"{FILE}{path_of(name).name}"  # not where it lies: that is nobody's business
    found = (answers.lines.get(key) for key in keys_of(manual_id, instruction))
    line = next((line for line in found if line), None)
    if line is None:
        return Annotation(question.image_sha256, shown, size_wh, [], "", 0.0, "not_in_answer_file")
    answer = Answer(size_wh, [line.answer])
    reading = _read(line, question, answer, answers.frame)
    return labelling.annotation_of(question, answer, reading, shown)


def _read(line: Line, question: Question, answer: Answer, frame: str) -> Reading:
    """Boxes of a line. They are of the row's label where it has one; of several, words tell."""
    whose = 0 if len(question.labels) == 1 else None
    found = parse_boxes(line.answer)
    if "<p>" in line.answer and line.frame is None:  # MiniGPT-v2, whose noise its reader knows
        reading = minigpt_v2_reading.read(question, answer)
        return Reading([d._replace(label=whose) for d in reading.detections], reading.dropped)
    frame = line.frame or found.frame or frame
    detections = []
    for label, box in found.boxes:
        norm100 = to_norm100(box, frame, answer.size_wh, line.resized_wh)
        detections.append(Detection(whose, label, norm100_to_px(norm100, answer.size_wh), None))
    return Reading(
        detections, Counter({"answer_not_read": 1} if found.status == "unparsed" else {})
    )


def unmatched(name: str, rows: Iterable[tuple[str, Instruction]]) -> list[Drop]:
    """The lines of the file that are of none of the rows, as drops."""
    known = {key for manual_id, row in rows for key in keys_of(manual_id, row)}
    return [
        Drop("", "annotate", value, "answer_of_no_row", f"{key} in {path_of(name).name}")
        for key, value in sorted(read_answers(name).lines)
        if (key, value) not in known
    ]
