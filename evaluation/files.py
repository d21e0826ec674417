"""Prediction files that are to be scored: which there are, what they belong to, what is odd."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.cli import command
from core.errors import UserError
from core.items import Item, items_hash
from evaluation.predictions import Prediction, Run, by_id, read_lines, read_run
from tasks import EVERY_TASK


@dataclass
class PredictionFile:
    """A prediction file with its run; `answered_twice`: ids with two different answers."""

    path: Path
    run: Run
    predictions: dict[str, Prediction]
    answered_twice: int = 0

    @property
    def answered(self) -> set[str]:
        """The ids that have an answer."""
        return {p.id for p in self.predictions.values() if p.answer is not None}


def prediction_files(paths: Sequence[Path]) -> list[Path]:
    """The JSONL files named, and those in the folders named; raises `UserError` for none."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
        if not inside:
            cure = f"how to make some: {command('evaluate', 'run', '--help')}"
            raise UserError(f"{path}: no *.jsonl in it; {cure}")
        found += inside
    return found


def read_files(paths: Sequence[Path]) -> tuple[list[PredictionFile], list[str]]:
    """Files with an answer in them, and a line about each that has none; raises `UserError`.

    A run that an endpoint refused must not stand in a table as a model that was always wrong.
    """
    files, told = [], []
    for path in prediction_files(paths):
        lines = read_lines(path)
        predictions = by_id(lines)
        if any(line.answer is not None for line in lines):
            run, twice = _run_of(path, predictions), _answered_twice(lines)
            files.append(PredictionFile(path, run, predictions, twice))
            continue
        errors = [p.error for p in predictions.values() if p.error]
        why = f" ({errors[0]})" if errors else ""
        told.append(f"{path.name}: no answer in it{why}, so it is left out; run it again")
    if not files:
        raise UserError(f"nothing to score; {told[0]}")
    return files, told


def _run_of(path: Path, predictions: dict[str, Prediction]) -> Run:
    run = read_run(path)
    if run is None:
        configs = {p.config for p in predictions.values() if p.config}
        guessed = configs or {c for c in EVERY_TASK if f".{c}." in f".{path.stem}."}
        if len(guessed) != 1:
            raise UserError(
                f"{path}: its task is not known; name it MODEL.scene.jsonl, MODEL.object.jsonl "
                "or MODEL.state.jsonl"
            )
        config = guessed.pop()
        name = path.stem.removesuffix(f".{config}")
        run = Run(model=name, name=name, config=config, setting="full")
    if run.config not in EVERY_TASK:
        raise UserError(f"{path}: {run.config} is no task; one of {', '.join(EVERY_TASK)}")
    return run


def check_belongs(file: PredictionFile, items: Sequence[Item], split: str) -> None:
    """Raise `UserError` for answers to other items than these."""
    if file.run.items_hash and file.run.items_hash != items_hash(items):
        where = f"--split {file.run.split}" if file.run.split != split else "another build"
        raise UserError(
            f"{file.path}: made on {where} (its items differ); "
            "score it with the build and the split it was run on"
        )
    if not {item.id for item in items} & set(file.predictions):
        raise UserError(f"{file.path}: none of its ids are in the split; is it the right build?")


def oddities(file: PredictionFile, items: Sequence[Item]) -> list[str]:
    """Lines about what a reader of the scores should know of a file."""
    name = f"{file.run.config}: {file.path.name}"
    told = []
    strange = len(set(file.predictions) - {item.id for item in items})
    if strange:
        told.append(f"{name}: {strange:,} of its answers are of no item of this split: left out")
    if file.answered_twice:
        told.append(
            f"{name}: {file.answered_twice:,} ids have two different answers; the last one counts"
        )
    most = file.run.options.get("max_new_tokens")
    cut = sum((p.tokens_out or 0) >= most for p in file.predictions.values()) if most else 0
    if cut:
        told.append(f"{name}: {cut:,} answers were cut at --max-new-tokens {most}")
    changes = sorted({change for p in file.predictions.values() for change in p.changes})
    if changes:
        told.append(f"{name} was asked otherwise than told: {', '.join(changes)}")
    return told


def _answered_twice(lines: Sequence[Prediction]) -> int:
    answers: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        if line.answer is not None:
            answers[line.id].add(line.answer)
    return sum(len(several) > 1 for several in answers.values())
