"""Prediction files: one JSON line an answer, appended as answers come, with its run beside it.

`NAME.jsonl` holds id, prompt, raw answer, seconds, tokens; `NAME.run.json` what was run. A file
that a killed run left is read again: a last line that was cut is taken off, the rest stands.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.store import write_text
from tasks.looks import GOLD


@dataclass
class Run:
    """What made a prediction file."""

    model: str
    name: str
    config: str
    setting: str
    split: str = "test"
    tuned: bool = False
    items_hash: str = ""
    limit: int | None = None
    # Pictures were seen through masks: how, and whose masks. Gold ones may give answers away.
    deploy: str | None = None
    masks: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def uses_gold_mask(self) -> bool:
        """Whether the model saw what the build's own masks leave."""
        return self.masks == GOLD


@dataclass
class Prediction:
    """One answer. `answer` is null where the model gave none; `error` says why.

    `changes`: what an endpoint was asked otherwise than the run says, because it refused that.
    `crop_xyxy_px`: what of the picture was shown, where it was cut; boxes are in the frame of that.
    """

    id: str
    answer: str | None
    config: str = ""
    prompt: list[dict[str, Any]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)
    seconds: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    size_wh: list[int] | None = None
    resized_wh: list[int] | None = None
    crop_xyxy_px: list[int] | None = None
    changes: list[str] = field(default_factory=list)
    error: str | None = None


def run_path(path: Path) -> Path:
    """The run file beside a prediction file."""
    return path.with_name(path.name.removesuffix(".jsonl") + ".run.json")


def read_run(path: Path) -> Run | None:
    """The run of a prediction file; None for a file of another origin."""
    beside = run_path(path)
    if not beside.is_file():
        return None
    try:
        return Run(**json.loads(beside.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{beside}: not a run file ({error}); delete it and run again") from error


def write_run(path: Path, run: Run) -> None:
    """Write the run file beside a prediction file, whole or not at all."""
    write_text(run_path(path), json.dumps(asdict(run), indent=2) + "\n")


def read_predictions(path: Path) -> dict[str, Prediction]:
    """All predictions of a file by id; raises `UserError` for another file."""
    return by_id(read_lines(path))


def by_id(lines: Iterable[Prediction]) -> dict[str, Prediction]:
    """Predictions by id: of several with one id the last that has an answer."""
    found: dict[str, Prediction] = {}
    for prediction in lines:
        if prediction.answer is not None or prediction.id not in found:
            found[prediction.id] = prediction
    return found


def read_lines(path: Path) -> list[Prediction]:
    """All predictions of a file as they stand there; raises `UserError` for another file.

    Lines need `id` and `answer` (or `response`, `prediction`, `raw`); what else they hold is read
    where it is known.
    """
    found = []
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(f"{path}: can't be read ({error.strerror}); give a JSONL file") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_prediction(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            if number == len(lines):  # a killed run was writing it
                continue
            raise UserError(
                f"{path}, line {number}: not a prediction ({error}); "
                'a line is {"id": "...", "answer": "..."}'
            ) from error
    return found


def _prediction(row: dict[str, Any]) -> Prediction:
    names = Prediction.__dataclass_fields__
    given = {name: row[name] for name in names if name in row}
    if "answer" not in given:
        given["answer"] = next(row[k] for k in ("response", "prediction", "raw") if k in row)
    answer = given["answer"]
    if not isinstance(row["id"], str) or not (answer is None or isinstance(answer, str)):
        raise ValueError("id and answer must be texts")
    return Prediction(**given)


def mend_tail(path: Path) -> None:
    """Take a last line without its end off a file, so that lines can be appended."""
    if not path.exists():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)


def append(path: Path, predictions: Iterable[Prediction]) -> int:
    """Append predictions as they come, each safe on disk at once; returns how many."""
    count = 0
    with path.open("a", encoding="utf-8") as file:
        for prediction in predictions:
            line = {key: value for key, value in asdict(prediction).items()
                    if value is not None and (value or key != "changes")}  # fmt: skip
            line.setdefault("answer", None)
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
            count += 1
    return count
