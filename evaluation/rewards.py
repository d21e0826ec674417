"""Rewards for reinforcement learning, per sample, as LEGO-R1 has them (R3-R8) and one that is safe.

Every function here takes `completions` and `solution` (and any other column as a keyword) and
gives one float a completion: what TRL's `GRPOTrainer` and VLM-R1 call. The task of a sample is its
`task` column, else read off its own solution; a reward of another task gives 0.0.

    GRPOTrainer(reward_funcs=list(REWARDS.values()), ...)   # names: accuracy format state_acc grnd
"""

import json
import math
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from core.answers import PredictedBox, final_text, parse_boxes
from core.frames import Size, to_norm100
from core.matching import Pair, match
from core.text_scores import label_similarity
from tasks import TASKS

SCENE, OBJECT, STATE, UNKNOWN = "scene", "object", "state", "unknown"
COUNT_BONUS = 0.1

_ANSWER = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)
_THINK = re.compile(r"<think>.*?</think>", re.DOTALL)
_WHOLE = re.compile(r"\s*<think>.*?</think>\s*<answer>.*?</answer>\s*", re.DOTALL)
_STATE_SOLUTION = re.compile(r"(?:yes|no)\.?", re.IGNORECASE)

Completions = Sequence[Any]
Reward = Callable[..., list[float]]


def text_of(completion: Any) -> str:
    """The text of a completion: a string, or chat messages of which the last is the answer."""
    if isinstance(completion, str):
        return completion
    content = completion[-1]["content"] if completion else ""
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    return str(content or "")


def task_of(solution: str | None, task: str | None = None) -> str:
    """The task of one sample: its column, else the form of its own solution.

    Boxes in any form that can be read are an object's, also as bare lists, in a code block or
    without tags; an empty list stands for a scene, as LEGO-R1 has it.
    """
    for each in TASKS.values():
        if str(task) in (each.name, *each.text.other_names):
            return each.name
    said = final_text(solution or "")
    if not said:
        return UNKNOWN
    if _STATE_SOLUTION.fullmatch(said):
        return STATE
    return OBJECT if parse_boxes(said).status in ("ok", "partial") else SCENE


def _each(
    wanted: str | None,
    score: Callable[..., float],
    completions: Completions,
    solution: Sequence[str],
    columns: dict[str, Any],
) -> list[float]:
    """`score(completion, solution, task, size_wh)` of the samples of a task, 0.0 for the others."""
    given = columns.get("task") or [None] * len(completions)
    sizes = columns.get("size_wh") or [None] * len(completions)
    rewards = []
    for completion, gold, name, size in zip(completions, solution, given, sizes, strict=True):
        task = task_of(gold, name)
        applies = task != UNKNOWN and wanted in (None, task)
        text = text_of(completion)
        rewards.append(float(score(text, gold, task, size)) if applies else 0.0)
    return rewards


def format_reward(completions: Completions, solution: Sequence[str], **columns: Any) -> list[float]:
    """R4: object four quarters (think, answer, a JSON list, boxes in it), the others two halves.

    As published, an empty list earns the full reward.
    """
    return _each(None, _format, completions, solution, columns)


def _format(text: str, gold: str, task: str, size: Size | None) -> float:
    answer = _ANSWER.search(text)
    tags = [_THINK.search(text) is not None, answer is not None]
    if not TASKS[task].text.in_boxes:
        return 0.5 * sum(tags)
    items = _json_list(answer[1]) if answer else None
    boxed = items is not None and all(_numbers(_field(item, "bbox_2d")) for item in items)
    return 0.25 * (sum(tags) + (items is not None) + boxed)


def format_reward_v0(
    completions: Completions, solution: Sequence[str], **columns: Any
) -> list[float]:
    """R7, Iteration_1: 1 for thinking and answer in their tags and nothing else, else 0."""
    return [float(_WHOLE.fullmatch(text_of(completion)) is not None) for completion in completions]


