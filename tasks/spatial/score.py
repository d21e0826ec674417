"""Scoring of spatial answers (LLaVA-VSD, section 3.2): choice by F1, phrase by BLEU and SPICE,
three descriptions by how true and how unlike each other they are.

SPICE needs Java and a parser; `spice_lite` stands for it: F1 over what a description says of the
two names, their attributes and the relation.
"""

import re
from collections.abc import Sequence

import numpy as np

from core import text_scores
from core.answers import final_text
from core.items import Item, commonest_answer
from core.metrics import COPIED, PARSED, Metric, Said, Sums, corpus_bleu, percent, share
from core.relations import RELATIONS, WORDS, label_of, read_relations
from tasks.task import Answered, Confused, Score

_COUNTED = (
    *("n_choice", "choice_tp", "choice_fp", "choice_fn", "choice_right", "choice_first"),
    *(f"{what}_{name}" for what in ("tp", "said", "is") for name in RELATIONS),
    *("n_single", "single_spice_lite", "bleu_said", "bleu_wanted"),
    *(f"bleu_{what}_{n}" for what in ("match", "total") for n in range(1, 5)),
    *("n_open", "open_self_bleu", "open_spice_lite", "open_three"),
)
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d+[.):])\s*")


def answered(item: Item, said: Said) -> Answered:
    """Counts of one answer, by what was asked for."""
    text = final_text(said.answer or "")
    if item.conversation == "classification":
        return _whole(_choice(item, text))
    lines = lines_of(text)
    if item.conversation == "single":
        return _whole(_phrase(item, " ".join(lines)))
    return _whole(_three(item, lines))


def lines_of(text: str) -> list[str]:
    """The lines of an answer that say something, without numbers and marks of a list."""
    lines = (_LIST_MARK.sub("", line).strip() for line in text.splitlines())
    return [line for line in lines if line]


def _whole(answer: Answered) -> Answered:
    """With 0 for what the other kinds of questions count."""
    return answer._replace(counts=dict.fromkeys(_COUNTED, 0.0) | answer.counts)


def chosen(item: Item, text: str) -> frozenset[str]:
    """The relations that an answer chooses: a label alone, or those that a sentence says."""
    alone = label_of(text.strip(" .'\"`*"))
    return frozenset((alone,)) if alone else read_relations(_without_names(item, text))


def _choice(item: Item, text: str) -> Answered:
    said, gold = chosen(item, text), frozenset(item.relations)
    # A single answer is a set of one; every relation that holds is right, the first is asked for.
    wanted = gold if len(said) > 1 else (said & gold or frozenset(item.relations[:1]))
    counts = {
        "n_choice": 1.0,
        "choice_tp": float(len(said & wanted)),
        "choice_fp": float(len(said - wanted)),
        "choice_fn": float(len(wanted - said)),
        "choice_right": float(said <= gold and bool(said)),
        "choice_first": float(said == frozenset(item.relations[:1])),
    }
    first = item.relations[0]
    for name in RELATIONS:
        counts[f"tp_{name}"] = float(name in said and name in gold)
        counts[f"said_{name}"] = float(name in said)
        counts[f"is_{name}"] = float(name == first or (name in said and name in gold))
    return Answered(counts, counts["choice_right"], "ok" if said else "unparsed")


def confused(item: Item, said: Said) -> tuple[str, str | None] | None:
    """(relation that holds, relation chosen) of a choice: of several that hold the one that was
    chosen, so that what is right is never told as a confusion."""
    if item.conversation != "classification":
        return None
    labels = chosen(item, final_text(said.answer or ""))
    only = next(iter(labels)) if len(labels) == 1 else None
    return (only if only in item.relations else item.relations[0]), only


def _phrase(item: Item, text: str) -> Answered:
    best = max(item.references or (item.answer,), key=lambda r: text_scores.bleu_method1(r, text))
    n_grams = text_scores.bleu_counts(best, text) if text else (0,) * 10
    alike = spice_lite(item, text)
    counts = {
        "n_single": 1.0,
        "single_spice_lite": alike,
        **{f"bleu_match_{n + 1}": float(n_grams[n]) for n in range(4)},
        **{f"bleu_total_{n + 1}": float(n_grams[n + 4]) for n in range(4)},
        "bleu_said": float(n_grams[8]),
        "bleu_wanted": float(n_grams[9]),
    }
    return Answered(counts, alike, "ok" if text else "unparsed")


def _three(item: Item, lines: Sequence[str]) -> Answered:
    """Fewer than three lines are as alike as can be: who says one thing thrice is not diverse."""
    three = list(lines[:3])
    alike = self_bleu(three) if len(three) == 3 else 1.0
    right = sum(spice_lite(item, line) for line in three) / 3
    counts = {"n_open": 1.0, "open_self_bleu": alike, "open_spice_lite": right,
              "open_three": float(len(lines) == 3)}  # fmt: skip
    return Answered(counts, right, "ok" if lines else "unparsed")


def self_bleu(lines: Sequence[str]) -> float:
    """Mean BLEU-4 of every line against each of the others; 1 where all are the same."""
    scores = [
        text_scores.bleu_method1(other, line)
        for i, line in enumerate(lines)
        for j, other in enumerate(lines)
        if i != j
    ]
    return sum(scores) / len(scores) if scores else 1.0


