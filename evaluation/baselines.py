"""What a model must beat (B4): answers that look at no picture, and some at nothing at all."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from core.answers import format_boxes, parse_boxes
from core.items import Item, picture_size
from core.queries import read, take_apart
from core.text_scores import normalise
from evaluation.examples import FIXED

STATE_ONLY = ("always-yes", "always-no", "first-of-four", "place")
NAMES = (*STATE_ONLY, "copy-query", "copy-demo", "majority", "no-image")
# Neighbours that vote where the answer is Yes or No.
VOTERS = 25
# Queries compared with all train rows at a time: bounds memory.
BLOCK = 256


def names_of(config: str) -> tuple[str, ...]:
    """The baselines that make sense for a task."""
    return NAMES if config == "state" else NAMES[len(STATE_ONLY) :]


def answers(name: str, items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    """A baseline's answer to every item; None where it has none (no train rows to learn from)."""
    if name == "always-yes":
        return ["Yes."] * len(items)
    if name == "always-no":
        return ["No."] * len(items)
    if name == "first-of-four":
        return _first_of_four(items)
    if name == "copy-query":
        return [copied_query(item) for item in items]
    if name == "copy-demo":
        return [FIXED[item.config][0][1] for item in items]
    if not train:
        return [None] * len(items)
    if name == "majority":
        most = Counter(item.answer for item in train).most_common(1)[0][0]
        return [most] * len(items)
    if name == "place":
        return _from_place(items, train)
    if name == "no-image":
        return list(_from_text(items, train))
    raise KeyError(f"{name}: no such baseline; one of {', '.join(NAMES)}")


def _first_of_four(items: Sequence[Item]) -> list[str | None]:
    """Yes to the first row of every group, No to the others: what the order of rows tells."""
    seen: set[str | None] = set()
    said: list[str | None] = []
    for item in items:
        said.append("No." if item.group_id in seen else "Yes.")
        seen.add(item.group_id)
    return said


def _from_place(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    """Answers learnt from where the part lies in the picture, not from how anything looks."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # slow to import

    known = [item for item in train if item.part_box_px]
    asked = [item for item in items if item.part_box_px]
    if not asked or len({item.is_yes for item in known}) < 2:
        return [None] * len(items)
    model = HistGradientBoostingClassifier(
        max_depth=3, min_samples_leaf=5, class_weight="balanced", random_state=0
    )
    model.fit([_place(item) for item in known], [item.is_yes for item in known])
    told = model.predict([_place(item) for item in asked])
    by_id = {item.id: "Yes." if yes else "No." for item, yes in zip(asked, told, strict=True)}
    return [by_id.get(item.id) for item in items]


def _place(item: Item) -> list[float]:
    """Middle and size of the part, as shares of the picture."""
    box, (width, height) = item.part_box_px or (0.0,) * 4, picture_size(item)
    x0, y0, x1, y1 = box[0] / width, box[1] / height, box[2] / width, box[3] / height
    return [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]


def copied_query(item: Item) -> str:
    """The query said back, without token and directive: it names parts and answers nothing."""
    return take_apart(item.query, item.config).instruction


def _from_text(items: Sequence[Item], train: Sequence[Item]) -> list[str]:
    """Answers learnt from train texts alone: those of the most similar queries."""
    vectorizer = TfidfVectorizer(analyzer="word", ngram_range=(1, 2))
    known = vectorizer.fit_transform(
        [take_apart(other.query, other.config).instruction or "-" for other in train]
    )
    asked = [take_apart(item.query, item.config).instruction or "-" for item in items]
    first = dict(zip(reversed(asked), reversed(items), strict=True))
    said: dict[str, str] = {}
    texts = list(first)
    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK]
        similar = (vectorizer.transform(block) @ known.T).toarray()
        for text, row in zip(block, similar, strict=True):
            order = np.argsort(-row, kind="stable")[:VOTERS]
            said[text] = _vote(first[text], train, order)
    return [said[text] for text in asked]


def _vote(item: Item, train: Sequence[Item], order: np.ndarray) -> str:
    nearest = [train[int(index)] for index in order]
    if item.config == "state":
        return Counter(other.answer for other in nearest).most_common(1)[0][0]
    if item.config == "scene":
        return nearest[0].answer
    return _blind_boxes(item, nearest)


def _blind_boxes(item: Item, nearest: Sequence[Item]) -> str:
    """Names from the query, boxes that the neighbours have on average."""
    wanted = normalise(read(item.query, item.config).get("wanted", ""))
    names = [part.strip(" .") for part in wanted.partition(":")[2].split(", and ")]
    names = names if names != [""] else [wanted.strip(" .")]
    found = [[box.box for box in parse_boxes(other.answer).boxes] for other in nearest]
    alike = [boxes for boxes in found if len(boxes) == len(names)] or [
        [boxes[0]] * len(names) for boxes in found if boxes
    ]
    if not alike:
        return ", ".join(names)
    middle = np.median(np.array(alike, float), axis=0).round()
    pairs = [(name, box) for name, box in zip(names, middle.tolist(), strict=True)]
    return format_boxes(pairs, "angle")
