"""What raters said of an earlier build (features.md B16): rows they reject, weights of the others.

Row ids are made of manual, step and pixels, so a review goes on to hold for later builds. It reads
the `review.json` that `lego-arta review score` writes, and the selection that a gallery saves: its
rows are rejected.
"""

import collections
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from core.errors import UserError
from core.parquet import RowIndex
from core.records import Drop
from core.selection import is_selection, read_selection
from tasks import TASKS

FORMAT = "lego-arta review 1"
# A row goes when this share of those who could judge it reject it: two of three.
REJECTING = 2 / 3
# Rating needs more than one opinion to throw a row out; screening is one person's work.
OPINIONS = {"screening": 1}
OPINIONS_OF_RATING = 2
REJECTED, WITH_REJECTED = "rejected_by_raters", "with_a_rejected_row"
# Verdicts on rows that stay, for their column: whether any rater would throw the row out.
ACCEPTED, DISPUTED = "accepted", "disputed"


class Judgement(msgspec.Struct, frozen=True):
    """What one rater said of one row: points from 0 to 1, whether to throw it out, and the kind of
    failure where the page asked for one."""

    row: str
    rater: str
    points: float
    rejects: bool
    failure: str | None = None


class Review(msgspec.Struct, frozen=True):
    """The part of a `review.json` that a build needs."""

    format: str
    task: str
    page_id: str
    judgements: list[Judgement]
    acceptance: dict[str, Any] | None = None


@dataclass(frozen=True)
class Reviews:
    """Decisions by row id, sorted: rows thrown out, weights of the other rows judged, how rows fail
    that stay, and which of those some rater would throw out."""

    rejected: tuple[str, ...] = ()
    weights: tuple[tuple[str, float], ...] = ()
    failures: tuple[tuple[str, str], ...] = ()
    disputed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rejected or self.weights)

    def decided(self) -> "Decided":
        """The same for looking up by id."""
        verdicts = {i: DISPUTED if i in self.disputed else ACCEPTED for i, _ in self.weights}
        return Decided(frozenset(self.rejected), dict(self.weights), dict(self.failures), verdicts)

    @property
    def as_json(self) -> dict[str, Any]:
        """For a manifest, and back by `from_json`."""
        told: dict[str, Any] = {"rejected": list(self.rejected), "weights": dict(self.weights)}
        more = {"failures": dict(self.failures), "disputed": list(self.disputed)}
        return {**told, **{name: value for name, value in more.items() if value}}


NO_REVIEWS = Reviews()


def from_json(value: Mapping[str, Any]) -> Reviews:
    """Decisions as a manifest holds them."""
    failures = tuple(sorted(value.get("failures", {}).items()))
    weights = tuple(sorted(value["weights"].items()))
    return Reviews(tuple(value["rejected"]), weights, failures, tuple(value.get("disputed", ())))


def read_reviews(files: Sequence[Path]) -> tuple[Reviews, list[str]]:
    """The decisions of all files together, and what to tell about files; raises `UserError`.

    Rows of a gallery's selection are rejected, by one person and whatever others say. The same
    rating in two files counts once. A row weighs the mean points of those who judged it.
    """
    said: dict[tuple[str, str, str], Judgement] = {}
    remarks: list[str] = []
    needed: dict[str, int] = {}
    selected: set[str] = set()
    for file in files:
        if _is_selection(file):
            selected.update(read_selection("--reviews", file).ids)
            continue
        review = _read(file)
        for one in review.judgements:
            said[(one.row, one.rater, review.page_id)] = one
            opinions = OPINIONS.get(review.task, OPINIONS_OF_RATING)
            needed[one.row] = min(opinions, needed.get(one.row, opinions))
        if not review.judgements:
            remarks.append(f"--reviews {file}: no rater of it was counted")
        elif review.acceptance and not review.acceptance.get("passed"):
            remarks.append(f"--reviews {file}: its raters do not agree well enough to be accepted")
    by_row: dict[str, list[Judgement]] = collections.defaultdict(list)
    for (row, _, _), one in sorted(said.items()):
        by_row[row].append(one)
    rejected = selected | {
        row
        for row, several in by_row.items()
        if len(several) >= needed[row]
        and sum(one.rejects for one in several) >= REJECTING * len(several)
    }
    weights = {
        row: round(sum(one.points for one in several) / len(several), 6)
        for row, several in by_row.items()
        if row not in rejected
    }
    failures = {
        row: failure for row, several in by_row.items()
        if row not in rejected and (failure := _failure(several))
    }  # fmt: skip
    told = Reviews(
        tuple(sorted(rejected)),
        tuple(sorted(weights.items())),
        tuple(sorted(failures.items())),
        tuple(row for row in sorted(weights) if any(one.rejects for one in by_row[row])),
    )
    return told, remarks