def spice_lite(item: Item, text: str) -> float:
    """F1 over the things a description says: both names, their attributes, the relation."""
    if not text.strip():
        return 0.0
    wanted = {("name", name) for name in item.names} | {
        ("attribute", word) for name in item.names for word in _attributes(name)
    }
    found = {
        (kind, words) for kind, words in wanted
        if text_scores.contains(text, words)
        or (kind == "name" and text_scores.contains(text, _noun(words)))
    }  # fmt: skip
    gold, said = frozenset(item.relations), read_relations(_without_names(item, text))
    shared = len(found) + bool(said & gold)
    precision = shared / max(1, len(found) + bool(said & gold) + len(said - gold))
    recall = shared / (len(wanted) + 1)
    return 2 * precision * recall / (precision + recall) if shared else 0.0


def _attributes(name: str) -> list[str]:
    """Number, colour words and size of a name."""
    noun = _noun(name)
    return [word for word in name.split() if word not in noun.split()]


def _noun(name: str) -> str:
    """The last word of a name before its size."""
    words = [word for word in name.split() if not any(c.isdigit() or c in "⅓½⅔" for c in word)]
    return words[-1] if words else name


def _without_names(item: Item, text: str) -> str:
    for name in sorted(item.names, key=len, reverse=True):
        text = re.sub(re.escape(name), "it", text, flags=re.IGNORECASE)
    return text


def _f1(s: Sums) -> np.ndarray:
    return percent(2 * s["choice_tp"], 2 * s["choice_tp"] + s["choice_fp"] + s["choice_fn"])


def _bleu4(s: Sums) -> np.ndarray:
    return np.where(np.asarray(s["n_single"]) > 0, corpus_bleu(s), np.nan)


def z2(bleu4: np.ndarray, spice: np.ndarray) -> np.ndarray:
    """The score of single descriptions, of percents."""
    return 0.4 * bleu4 + 0.6 * spice


def z3(self_bleu4: np.ndarray, spice: np.ndarray) -> np.ndarray:
    """The score of open descriptions, of percents."""
    return 0.5 * (50 - self_bleu4) + 0.5 * spice


def overall(one: np.ndarray, two: np.ndarray, three: np.ndarray) -> np.ndarray:
    """The score of all three kinds."""
    return 0.2 * one + 0.3 * two + 0.5 * three


def _z2(s: Sums) -> np.ndarray:
    return z2(_bleu4(s), percent(s["single_spice_lite"], s["n_single"]))


def _z3(s: Sums) -> np.ndarray:
    return z3(percent(s["open_self_bleu"], s["n_open"]), percent(s["open_spice_lite"], s["n_open"]))


def _label_f1(name: str) -> Metric:
    def score(s: Sums) -> np.ndarray:
        return percent(2 * s[f"tp_{name}"], s[f"said_{name}"] + s[f"is_{name}"])

    return Metric(f"f1_{name.replace(' ', '_')}", WORDS[name], score)


def always_on(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    """The most frequent relation of bricks, in the paper's phrase."""
    return [_said_of(item, "on") for item in items]


def from_picture_rule(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    """The relation that boxes and masks alone show, without text and scene; on where they show
    none, for something stands on everything."""
    return [_said_of(item, (item.relations_image or ("on",))[0]) for item in items]


def _said_of(item: Item, relation: str) -> str:
    if item.conversation == "classification" or len(item.names) < 2:
        return WORDS[relation]
    line = f"{item.names[0]} {WORDS[relation]} {item.names[1]}."
    return line if item.conversation == "single" else "\n".join([line] * 3)


def copies(answer: str, shown: Sequence[str]) -> bool:
    """Whether an answer in words is the text of a shown one; a label is no copy."""
    given = text_scores.normalise(final_text(answer))
    return len(given.split()) > 3 and given in {text_scores.normalise(one) for one in shown}


def reward(text: str, gold: str) -> float:
    """1 where the answer says the relation that the right one says, and no other; ½ with others."""
    said, wanted = (label_of(t.strip(" .")) for t in (final_text(text), gold))
    one = frozenset((said,)) if said else read_relations(final_text(text))
    other = frozenset((wanted,)) if wanted else read_relations(gold)
    if not one & other:
        return 0.0
    return 1.0 if one == other else 0.5


SCORE = Score(
    answered,
    metrics=(
        Metric("z1", "z1 F1", _f1, main=True),
        Metric("z2", "z2", _z2, main=True),
        Metric("z3", "z3", _z3, main=True),
        Metric("overall", "overall", lambda s: overall(_f1(s), _z2(s), _z3(s)), main=True),
        Metric("accuracy", "accuracy", share("choice_first", "n_choice")),
        Metric("bleu4", "BLEU-4", _bleu4),
        Metric("spice_lite", "SPICE lite", share("single_spice_lite", "n_single")),
        Metric("mbleu4", "mBLEU-4", share("open_self_bleu", "n_open"), up=False),
        Metric("spice_lite_open", "SPICE lite, open", share("open_spice_lite", "n_open")),
        *(_label_f1(name) for name in RELATIONS),
        PARSED,
        COPIED,
    ),
    about="z1: F1 of the chosen relation; z2: 0.4 BLEU-4 + 0.6 SPICE of one phrase; z3: half of 50 "
    "- Self-BLEU plus half of SPICE of three; overall: 0.2 z1 + 0.3 z2 + 0.5 z3. SPICE is the lite "
    "one here (names, attributes, relation), so z2 and z3 are not those of papers.",
    from_alike=commonest_answer,
    columns=("accuracy", "parse_rate"),
    harness=("z1", "z2", "z3", "overall", "accuracy", "parse_rate"),
    setting_columns=("z1", "z2", "z3"),
    baselines={"always-on": always_on, "picture-rule": from_picture_rule},
    copies=copies,
    reward=reward,
    confused=Confused(WORDS, confused),
)
