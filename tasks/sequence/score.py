"""Scoring of letters: right or not, by form. What pixels alone tell stands beside it."""

import re
from collections.abc import Sequence

from core.answers import final_text
from core.items import Item, commonest_answer
from core.metrics import PARSED, Metric, Said, mean, share
from tasks.sequence.text import FORMS, LETTERS
from tasks.task import Answered, Score

_ONE = re.compile(rf"(?<![\w'])[{LETTERS}](?![\w'])")
# "A" that begins a sentence and no answer.
_ARTICLE = re.compile(
    r"(?:^|(?<=[.!?:]\s)|(?<=\n))A(?= [a-z])(?! (?:is|or|and|shows|comes|follows|because)\b)"
)
_RUN = re.compile(rf"\b[{LETTERS}]{{4}}\b")


def letters_said(text: str, number: int) -> str | None:
    """The letter, or the order of all four, that a text says; None where that is not sure.

    >>> letters_said("B.", 1), letters_said("(C) is next", 1), letters_said("A or B", 1)
    ('B', 'C', None)
    >>> letters_said("C, A, D, B", 4), letters_said("DCBA", 4)
    ('CADB', 'DCBA')
    """
    if number > 1:
        run = _RUN.search(text)
        found = run[0] if run else "".join(_ONE.findall(text))
        return found if len(found) == number and set(found) == set(LETTERS) else None
    named = set(_ONE.findall(_ARTICLE.sub("", text)))
    return named.pop() if len(named) == 1 else None


def answered(item: Item, said: Said) -> Answered:
    """Whether the letters are those of the answer."""
    gold = item.answer.replace(", ", "")
    told = letters_said(final_text(said.answer or ""), len(gold))
    right, form = float(told == gold), item.derived["form"]
    counts = {"right": right}
    for name in FORMS:
        counts |= {f"of_{name}": float(name == form), f"right_{name}": right * (name == form)}
    return Answered(counts, right, "ok" if told else "unparsed")


def _column(name: str, items: Sequence[Item]) -> list[str | None]:
    return [item.derived[name] for item in items]


SCORE = Score(
    answered,
    metrics=(
        Metric("acc", "right", mean("right"), parsed=True, main=True),
        *(Metric(f"{form}_acc", form, share(f"right_{form}", f"of_{form}"), parsed=True, main=True)
          for form in FORMS),
        PARSED,
    ),
    about="Chance is 25, of order 4.17. first-letter says A, or A, B, C, D; similarity takes what "
    "is most (outlier: least) like the others in pixels, coverage what has more or less built on "
    "it: what is right by these needs no understanding.",
    from_alike=commonest_answer,
    columns=("parse_rate",),
    baselines={
        "first-letter": lambda items, train: [
            ", ".join(LETTERS[: 4 if "," in item.answer else 1]) for item in items
        ],
        "similarity": lambda items, train: _column("by_similarity", items),
        "coverage": lambda items, train: _column("by_coverage", items),
    },
)  # fmt: skip