def _failure(said: Sequence[Judgement]) -> str | None:
    """The kind of failure that most of those name who see one, where at least half see one."""
    kinds = collections.Counter(one.failure for one in said if one.failure)
    if 2 * kinds.total() < len(said) or not kinds:
        return None
    return max(sorted(kinds), key=lambda kind: kinds[kind])


def _is_selection(file: Path) -> bool:
    try:
        return is_selection(file.read_bytes())
    except OSError:
        return False  # told when it is read as a review


def _read(file: Path) -> Review:
    try:
        review = msgspec.json.decode(file.read_bytes(), type=Review)
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(
            f"--reviews {file}: not a review ({error}); give the review.json that "
            "`lego-arta review score` writes, or a selection that a gallery saved"
        ) from None
    if review.format != FORMAT:
        raise UserError(f"--reviews {file}: format {review.format!r}, this reads {FORMAT!r}")
    for one in review.judgements:
        if not 0 <= one.points <= 1:
            raise UserError(f"--reviews {file}: {one.row} has {one.points} points, not 0 to 1")
    return review


class Decided(NamedTuple):
    """Decisions for looking up: ids thrown out; weights, kinds of failure and verdicts by id."""

    rejected: frozenset[str]
    weights: Mapping[str, float]
    failures: Mapping[str, str] = {}
    verdicts: Mapping[str, str] = {}


class Applied(NamedTuple):
    """Decisions about one manual: rows left out with their reason, which are drops, too; weights
    and verdicts by row id; and how many of its rows were judged."""

    left_out: Mapping[str, str]
    weights: Mapping[str, float]
    verdicts: Mapping[str, str]
    drops: Sequence[Drop]
    found: int


def apply_reviews(
    decided: Decided, manual_id: str, index: Mapping[str, Sequence[RowIndex]]
) -> Applied:
    """Apply decisions to the rows of a manual, and list what is left out among its drops.

    A state group goes as a whole, for three wrong states to a right one is what scores assume, and
    so do the four collages of an object, which show the same boxes, and the rows of a pair of
    things, which say the same relation; they share its weight and verdict, too. Masks of one
    picture do not: each shows something else.
    """
    left_out: dict[str, str] = {}
    weights: dict[str, float] = {}
    verdicts: dict[str, str] = {}
    drops: list[Drop] = []
    found = 0
    if not any(decided):
        return Applied(left_out, weights, verdicts, drops, found)
    for config, rows in index.items():
        alone = TASKS[config].rows.judged_alone
        for ids in [[row.id] for row in rows] if alone else _items(rows):
            found += sum(i in decided.rejected or i in decided.weights for i in ids)
            if not decided.rejected.isdisjoint(ids):
                for i in ids:
                    left_out[i] = REJECTED if i in decided.rejected else WITH_REJECTED
                    drops.append(Drop(manual_id, config, f"id {i}", left_out[i]))
                continue
            known = [i for i in ids if i in decided.weights]
            if TASKS[config].rows.same_boxes and known:
                weights |= dict.fromkeys(ids, sum(decided.weights[i] for i in known) / len(known))
                said = {decided.verdicts[i] for i in known}
                verdicts |= dict.fromkeys(ids, DISPUTED if DISPUTED in said else ACCEPTED)
            else:
                weights |= {i: decided.weights[i] for i in known}
                verdicts |= {i: decided.verdicts[i] for i in known}
    return Applied(left_out, weights, verdicts, drops, found)


def counts_of(decided: Decided, applied: collections.Counter[str]) -> dict[str, int]:
    """What the manifest tells of decisions, given sums over the manuals; nothing of none."""
    if not any(decided):
        return {}
    own = {name: applied[name] for name in ("in_this_build", "left_out", "weighted")}
    return {"judged": len(decided.rejected) + len(decided.weights), **own}


def _items(rows: Sequence[RowIndex]) -> list[list[str]]:
    """Ids of the rows that stay or go together."""
    items: dict[str, list[str]] = {}
    for row in rows:
        items.setdefault(row.item or row.group, []).append(row.id)
    return list(items.values())


def card_text(reviews: Mapping[str, Any] | None) -> str:
    """What the card says of raters, from the manifest's options."""
    if not reviews or not (reviews["rejected"] or reviews["weights"]):
        return "No person annotated or rated this build."
    number = len(reviews["rejected"]) + len(reviews["weights"])
    return (
        f"People judged {number:,} rows of this build or an earlier one: what they rejected is "
        "left out, and `sample_weight` of the others is their mean rating (0 to 1; of masks that "
        "they accepted at least 1)."
    )
