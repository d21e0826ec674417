"""The metrics: additive counts of one sample, and formulas over their sums.

Every score is a formula over sums (`f1 = 2 tp / (2 tp + fp + fn)`), so a bootstrap resample is a
weighted sum of counts and needs no answer to be read again. Formulas work on arrays of sums and
give percent; nan where nothing can be said. Names ending in `_r1` are LEGO-R1's variants, which are
not to be compared with the others (A8).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from core import text_scores
from core.answers import BoxAnswer
from core.frames import SHARES, Box, Size, to_norm100
from core.items import Item

Sums = Mapping[str, np.ndarray]
Counts = dict[str, float]
READ = ("ok", "partial", "empty")  # how answers that can be read were read


class Said(NamedTuple):
    """What a model said of an item, and what is needed to read it."""

    answer: str | None
    frame: str = "norm100"
    resized_wh: Size | None = None
    shown: Sequence[str] = ()  # the answers of the examples in its prompt
    # Where the picture that was shown had been cut from the item's own, whole pixels.
    crop_xyxy_px: tuple[int, int, int, int] | None = None

    def seen_wh(self, size_wh: Size | None) -> Size | None:
        """Width and height of the picture that was shown, given the item's."""
        if self.crop_xyxy_px is None:
            return size_wh
        x0, y0, x1, y1 = self.crop_xyxy_px
        return (x1 - x0, y1 - y0)


def boxes_norm100(answer: BoxAnswer, said: Said, size_wh: Size | None) -> list[Box]:
    """The boxes of an answer in percent of the item's picture, whatever part of it was shown; read
    in the form's own frame where it has one.

    Numbers from 0 to 1 are shares of whatever the run's frame says.
    """
    frame = answer.frame or said.frame
    if frame in SHARES and said.frame in SHARES:
        frame = said.frame
    seen_wh = said.seen_wh(size_wh)
    boxes = [to_norm100(found.box, frame, seen_wh, said.resized_wh) for found in answer.boxes]
    if said.crop_xyxy_px is None or size_wh is None or seen_wh is None:
        return boxes
    corner = said.crop_xyxy_px[:2]
    return [_of_whole(box, corner, seen_wh, size_wh) for box in boxes]


def _of_whole(box: Box, corner: Sequence[int], seen_wh: Size, size_wh: Size) -> Box:
    """Percent of what was shown as percent of the picture that it was cut from."""
    x0, y0, x1, y1 = (
        100 * (corner[k % 2] + value * seen_wh[k % 2] / 100) / size_wh[k % 2]
        for k, value in enumerate(box)
    )
    return (x0, y0, x1, y1)


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
    found: np.ndarray = 100 * np.divide(
        part, whole, out=np.full_like(part, np.nan), where=whole > 0
    )
    return found


def mean(name: str) -> Callable[[Sums], np.ndarray]:
    return lambda s: percent(s[name], s["n"])


def share(part: str, whole: str) -> Callable[[Sums], np.ndarray]:
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


PARSED = Metric("parse_rate", "parsed", mean("parsed"))
COPIED = Metric("demo_copy_rate", "demo copied", share("demo_copied", "demo_shown"), up=False)


def keyword_metrics(name: str, title: str) -> list[Metric]:
    """The shares of an item's keywords that answers name, over what `keyword_counts` gives."""
    return [
        Metric(name, title, share("keywords_found", "keywords"), main=True),
        Metric(f"{name}_strict", f"{title} strict", share("all_found", "with_keywords")),
        Metric(f"{name}_novel", f"{title} novel", share("novel_found", "novel")),
    ]


def keyword_counts(keywords: Sequence[str], item: Item, text: str) -> Counts:
    """Which of the keywords a text names; novel are those that the query does not say."""
    count = text_scores.count_keywords(keywords, item.query, text)
    return {
        "keywords": count.wanted,
        "keywords_found": count.found,
        "with_keywords": float(count.wanted > 0),
        "all_found": float(count.wanted > 0 and count.found == count.wanted),
        "novel": count.novel,
        "novel_found": count.novel_found,
    }