def iou_reward_v0(completions: Completions, solution: Sequence[str], **columns: Any) -> list[float]:
    """R7, Iteration_1: answers are `[[x1, y1, x2, y2], ...]`; mean IoU + 0.1 for the count.

    Objects with `bbox_2d` count as well, for that is what rows ask for.
    """
    return _each(OBJECT, _iou_v0, completions, solution, columns)


def _iou_v0(text: str, gold: str, task: str, size: Size | None) -> float:
    gold_boxes, items = _gold_boxes(gold), _answer_list(text)
    if gold_boxes is None or items is None:
        return 0.0
    items = [_field(item, "bbox_2d") if isinstance(item, dict) else item for item in items]
    if not all(_numbers(item) for item in items):
        return 0.0
    wanted, said = [box.box for box in gold_boxes], [_floats(item) for item in items]
    if not wanted or not said:
        return float(not wanted and not said)
    if not all(_has_area(box) for box in said):
        return 0.0
    return min(_mean_iou(match(wanted, said)) + _count_bonus(wanted, said), 1.0)


def iou_reward_v1(
    completions: Completions,
    solution: Sequence[str],
    cap: float | None = None,
    **columns: Any,
) -> list[float]:
    """R6 as A12 reads it: IoU halved when a coordinate leaves [0, 100], 0.1 for each inside.

    For comparison only: as published it pays for every box, so many wrong ones beat the right one.

    A `size_wh` column (pixels) brings boxes outside into range, else they are cut to it.
    """

    def score(text: str, gold: str, task: str, size: Size | None) -> float:
        gold_boxes, said = _gold_boxes(gold), _said_boxes(text)
        if gold_boxes is None or said is None:
            return 0.0
        wanted = [box.box for box in gold_boxes]
        boxes = [box.box for box in said]
        inside = sum(0 <= value <= 100 for box in boxes for value in box)
        outside = inside < 4 * len(boxes)
        if outside and size is not None:
            boxes = [to_norm100(box, "px", (int(size[0]), int(size[1]))) for box in boxes]
        cut = [tuple(min(max(value, 0.0), 100.0) for value in box) for box in boxes]
        overlap = _mean_iou(match(wanted, cut)) if wanted and cut else float(not wanted and not cut)
        reward = overlap * (0.5 if outside else 1.0) + 0.1 * inside
        reward += COUNT_BONUS * (len(wanted) == len(cut))
        return min(max(reward, 0.0), math.inf if cap is None else cap)

    return _each(OBJECT, score, completions, solution, columns)


def iou_reward_v2(completions: Completions, solution: Sequence[str], **columns: Any) -> list[float]:
    """R5: `min((mIoU + mROUGE1) / 2 + 0.1 [g == p > 0], 1)`, means over matched pairs only."""
    return _each(OBJECT, _iou_v2, completions, solution, columns)


def _iou_v2(text: str, gold: str, task: str, size: Size | None) -> float:
    wanted, said = _gold_boxes(gold), _said_boxes(text)
    if wanted is None or said is None or not all(box.has_area for box in said):
        return 0.0
    if not wanted or not said:
        return float(not wanted and not said)
    pairs = match([box.box for box in wanted], [box.box for box in said])
    labels = sum(_label_scores(pairs, wanted, said)) / len(pairs)
    return min((_mean_iou(pairs) + labels) / 2 + _count_bonus(wanted, said), 1.0)


def penalised_reward(
    completions: Completions, solution: Sequence[str], **columns: Any
) -> list[float]:
    """Boxes and labels over max(gold, predicted): one good box among three missing earns a third.

    Nothing is given for a count, for form, or for an empty list where there are boxes. Any
    readable form counts, in the frame of the solution.
    """
    return _each(OBJECT, _penalised, completions, solution, columns)


