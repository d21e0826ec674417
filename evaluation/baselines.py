"""What a model must beat: answers that look at no picture, and some at nothing at all."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from core.items import Item
from tasks import EVERY_TASK
from tasks.queries import take_apart
from tasks.task import Baseline

# Neighbours that an answer is made of.
VOTERS = 25
# Queries compared with all train rows at a time: bounds memory.
BLOCK = 256


def copied_query(item: Item) -> str:
    """The query said back, without token and directive: it names parts and answers nothing."""
    return take_apart(item.query, item.config).instruction


def _copied_queries(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    return [copied_query(item) for item in items]


def _copied_examples(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    """The answer of the papers' first in-context example."""
    return [next((a for _, a in EVERY_TASK[item.config].text.examples), None) for item in items]


def _majority(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    most = next((a for a, _ in Counter(item.answer for item in train).most_common(1)), None)
    return [most] * len(items)


def _from_text(items: Sequence[Item], train: Sequence[Item]) -> list[str | None]:
    """Answers learnt from train texts alone: made of those of the most similar queries."""
    if not train:
        return [None] * len(items)
    vectorizer = TfidfVectorizer(analyzer="word", ngram_range=(1, 2))
    known = vectorizer.fit_transform([copied_query(other) or "-" for other in train])
    asked = [copied_query(item) or "-" for item in items]
    first = dict(zip(reversed(asked), reversed(items), strict=True))
    said: dict[str, str] = {}
    texts = list(first)
    for start in range(0, len(texts), BLOCK):
        block = texts[start : start + BLOCK]
        similar = (vectorizer.transform(block) @ known.T).toarray()
        for text, row in zip(block, similar, strict=True):
            order = np.argsort(-row, kind="stable")[:VOTERS]
            alike = [train[int(index)] for index in order]
            said[text] = EVERY_TASK[first[text].config].score.from_alike(first[text], alike)
    return [said[text] for text in asked]


COMMON: dict[str, Baseline] = {
    "copy-query": _copied_queries,
    "copy-demo": _copied_examples,
    "majority": _majority,
    "no-image": _from_text,
}


def baselines_of(config: str) -> Mapping[str, Baseline]:
    """The baselines of a task by name: its own, then those of every task. Each takes items and
    train rows, and gives an answer to every item, None where it has none."""
    return {**EVERY_TASK[config].score.baselines, **COMMON}
