"""What a task is made of: five parts, each a module of its folder, loaded when first asked for.

    text   the words of queries and answers       rows   from a manual to rows
    score  counts, metrics, baselines, rewards    check  what must hold for its rows
    show   how people see its rows

Every module holds one value of the type here, under the part's name in capitals. What a part may
import: `text` nothing heavy, `score` no OpenCV and no Pillow.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from core.names import Row

if TYPE_CHECKING:
    import numpy as np

    from core.items import Item
    from core.metrics import Counts, Metric, Said
    from tasks.context import Context

PARTS = ("text", "rows", "score", "check", "show")


@dataclass(frozen=True)
class Text:
    """The words of a task. `bodies` say what a row is about, with {found}, {wanted} and {done} for
    instructions; `directives` close a query and ask for the answer's form. Both are by template.
    """

    title: str  # "Scene understanding"
    asks: str  # the question in short, for people
    bodies: Mapping[str, str]
    directives: Mapping[str, str]
    # What prompts ask for the answer's form with, where queries don't say it.
    form: str = ""
    # Solved in-context examples of the papers: (query, answer).
    examples: tuple[tuple[str, str], ...] = ()
    # Whether answers are boxes, which formats write in their own way and frame.
    in_boxes: bool = False
    # What the prompt for answers after thinking adds, and whether one may tell the step before.
    after_thinking: str = ""
    tells_before: bool = True
    # Other names that rows and rewards use for the task.
    other_names: tuple[str, ...] = ()
    # Rows that share these columns are scored and shown together, and what that is called.
    shared: tuple[str, ...] = ("id",)
    shared_name: str = ""


@dataclass(frozen=True)
class Rows:
    """`make` gives the rows of a manual; what gives none it records as drops. A thing that is asked
    about gives `an_item` rows; statistics count those, per session or per session with an outline.
    """

    make: Callable[[Context], Iterator[Row]]
    an_item: int = 1
    outlined_only: bool = False
    same_boxes: bool = False  # the rows of an item show the same boxes: raters judge them as one
    judged_alone: bool = False  # what raters say of a row says nothing of others of its item
    # Whether a row is left out of every test: nobody is sure of its answer.
    trains_only: Callable[[Row], bool] = lambda row: False
    # What was done to source pictures to make a row's picture: "copy", "collage", ...
    edit: Callable[[Row], str] = lambda row: "copy"


class Answered(NamedTuple):
    """Counts of one answer, how well it does alone (0 to 1), and how it was read."""

    counts: Counts
    goodness: float
    status: str


Baseline = Callable[[Sequence["Item"], Sequence["Item"]], "list[str | None]"]


class Confused(NamedTuple):
    """For a table of right and answered labels: the words of each label, and of an answer (the
    right label, the answered one or None for another answer); None where no label is asked for."""

    labels: Mapping[str, str]
    pair: Callable[[Item, Said], tuple[str, str | None] | None]


@dataclass(frozen=True)
class Score:
    """How answers are judged. `answered` gives the counts that `metrics` are formulas over; `about`
    is what a reader of a table should know; `columns` stand in the main table beside the main
    metrics; `harness` are the metrics of lmms-eval.
    """

    answered: Callable[[Item, Said], Answered]
    metrics: tuple[Metric, ...]
    about: str
    # An answer from the train rows whose queries are most alike, best first.
    from_alike: Callable[[Item, Sequence[Item]], str]
    columns: tuple[str, ...] = ()
    harness: tuple[str, ...] = ()
    setting_columns: tuple[str, ...] = ()  # in the table of query settings
    one_sided: tuple[str, ...] = ()  # a constant answer is perfect on these
    baselines: Mapping[str, Baseline] = field(default_factory=dict)  # besides those of all tasks
    # Whether an answer is that of an example that the prompt showed.
    copies: Callable[[str, Sequence[str]], bool] = lambda answer, shown: False
    # How right one answer is, for people: 1 right, 0 wrong; and the words, where it is a measure.
    verdict: Callable[[Answered], float | str] = lambda answered: answered.goodness
    measure: str = ""  # what goodness measures, where people want to see the number
    # The reward of a solution, and whether a text without a task's name is one of its solutions.
    reward: Callable[[str, str], float] | None = None
    harness_answer: Callable[[str], str] = lambda answer: answer
    confused: Confused | None = None


@dataclass(frozen=True)
class Check:
    """What must hold: `row` yields what is wrong with one row by itself, given its picture's size
    and whether it was imported; `group` says what is wrong with the labels of a group's rows.
    """

    row: Callable[[Row, tuple[int, int], bool], Iterable[str]] = lambda row, size_wh, imported: ()
    group: Callable[[Sequence[int]], str] = lambda labels: ""


class Drawing(NamedTuple):
    """A picture of rows for people: (H, W, 3) uint8, what it shows, and the row it is about."""

    rgb: np.ndarray
    caption: str
    row: Row


class ShownBox(NamedTuple):
    """A box over a picture, pixels: its name (may be empty) and role, which colours it."""

    name: str
    role: str  # asked, part, right, wrong
    box_xyxy_px: Sequence[float]


@dataclass(frozen=True)
class Show:
    """How people see rows: `draw` for the card, the rest for the gallery."""

    draw: Callable[[Sequence[Row]], Drawing]
    boxes: Callable[[Row], list[ShownBox]] = lambda row: []
    kind: Callable[[Row], str | None] = lambda row: None  # "right", or what is wrong
    line: Callable[[Row], str] = lambda row: f"answer: {row['answer']}"
    # What is said of one picture of a group, where it is not the same for all.
    said: Callable[[Row], str] = lambda row: ""
    alt: Callable[[Row], str] = lambda row: "the picture of the row"


@dataclass(frozen=True)
class Task:
    """A config: its name, and the package that holds its parts."""

    name: str
    package: str

    def _part(self, part: str) -> Any:
        return getattr(importlib.import_module(f"{self.package}.{part}"), part.upper())

    def group_of(self, row: Row) -> str:
        """What rows share that are scored and shown together."""
        return "\n".join(str(row[name]) for name in self.text.shared)

    @functools.cached_property
    def text(self) -> Text:
        """The words of queries and answers."""
        return cast(Text, self._part("text"))

    @functools.cached_property
    def rows(self) -> Rows:
        """From a manual to rows."""
        return cast(Rows, self._part("rows"))

    @functools.cached_property
    def score(self) -> Score:
        """How answers are judged."""
        return cast(Score, self._part("score"))

    @functools.cached_property
    def check(self) -> Check:
        """What must hold for rows."""
        return cast(Check, self._part("check"))

    @functools.cached_property
    def show(self) -> Show:
        """How people see rows."""
        return cast(Show, self._part("show"))
