"""The functions that the lmms-eval task files name.

lmms-eval loads this file by its path:
    lmms-eval --include_path evaluation/lmms_tasks --tasks lego_arta --model ...

Scores are those of `lego-arta evaluate score` without baselines and intervals. Coordinates of
boxes are read in the frame that the range of all answers' numbers tells: one alone may lie in a
corner.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.answers import parse_boxes
from core.build import Place
from core.frames import Seen, infer_frame
from core.items import Item, item_of
from core.metrics import Said
from evaluation.prompts import Setting, question
from evaluation.samples import metric, score_sample
from tasks import TASKS

_NOWHERE = Place(Path(), 0, 0)


def doc_to_visual(doc: dict[str, Any]) -> list[Any]:
    """The row's picture."""
    return [doc["image"].convert("RGB")]


def doc_to_text(
    doc: dict[str, Any], lmms_eval_specific_kwargs: dict[str, Any] | None = None
) -> str:
    """The row's query between what a model's own settings put around it."""
    return _between(doc["query"], lmms_eval_specific_kwargs)


def _between(query: str, around: dict[str, Any] | None) -> str:
    around = around or {}
    return f"{around.get('pre_prompt', '')}{query}{around.get('post_prompt', '')}"


def _text(config: str) -> Callable[..., str]:
    """The query of a task whose rows don't say how to answer, and that."""

    def doc_to_text(
        doc: dict[str, Any], lmms_eval_specific_kwargs: dict[str, Any] | None = None
    ) -> str:
        return _between(question(doc["query"], config, Setting()), lmms_eval_specific_kwargs)

    return doc_to_text


def _results(config: str) -> Callable[[dict[str, Any], Sequence[str]], dict[str, dict[str, Any]]]:
    def process(doc: dict[str, Any], results: Sequence[str]) -> dict[str, dict[str, Any]]:
        row = {name: value for name, value in doc.items() if name != "image"}
        return {name: {"row": row, "answer": results[0]} for name in TASKS[config].score.harness}

    return process


def _aggregation(config: str, name: str) -> Callable[[Sequence[dict[str, Any]]], float]:
    def aggregate(told: Sequence[dict[str, Any]]) -> float:
        items = [item_of(each["row"], config, "test", _NOWHERE) for each in told]
        answers = [each["answer"] for each in told]
        frame = _frame(items, answers) if TASKS[config].text.in_boxes else "norm100"
        counts = [
            score_sample(item, Said(answer, frame)).counts
            for item, answer in zip(items, answers, strict=True)
        ]
        sums = {key: np.array(sum(each[key] for each in counts)) for key in counts[0]}
        return float(metric(config, name).of(sums))

    return aggregate


def _frame(items: Sequence[Item], answers: Sequence[str]) -> str:
    found = [parse_boxes(answer) for answer in answers]
    return infer_frame(
        Seen([box.box for box in answer.boxes], item.size_wh)
        for item, answer in zip(items, found, strict=True)
        if answer.frame is None
    )


def __getattr__(name: str) -> Any:
    """`object_results` makes the results of a task, `object_iou` its metric `iou` of all,
    `mask_text` its question with the form of the answer."""
    for config in sorted(TASKS, key=len, reverse=True):  # a name may begin with another
        wanted = name.removeprefix(f"{config}_")
        if wanted == name:
            continue
        if wanted == "results":
            return _results(config)
        if wanted == "text":
            return _text(config)
        if wanted in TASKS[config].score.harness:
            return _aggregation(config, wanted)
    raise AttributeError(name)
