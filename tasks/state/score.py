"""Scoring of Yes and No: F1 and rates (thesis, chapter 7), what chance would get, LEGO-R1's."""

import re
from collections.abc import Sequence

import numpy as np

from core.answers import final_text, parse_yes_no
from core.items import Item, commonest_answer, picture_size
from core.metrics import COPIED, PARSED, Counts, Metric, Said, Sums, percent
from tasks.state.text import NO, YES
from tasks.task import Answered, Score


def answered(item: Item, said: Said) -> Answered:
    """The cell of the confusion matrix that an answer falls into."""
    answer = parse_yes_no(said.answer or "")
    first = re.match(r"\W*(yes|no)\b", final_text(said.answer or "").lower())
    first_word = None if first is None else first[1] == "yes"
    return Answered(
        _confusion(item, answer.value) | _confusion(item, first_word, "r1_"),
        float(answer.value == item.is_yes),
        answer.status if answer.value is not None else "unparsed",
    )


def _confusion(item: Item, value: bool | None, prefix: str = "") -> Counts:
    if value is None:
        cell = "unread_yes" if item.is_yes else "unread_no"
    elif item.is_yes:
        cell = "tp" if value else "fn"
    else:
        cell = "fp" if value else "tn"
    cells = ("tp", "fp", "tn", "fn", "unread_yes", "unread_no")
    return {prefix + name: float(name == cell) for name in cells}


def reward(text: str, gold: str) -> float:
    """LEGO-R1's: 1.0 when Yes or No is that of the solution, else 0."""
    said, wanted = parse_yes_no(text).value, parse_yes_no(gold).value
    return float(said is not None and said == wanted)


def first_of_group(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    """Yes to the first row of every group, No to the others: what the order of rows tells."""
    seen: set[str | None] = set()
    said: list[str | None] = []
    for item in items:
        said.append(NO if item.group_id in seen else YES)
        seen.add(item.group_id)
    return said


def from_place(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    """Answers learnt from where the part lies in the picture, not from how anything looks."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import
    from threadpoolctl import threadpool_limits

    known = [item for item in train if item.part_box_px]
    asked = [item for item in items if item.part_box_px]
    if not asked or len({item.is_yes for item in known}) < 2:
        return [None] * len(items)
    model = HistGradientBoostingClassifier(
        max_depth=3, min_samples_leaf=5, class_weight="balanced", random_state=0
    )
    with threadpool_limits(1):  # small tables: more threads only wait for each other
        model.fit([_place(item) for item in known], [item.is_yes for item in known])
        told = model.predict([_place(item) for item in asked])
    by_id = {item.id: YES if yes else NO for item, yes in zip(asked, told, strict=True)}
    return [by_id.get(item.id) for item in items]


def _place(item: Item) -> list[float]:
    """Middle and size of the part, as shares of the picture."""
    box, (width, height) = item.part_box_px or (0.0,) * 4, picture_size(item)
    x0, y0, x1, y1 = box[0] / width, box[1] / height, box[2] / width, box[3] / height
    return [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]


def _f1(s: Sums) -> np.ndarray:
    """F1 of Yes. A positive without a readable answer is missed; a negative is neither."""
    return percent(2 * s["tp"], 2 * s["tp"] + s["fp"] + s["fn"] + s["unread_yes"])


def _f1_no(s: Sums) -> np.ndarray:
    return percent(2 * s["tn"], 2 * s["tn"] + s["fn"] + s["fp"] + s["unread_no"])


def _positives(s: Sums) -> np.ndarray:
    return s["tp"] + s["fn"] + s["unread_yes"]


def _negatives(s: Sums) -> np.ndarray:
    return s["tn"] + s["fp"] + s["unread_no"]


def _tpr(s: Sums) -> np.ndarray:
    return percent(s["tp"], _positives(s))


def _tnr(s: Sums) -> np.ndarray:
    return percent(s["tn"], _negatives(s))


def _fpr(s: Sums) -> np.ndarray:
    return percent(s["fp"], _negatives(s))


def mcc(s: Sums) -> np.ndarray:
    """Matthews correlation, in percent; unread answers are a third thing said. 0 for a constant."""
    n = _positives(s) + _negatives(s)
    right = s["tp"] + s["tn"]
    said = (s["tp"] + s["fp"], s["tn"] + s["fn"], s["unread_yes"] + s["unread_no"])
    true = (_positives(s), _negatives(s))
    shared = sum(a * b for a, b in zip(said, true, strict=False))
    spread = (n**2 - sum(a * a for a in said)) * (n**2 - sum(a * a for a in true))
    top = np.asarray(right * n - shared, float)
    root = np.sqrt(np.maximum(np.asarray(spread, float), 0))
    found: np.ndarray = 100 * np.divide(top, root, out=np.zeros_like(top), where=root > 0)
    return found


def _f1_invalid_is_no(s: Sums) -> np.ndarray:
    return percent(2 * s["r1_tp"], 2 * s["r1_tp"] + s["r1_fp"] + s["r1_fn"] + s["r1_unread_yes"])


def _f1_invalid_skipped(s: Sums) -> np.ndarray:
    return percent(2 * s["r1_tp"], 2 * s["r1_tp"] + s["r1_fp"] + s["r1_fn"])


SCORE = Score(
    answered,
    metrics=(
        Metric("f1", "F1", _f1, parsed=True, main=True),
        Metric("tnr", "TNR", _tnr, parsed=True, main=True),
        Metric("fpr", "FPR", _fpr, up=False, parsed=True, main=True),
        Metric("tpr", "TPR", _tpr, parsed=True),
        Metric("j", "TPR-FPR", lambda s: _tpr(s) - _fpr(s), parsed=True),
        Metric("mcc", "MCC", mcc, parsed=True),
        Metric("balanced_acc", "balanced", lambda s: (_tpr(s) + _tnr(s)) / 2, parsed=True),
        Metric("macro_f1", "macro F1", lambda s: (_f1(s) + _f1_no(s)) / 2, parsed=True),
        Metric("f1_state_r1_invalid_is_no", "F1 R1 it.1", _f1_invalid_is_no, parsed=True),
        Metric("f1_state_r1_invalid_skipped", "F1 R1 it.2", _f1_invalid_skipped, parsed=True),
        PARSED,
        COPIED,
    ),
    about="balanced: mean of TPR and TNR, 50 is chance; place answers from where the part lies "
    "alone, first-of-four says Yes to the first row of every group.",
    from_alike=commonest_answer,
    columns=("balanced_acc", "mcc", "j", "parse_rate"),  # always-Yes has F1 40
    harness=("f1", "tnr", "fpr", "balanced_acc", "mcc", "parse_rate"),
    setting_columns=("f1", "tnr", "fpr"),
    one_sided=("tnr", "fpr"),
    baselines={
        "always-yes": lambda items, train: [YES] * len(items),
        "always-no": lambda items, train: [NO] * len(items),
        "first-of-four": first_of_group,
        "place": from_place,
    },
    reward=reward,
    # VLMEvalKit compares with Yes and No without the full stop.
    harness_answer=lambda answer: answer.rstrip("."),
)