def _penalised(text: str, gold: str, task: str, size: Size | None) -> float:
    wanted, answer = _gold_boxes(gold), parse_boxes(text)
    if wanted is None or answer.status not in ("ok", "partial", "empty"):
        return 0.0
    if not wanted:  # saying that there is none, not saying nothing
        return float(answer.status == "empty" and bool(final_text(text)))
    pairs = match([box.box for box in wanted], [box.box for box in answer.boxes])
    # A label says nothing where its box is nowhere near.
    scores = [
        (pair.iou + label) / 2 if pair.iou > 0 else 0.0
        for pair, label in zip(pairs, _label_scores(pairs, wanted, answer.boxes), strict=True)
    ]
    return sum(scores) / max(len(wanted), len(answer.boxes))


def _own_reward(task: str) -> Reward:
    """The reward that a task's room gives."""

    def reward(completions: Completions, solution: Sequence[str], **columns: Any) -> list[float]:
        def score(text: str, gold: str, task: str, size: Size | None) -> float:
            own = TASKS[task].score.reward
            return 0.0 if own is None else own(text, gold)

        return _each(task, score, completions, solution, columns)

    reward.__name__ = f"{task}_reward"  # trainers log rewards by it
    return reward


# R8: ROUGE-1 F1 + BLEU-4, at most 2; and 1.0 when Yes or No is that of the solution.
scene_reward, state_reward = _own_reward(SCENE), _own_reward(STATE)


def _mean_iou(pairs: Sequence[Pair]) -> float:
    return sum(pair.iou for pair in pairs) / len(pairs)


def _label_scores(
    pairs: Sequence[Pair], wanted: Sequence[PredictedBox], said: Sequence[PredictedBox]
) -> list[float]:
    return [label_similarity(wanted[p.gold].label, said[p.predicted].label) for p in pairs]


def _count_bonus(wanted: Sequence[Any], said: Sequence[Any]) -> float:
    return COUNT_BONUS * (len(wanted) == len(said) > 0)


def _gold_boxes(gold: str) -> tuple[PredictedBox, ...] | None:
    """The boxes of a solution; None, and a warning, for one that holds none and does not say so.

    Taken for "no boxes", it would reward saying nothing and punish what is right.
    """
    answer = parse_boxes(gold)
    if answer.status in ("ok", "partial") or (answer.status == "empty" and final_text(gold)):
        return answer.boxes
    warnings.warn(f"a solution without readable boxes earns nothing: {gold[:80]!r}", stacklevel=2)
    return None


def _said_boxes(text: str) -> list[PredictedBox] | None:
    """Boxes of `<answer>[{"bbox_2d": ..., "label": ...}]</answer>`; None for any other form."""
    items = _answer_list(text)
    if items is None or not all(_numbers(_field(item, "bbox_2d")) for item in items):
        return None
    return [PredictedBox(str(_field(i, "label") or ""), _floats(i["bbox_2d"])) for i in items]


def _answer_list(text: str) -> list[Any] | None:
    answer = _ANSWER.search(text)
    return _json_list(answer[1]) if answer else None


def _json_list(text: str) -> list[Any] | None:
    """The list that an answer is, code fences aside."""
    try:
        value = json.loads(final_text(text))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _field(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, dict) else None


def _numbers(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(isinstance(part, int | float) and not isinstance(part, bool) for part in value)
        and all(abs(part) < 1e9 for part in value)  # also turns away NaN and infinity
    )


def _floats(value: Sequence[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(part) for part in value)
    return (x0, y0, x1, y1)


def _has_area(box: Sequence[float]) -> bool:
    return box[0] < box[2] and box[1] < box[3]


# LEGO-R1's four by the names its command line uses (R14).
REWARDS: dict[str, Reward] = {
    "accuracy": iou_reward_v2,
    "format": format_reward,
    "state_acc": state_reward,
    "grnd": scene_reward,
}
# All there are, for scripts that let one choose.
ALL_REWARDS: dict[str, Reward] = {
    **REWARDS,
    "penalised": penalised_reward,
    "iou_v0": iou_reward_v0,
    "iou_v1": iou_reward_v1,
    "format_v0": format_reward_v0,
}
