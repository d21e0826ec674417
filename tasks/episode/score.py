"""Scoring of turns, each as the task it is: boxes, an instruction, Yes or No, a correction."""

import numpy as np

from core import text_scores
from core.answers import final_text, parse_yes_no
from core.items import Item, commonest_answer
from core.metrics import PARSED, READ, Counts, Metric, Said, Sums, percent, share
from tasks.episode.text import TURNS
from tasks.mistake.text import facts
from tasks.object.score import answered as boxes_answered
from tasks.state.text import NO, YES
from tasks.task import Answered, Score


def answered(item: Item, said: Said) -> Answered:
    """Counts of one turn; turns before it are given as they should have been."""
    turn, text = item.derived["turn"], final_text(said.answer or "")
    counts: Counts = dict.fromkeys(
        ("find_iou", "place_rouge_l", "yes_no_right", "recheck_right", "facts_found", "facts",
         "facts_said"), 0.0,
    )  # fmt: skip
    counts |= {f"of_{name}": float(name == turn) for name in TURNS}
    status = "ok" if text else "empty"
    if turn == "find":
        found = boxes_answered(item, said)
        counts["find_iou"] = good = found.goodness
        status = found.status
    elif turn == "place":
        counts["place_rouge_l"] = good = text_scores.rouge(item.answer, text).rouge_l
    elif turn == "fix":
        right, claimed = facts(item.answer), facts(text)
        shared = len(right & claimed)
        counts |= {"facts_found": float(shared), "facts": float(len(right)),
                   "facts_said": float(len(claimed))}  # fmt: skip
        good = shared / max(len(right), 1)
    else:
        value = parse_yes_no(said.answer or "").value
        good = float(value is not None and value == (item.answer == YES))
        counts["yes_no_right" if turn == "check" else "recheck_right"] = good
        status = "ok" if value is not None else "unparsed"
    return Answered(counts, good, status if status in READ else "unparsed")


def _facts_f1(s: Sums) -> np.ndarray:
    return percent(2 * s["facts_found"], s["facts"] + s["facts_said"])


SCORE = Score(
    answered,
    metrics=(
        Metric("find_iou", "find IoU", share("find_iou", "of_find"), main=True),
        Metric("place_rouge_l", "place ROUGE-L", share("place_rouge_l", "of_place"), main=True),
        Metric("check_acc", "check", share("yes_no_right", "of_check"), main=True),
        Metric("fix_facts_f1", "fix facts F1", _facts_f1, main=True),
        Metric("recheck_acc", "recheck", share("recheck_right", "of_recheck"), main=True),
        PARSED,
    ),
    about="Each turn after the right turns before it. Half of the answers to check are Yes, and "
    "half of those to recheck: 50 is chance. Facts are those of mistakes.",
    from_alike=commonest_answer,
    columns=("parse_rate",),
    baselines={
        "always-yes": lambda items, train: [YES] * len(items),
        "always-no": lambda items, train: [NO] * len(items),
    },
)
