"""What raters are asked, in one place for page, check questions and statistics.

Labels are those of the thesis (11.1; features.md T19, T20, A5, A6). A score is the place of its
label from the worst, 1 up; reports subtract 1, as the paper did.
"""

from typing import NamedTuple


class Criterion(NamedTuple):
    """One question about every sample. `labels` and `hints` go from the worst up."""

    name: str
    title: str
    question: str
    labels: tuple[str, ...]
    hints: tuple[str, ...]
    rejects: bool  # whether the lowest label turns the sample down

    @property
    def best(self) -> int:
        """The highest score."""
        return len(self.labels)


class Rating(NamedTuple):
    """What a page is about. `minutes` is what the thesis says its 103 or 105 questions take."""

    name: str
    config: str
    title: str
    criteria: tuple[Criterion, ...]
    checks: int
    minutes: tuple[float, float]
    samples: int
    least_median_s: float  # nobody who looks is faster than this

    def criterion(self, name: str) -> Criterion:
        """The criterion of a name; KeyError when there is none."""
        return {c.name: c for c in self.criteria}[name]


_OBJECT = (
    Criterion(
        "precision",
        "Bounding Boxes Precision",
        "How well does each box lie on what the reference text names?",
        ("Inaccurate", "Partially precise", "Precise"),
        (
            "The object is not in the box.",
            "The object is in the box, or most of it, but the centre is clearly off.",
            "The box lies closely around the object.",
        ),
        rejects=True,
    ),
    Criterion(
        "clearness",
        "Entities Clearness",
        "How well does the name on each box say what is in it and what the reference text names?",
        ("Irrelevant", "Ambiguous", "Clear"),
        (
            "The name is not that of the object in the box, or not part of the text.",
            "The name fits several blocks in the picture, or two names are swapped.",
            "The name says plainly which object it is.",
        ),
        rejects=True,
    ),
)
_STATE = (
    Criterion(
        "relevance",
        "Relevance",
        "Does the evaluating image belong to the reference image?",
        ("Low", "High"),
        (
            "It has nothing to do with the reference: it shows something else.",
            "It shows the same assembly, right or wrong, at this or another stage.",
        ),
        rejects=True,
    ),
    Criterion(
        "similarity",
        "Similarity",
        "Does the evaluating image look like the reference image?",
        ("Low", "High"),
        (
            "It is clearly different from the reference.",
            "It is almost identical to the reference: a part moved, missing or changed.",
        ),
        rejects=False,
    ),
)
_SCREENING = (
    Criterion(
        "verdict",
        "Keep this wrong state?",
        "Is it plainly a wrong state of this step, and does it look as if it had been built so?",
        ("Drop", "Keep"),
        (
            "It could pass for right, or it is broken: torn, pasted, floating, cut off.",
            "Somebody could have built it so, and it is wrong.",
        ),
        rejects=True,
    ),
)
RATINGS = {
    task.name: task
    for task in (
        Rating("object", "object", "Boxes and names of parts", _OBJECT, 3, (20, 40), 100, 2.0),
        Rating("state", "state", "Wrong and right states", _STATE, 5, (15, 35), 100, 1.0),
        Rating(
            "screening", "state", "Screening of wrong states", _SCREENING, 0, (6, 6), 1000, 0.25
        ),
    )
}
