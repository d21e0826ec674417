"""The metrics: additive counts of one sample, and formulas over their sums.

Every score is a formula over sums (`f1 = 2 tp / (2 tp + fp + fn)`), so a bootstrap resample is a
weighted sum of counts and needs no answer to be read again. Formulas work on arrays of sums and
give percent; nan where nothing can be said. Names ending in `_r1` are LEGO-R1's variants, which are
not to be compared with the others (A8).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

Sums = Mapping[str, np.ndarray]


class Metric(NamedTuple):
    """A column of a table. `up`: higher is better; `parsed`: needs readable answers."""

    name: str
    title: str
    of: Callable[[Sums], np.ndarray]
    up: bool = True
    parsed: bool = False
    main: bool = False


def percent(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """100 part / whole, nan for an empty whole."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return 100 * np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _mean(name: str) -> Callable[[Sums], np.ndarray]:
    return lambda s: percent(s[name], s["n"])


def _share(part: str, whole: str) -> Callable[[Sums], np.ndarray]:
    return lambda s: percent(s[part], s[whole])


def corpus_bleu(s: Sums) -> np.ndarray:
    """Corpus BLEU-4 of summed n-gram counts; no match counts as 0.1 (nltk's method1)."""
    log_precision = np.zeros(np.shape(s["n"]))
    possible = np.asarray(s["bleu_match_1"]) > 0
    for order in range(1, 5):
        total = np.asarray(s[f"bleu_total_{order}"], float)
        hits = np.asarray(s[f"bleu_match_{order}"], float)
        possible = possible & (total > 0)
        log_precision += np.log(np.maximum(hits, 0.1) / np.maximum(total, 1)) / 4
    said, wanted = np.asarray(s["bleu_said"], float), np.asarray(s["bleu_wanted"], float)
    brevity = np.minimum(0.0, 1 - wanted / np.maximum(said, 1e-9))
    return np.where(possible, 100 * np.exp(log_precision + brevity), 0.0)


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
    return 100 * np.divide(top, root, out=np.zeros_like(top), where=root > 0)


def _f1_invalid_is_no(s: Sums) -> np.ndarray:
    return percent(2 * s["r1_tp"], 2 * s["r1_tp"] + s["r1_fp"] + s["r1_fn"] + s["r1_unread_yes"])


def _f1_invalid_skipped(s: Sums) -> np.ndarray:
    return percent(2 * s["r1_tp"], 2 * s["r1_tp"] + s["r1_fp"] + s["r1_fn"])


_PARSE = Metric("parse_rate", "parsed", _mean("parsed"))
_COPIES = Metric("demo_copy_rate", "demo copied", _share("demo_copied", "demo_shown"), up=False)


def _keyword_metrics(name: str, title: str) -> list[Metric]:
    return [
        Metric(name, title, _share("keywords_found", "keywords"), main=True),
        Metric(f"{name}_strict", f"{title} strict", _share("all_found", "with_keywords")),
        Metric(f"{name}_novel", f"{title} novel", _share("novel_found", "novel")),
    ]


METRICS: dict[str, tuple[Metric, ...]] = {
    "scene": (
        *_keyword_metrics("t_acc", "T_ACC"),
        Metric("rouge1", "ROUGE", _mean("rouge1"), main=True),
        Metric("bleu", "BLEU", corpus_bleu, main=True),
        Metric("rouge_l", "ROUGE-L", _mean("rouge_l")),
        Metric("bleu_sentence", "BLEU sent.", _mean("bleu_method1")),
        Metric("f1_theme_r1", "F1-Theme R1", _mean("overlap_r1")),
        Metric("bleu_sacrebleu_r1", "BLEU R1 it.1", _mean("bleu_sacrebleu")),
        _PARSE,
        _COPIES,
    ),
    "object": (
        *_keyword_metrics("e_acc", "E_ACC"),
        Metric("iou", "IoU", _mean("iou"), parsed=True, main=True),
        Metric("iou_at_50", "IoU@.5", _mean("hit_50"), parsed=True),
        Metric("count_acc", "count", _mean("count_right"), parsed=True),
        Metric("iou_parts", "IoU parts", _mean("iou_parts"), parsed=True),
        Metric("iou_matched_mean", "IoU matched", _mean("iou_matched"), parsed=True),
        Metric("iou_sum_r1", "IoU sum R1", _mean("iou_sum_r1"), parsed=True),
        Metric("f1_object_r1", "F1-Object R1", _mean("overlap_r1")),
        _PARSE,
        _COPIES,
    ),
    "state": (
        Metric("f1", "F1", _f1, parsed=True, main=True),
        Metric("tnr", "TNR", _tnr, parsed=True, main=True),
        Metric("fpr", "FPR", _fpr, up=False, parsed=True, main=True),
        Metric("tpr", "TPR", _tpr, parsed=True),
        Metric("j", "TPR-FPR", lambda s: _tpr(s) - _fpr(s), parsed=True),
        Metric("mcc", "MCC", mcc, parsed=True),
        Metric(
            "balanced_acc", "balanced", lambda s: (_tpr(s) + _tnr(s)) / 2, parsed=True
        ),
        Metric("macro_f1", "macro F1", lambda s: (_f1(s) + _f1_no(s)) / 2, parsed=True),
        Metric("f1_state_r1_invalid_is_no", "F1 R1 it.1", _f1_invalid_is_no, parsed=True),
        Metric("f1_state_r1_invalid_skipped", "F1 R1 it.2", _f1_invalid_skipped, parsed=True),
        _PARSE,
        _COPIES,
    ),
}  # fmt: skip


# What a reader of a table should know of its columns and baselines, in a line.
ABOUT = {
    "scene": "T_ACC: the share of part names and colours of the right instruction that the answer "
    "names; instructions that name none are left out.",
    "object": "E_ACC: the share of the asked-for colours and part names that the answer names, "
    "wherever its boxes are; saying the question back (copy-query) has nearly all of them.",
    "state": "balanced: mean of TPR and TNR, 50 is chance; place answers from where the part lies "
    "alone, first-of-four says Yes to the first row of every group.",
}


def metric(config: str, name: str) -> Metric:
    """A metric by its name; raises KeyError for an unknown one."""
    return {each.name: each for each in METRICS[config]}[name]


def evaluate(config: str, sums: Sums) -> dict[str, np.ndarray]:
    """Every metric of a task over (arrays of) sums."""
    return {each.name: each.of(sums) for each in METRICS[config]}
