"""How answers fail (thesis, 9.1): of those that are more wrong than right, what they are instead.

An answer is of the first kind that fits. Kinds tell what to change: a prompt (code, captions), the
frame (coordinates outside), examples (copied ones), or the model.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from core.answers import final_text, parse_boxes, parse_yes_no
from core.items import Item
from core.metrics import READ, Said, boxes_norm100
from core.text_scores import token_overlap_f1
from tasks import EVERY_TASK
from tasks.task import Answered

FAILED_BELOW = 0.5  # of goodness: an IoU of half, a likeness of half, a wrong Yes or No
OUTSIDE = 1.0  # percent beyond the picture's edge that rounding may bring
SAID_BACK = 0.9  # overlap of words with the question
REPEATS = 4  # of one phrase in a row

_CODE = re.compile(
    r"^\s*(?:import \w+|from [\w.]+ import |def \w+\(|print\()|\b(?:cv2|Image|plt|np)\.\w+\(", re.M
)
_REFUSAL = re.compile(
    r"\b(?:i(?:['\u2019]m| am) (?:sorry|unable)|i can(?:['\u2019]t|not)|as an ai"
    r"|unable to (?:see|view|access|assist))\b",
    re.IGNORECASE,
)
_CAPTION = re.compile(
    r"^\W*(?:in (?:the|this) (?:image|picture|photo)"
    r"|(?:the|this) (?:image|picture|photo)\b|this is an? (?:image|picture)"
    r"|(?:an?|the) \w+(?: \w+){0,6} (?:is|are) (?:shown|displayed|visible|placed|located))",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?:left|right|top|bottom|upper|lower|cent(?:er|re)|middle|corner)\b", re.IGNORECASE
)
_LOOP = re.compile(rf"\b(.{{4,80}}?)(?:\W+\1){{{REPEATS - 1},}}", re.IGNORECASE | re.DOTALL)


class Failed(NamedTuple):
    """One answer that failed, and all that its kind is told by."""

    item: Item
    said: Said
    sample: Answered
    text: str

    @property
    def in_boxes(self) -> bool:
        """Whether boxes were asked for."""
        return EVERY_TASK[self.item.config].text.in_boxes

    @property
    def read(self) -> bool:
        """Whether the answer could be read."""
        return self.sample.status in READ


KINDS: Mapping[str, Callable[[Failed], bool]] = {
    "no answer": lambda f: not f.text,
    "code": lambda f: _CODE.search(f.text) is not None,
    "refusal": lambda f: _REFUSAL.search(f.text) is not None,
    "question said back": lambda f: token_overlap_f1(f.item.query, f.text) >= SAID_BACK,
    "repeats itself": lambda f: _LOOP.search(f.text[:2000]) is not None,
    "example copied": lambda f: (
        bool(f.said.shown) and EVERY_TASK[f.item.config].score.copies(f.text, f.said.shown)
    ),
    "coordinates outside": lambda f: f.in_boxes and _outside(f),
    "place in words": lambda f: f.in_boxes and not f.read and bool(_PLACE.search(f.text)),
    "caption": lambda f: _CAPTION.search(f.text) is not None,
    "both yes and no": lambda f: (
        f.item.is_yes is not None and parse_yes_no(f.text).status == "ambiguous"
    ),
    "not readable": lambda f: not f.read,
    "another number of boxes": lambda f: f.sample.counts.get("count_right") == 0,
    "wrong": lambda f: True,
}


def _outside(failed: Failed) -> bool:
    """Whether a box reaches over the picture: an X of 125 percent."""
    boxes = boxes_norm100(parse_boxes(failed.text), failed.said, failed.item.size_wh)
    return any(not -OUTSIDE <= value <= 100 + OUTSIDE for box in boxes for value in box)


def failure_of(item: Item, said: Said, sample: Answered) -> str | None:
    """What a failed answer is; None for one that is more right than wrong."""
    if sample.status in READ and sample.goodness >= FAILED_BELOW:
        return None
    failed = Failed(item, said, sample, final_text(said.answer or ""))
    return next(name for name, fits in KINDS.items() if fits(failed))


def count_failures(
    items: Sequence[Item], saids: Sequence[Said], samples: Sequence[Answered]
) -> dict[str, int]:
    """Failed answers by kind, in the order of `KINDS`."""
    found = Counter(map(failure_of, items, saids, samples))
    return {name: found[name] for name in KINDS if found[name]}
