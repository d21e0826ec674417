"""What raters are asked, in one place for page, check questions and statistics.

Labels are those of the thesis (11.1; features.md T19, T20, A5, A6). A score is the place of its
label from the worst, 1 up; reports subtract 1, as the paper did. Of a pair of things several
relations may hold: every one is a criterion, scored 2 where the rater says that it holds, else 1.
"""

from typing import NamedTuple

from core.relations import OPPOSITE, RELATIONS, WORDS

HOLDS_NOT, HOLDS = 1, 2


class Criterion(NamedTuple):
    """One question about every sample. `labels` and `hints` go from the worst up."""

    name: str
    title: str
    question: str
    labels: tuple[str, ...]
    hints: tuple[str, ...]
    rejects: bool  # whether the lowest label turns the sample down
    # Whether all labels but the best are kinds of failure, each as wrong as the others.
    failures: bool = False

    @property
    def best(self) -> int:
        """The highest score."""
        return len(self.labels)

    @property
    def grades(self) -> int:
        """How many steps of quality there are: kinds of failure are one, whatever their order."""
        return 2 if self.failures else self.best

    def points(self, score: int) -> float:
        """A score as a share of what can be had, 0 to 1."""
        return float(score == self.best) if self.failures else (score - 1) / (self.best - 1)

    def failure(self, score: int) -> str | None:
        """The kind of failure that a score names; None for the best, and where labels are none."""
        if not self.failures or score == self.best:
            return None
        return self.labels[score - 1].lower().replace(" ", "_")


class Against(NamedTuple):
    """Scores that can't stand together: (criterion, score) of each, what the page tells the rater,
    and what is noted of a file with such answers."""

    rules: tuple[tuple[tuple[str, int], tuple[str, int]], ...]
    told: str
    note: str


class Rating(NamedTuple):
    """What a page is about. `minutes` is what 100 questions and the checks take: for objects and
    states what the thesis says. `several` is the one question whose answers are the criteria, any
    number of which may hold; empty where every criterion is a question of its own.
    """

    name: str
    config: str
    title: str
    criteria: tuple[Criterion, ...]
    checks: int
    minutes: tuple[float, float]
    samples: int
    least_median_s: float  # nobody who looks is faster than this
    against: Against | None = None
    several: str = ""

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
_BALANCED = (
    Criterion(
        "fits",
        "Fits",
        "Was this step done as it is told?",
        ("No", "Yes"),
        (
            "A part is in another place, turned, of another kind or colour, missing or too many.",
            "All that is told is true of what is outlined in the picture.",
        ),
        rejects=False,  # a row is turned down where its own answer is denied
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
_RELATION_HINTS = {
    "on": "It rests on the other or is attached to its top.",
    "in": "It is set into the other, which closes it in on its sides.",
    "next": "It stands beside the other, close to it and about as high.",
    "under": "It is below the other, touching it or not.",
    "above": "It is higher than the other, over it, and does not touch it.",
    "behind": "It is farther from you than the other.",
    "in front of": "It is nearer to you than the other.",
    "left": "It is to the left of the other as you look at the picture.",
    "right": "It is to the right of the other as you look at the picture.",
}
_SPATIAL = tuple(
    Criterion(
        name,
        WORDS[name],
        f"Is the thing in box 1 {WORDS[name]} the thing in box 2?",
        ("Not true", "True"),
        ("It is not ticked.", _RELATION_HINTS[name]),
        rejects=False,  # a row is turned down where its own relation is denied
    )
    for name in RELATIONS
)
# The ways in which a mask fails (arXiv 2405.19783, Figure 15).
_MASK = (
    Criterion(
        "mask",
        "Mask",
        "Does what is left in colour show what the text is about: all of it, and nothing else?",
        ("Misguided target", "Missing target", "Insufficient reasoning", "Right"),
        (
            "Something else is in colour, or much more than what the text is about.",
            "Some of what the text is about is not in colour.",
            "In colour is what the words name, but not what they mean: the one on the plate, the "
            "newest, the ones that are not grey.",
            "All of what the text is about is in colour, and nothing else.",
        ),
        rejects=False,  # the row stays, and says how it fails
        failures=True,
    ),
)
_STATE_AGAINST = Against(
    ((("similarity", 2), ("relevance", 1)),),
    "High similarity with low relevance does not occur: two pictures that look almost the same "
    "show the same assembly. Please look again.",
    "samples of high similarity and low relevance, which can't be",
)
_SPATIAL_AGAINST = Against(
    tuple(((a, HOLDS), (b, HOLDS)) for a, b in OPPOSITE.items()),
    "A thing can’t stand to another in one way and in the opposite way, too. Please look again.",
    "samples with a relation and its opposite, which can't be",
)
RATINGS = {
    task.name: task
    for task in (
        Rating("object", "object", "Boxes and names of parts", _OBJECT, 3, (20, 40), 100, 2.0),
        Rating(
            "state", "state", "Wrong and right states", _STATE, 5, (15, 35), 100, 1.0,
            _STATE_AGAINST,
        ),
        Rating(
            "balanced", "state_balanced", "Was it done as told?", _BALANCED, 4, (10, 25), 100, 1.0
        ),
        Rating(
            "screening", "state", "Screening of wrong states", _SCREENING, 0, (6, 6), 1000, 0.25
        ),
        Rating(
            "spatial", "spatial", "Where things are", _SPATIAL, 3, (15, 35), 100, 1.0,
            _SPATIAL_AGAINST,
            "Which words are true of box 1, seen from box 2? Tick all that are.",
        ),
        Rating("mask", "mask", "What instructions are about", _MASK, 3, (10, 25), 100, 1.0),
    )
}  # fmt: skip
