"""One answer against its gold: the additive counts that `metrics` works on."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from core import text_scores as texts
from core.answers import BoxAnswer, final_text, parse_boxes, parse_text, parse_yes_no
from core.frames import SHARES, Box, Size, to_norm100
from core.items import Item
from core.matching import match, mean_over_all, whole_percents

KEYWORD_TAGS = ("theme", "colorinfo")
READ = ("ok", "partial", "empty")
# A hit, in the metric IoU@.5.
HIT_IOU = 0.5

Counts = dict[str, float]


class Said(NamedTuple):
    """What a model said of an item, and what is needed to read it."""

    answer: str | None
    frame: str = "norm100"
    resized_wh: Size | None = None
    demos: Sequence[str] = ()


class Sample(NamedTuple):
    """Counts of one answer, how well it does alone (0 to 1), and how it was read."""

    counts: Counts
    goodness: float
    status: str


def score_sample(item: Item, said: Said) -> Sample:
    """Counts of one answer; no answer (None) is an answer that can't be read."""
    counts, goodness, status = _SCORERS[item.config](item, said)
    counts["n"] = 1
    counts["parsed"] = float(said.answer is not None and status in READ)
    counts["demo_shown"] = float(bool(said.demos))
    counts["demo_copied"] = float(_copied(said, item.config))
    return Sample(counts, goodness, "missing" if said.answer is None else status)


def _keyword_counts(keywords: Sequence[str], item: Item, text: str) -> Counts:
    count = texts.count_keywords(keywords, item.query, text)
    return {
        "keywords": count.wanted,
        "keywords_found": count.found,
        "with_keywords": float(count.wanted > 0),
        "all_found": float(count.wanted > 0 and count.found == count.wanted),
        "novel": count.novel,
        "novel_found": count.novel_found,
    }


def _scene(item: Item, said: Said) -> tuple[Counts, float, str]:
    found = parse_text(said.answer or "")
    rouge = texts.rouge(item.answer, found.value)
    n_grams = texts.bleu_counts(item.answer, found.value)
    keywords = [text for tag, text in item.entities if tag in KEYWORD_TAGS]
    counts = {
        **_keyword_counts(keywords, item, found.value),
        "rouge1": rouge.rouge1,
        "rouge_l": rouge.rouge_l,
        "bleu_method1": texts.bleu_method1(item.answer, found.value),
        "bleu_sacrebleu": texts.bleu_sacrebleu(item.answer, found.value),
        "overlap_r1": texts.token_overlap_f1(item.answer, found.value),
        **{f"bleu_match_{n + 1}": n_grams[n] for n in range(4)},
        **{f"bleu_total_{n + 1}": n_grams[n + 4] for n in range(4)},
        "bleu_said": n_grams[8],
        "bleu_wanted": n_grams[9],
    }
    # An empty instruction is no answer to "what do I do now?".
    return counts, rouge.rouge1, "ok" if found.status == "ok" else "unparsed"


def object_keywords(item: Item) -> list[str]:
    """Colour and theme words of the gold `<p>` names, without their counts (E_ACC)."""
    colors = [text for tag, text in item.entities if tag == "colorinfo" and text.strip()]
    keywords = []
    for box in parse_boxes(item.answer).boxes:
        name = re.sub(r"^\d+\s+", "", texts.normalise(box.label))
        color = next((c for c in map(texts.normalise, colors) if texts.contains(name, c)), "")
        theme = " ".join(name.replace(color, " ", 1).split()) if color else name
        keywords += [word for word in (color, theme) if word]
    return keywords


def boxes_norm100(answer: BoxAnswer, said: Said, size_wh: Size | None) -> list[Box]:
    """The boxes of an answer in percent, in the form's own frame where it has one.

    Numbers from 0 to 1 are shares of whatever the run's frame says.
    """
    frame = answer.frame or said.frame
    if frame in SHARES and said.frame in SHARES:
        frame = said.frame
    return [to_norm100(found.box, frame, size_wh, said.resized_wh) for found in answer.boxes]


def _object(item: Item, said: Said) -> tuple[Counts, float, str]:
    gold = [box.box for box in parse_boxes(item.answer).boxes]
    answer = parse_boxes(said.answer or "")
    if answer.status not in READ:  # what is no box earns nothing, not even a right count
        answer = answer._replace(boxes=())
    exact = boxes_norm100(answer, said, item.size_wh)
    predicted = [whole_percents(box) for box in exact]
    pairs = match(gold, predicted)
    total = max(len(gold), len(predicted), 1)
    overlap = mean_over_all(pairs, len(gold), len(predicted))
    # Equal parts may as well be boxed one by one (B10).
    parts = mean_over_all(
        match(item.instances_norm100, exact), len(item.instances_norm100), len(exact)
    )
    raw = match(gold, [found.box for found in answer.boxes])
    names = " ".join(box.label for box in parse_boxes(item.answer).boxes)
    counts = {
        **_keyword_counts(object_keywords(item), item, final_text(said.answer or "")),
        "iou": overlap,
        "hit_50": sum(pair.iou >= HIT_IOU for pair in pairs) / total,
        "count_right": float(len(gold) == len(predicted)),
        "iou_parts": max(overlap, parts),
        "iou_matched": sum(pair.iou for pair in pairs) / max(len(pairs), 1),
        "iou_sum_r1": sum(pair.iou for pair in raw),
        "overlap_r1": texts.token_overlap_f1(names, " ".join(b.label for b in answer.boxes)),
    }
    # `[]` says that there is nothing; saying nothing does not.
    silent = answer.status == "empty" and not final_text(said.answer or "")
    return counts, overlap, "unparsed" if silent else answer.status


def _state(item: Item, said: Said) -> tuple[Counts, float, str]:
    answer = parse_yes_no(said.answer or "")
    first = re.match(r"\W*(yes|no)\b", final_text(said.answer or "").lower())
    first_word = None if first is None else first[1] == "yes"
    return (
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


def _copied(said: Said, config: str) -> bool:
    """Whether an answer is that of a demo: the same text, or one of its very boxes."""
    if not said.demos or said.answer is None or config == "state":
        return False
    if config == "object":
        shown = {box.box for demo in said.demos for box in parse_boxes(demo).boxes}
        return any(found.box in shown for found in parse_boxes(said.answer).boxes)
    given = texts.normalise(parse_text(said.answer).value)
    return given in {texts.normalise(parse_text(demo).value) for demo in said.demos}


_SCORERS = {"scene": _scene, "object": _object, "state": _state}
