"""The record types that stages hand to each other, as typed JSON (msgspec structs).

`CrawledManual` is what stage 1 leaves of a manual; `Manual` is the manual JSON of the thesis'
Table 4.1 (features.md T4) with nulls where the thesis wrote "None". Images are referred to by
path and sha256, never inlined.
"""

import re
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from core.errors import UserError

# The classes a word can be tagged with (T2), in the order Table 4.1 uses them.
ENTITY_TAGS = ("verb", "det", "colorinfo", "theme", "target", "suffix")

DETAIL_LIMIT = 200  # characters of a drop's detail

_SLUG_RE = re.compile(r"lego-(?P<number>\d+)(?:-(?P<part>[a-z])-)?")


class CrawledImage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `img src` of a manual page: where it came from and where its bytes are.

    `src` is the attribute as written; `file` is relative to the manual's folder and null when
    `error` is set (`http_404`, `truncated_image`, `not_an_image`, `too_large`, ...).
    """

    src: str
    url: str
    file: str | None = None
    sha256: str | None = None
    size_bytes: int = 0
    size_wh: tuple[int, int] | None = None
    error: str | None = None


class CrawledManual(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`crawl.json` of a manual folder: written last, so its existence means the manual is whole.

    `charset` is the one that the server named in its Content-Type header, which counts before
    what the page says itself; null where it named none and for pages from disk.
    """

    manual_id: str
    set_number: str
    title: str
    url: str
    page_file: str
    page_sha256: str
    images: list[CrawledImage] = []
    charset: str | None = None
    # Of the scene in the folder (core/scenes.py); null for pictures that others drew.
    scene_sha256: str | None = None


class Vlm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `VLM` object of Table 4.1. Null means not known; lists may be empty."""

    img_path: str | None = None
    parts_img_path: str | None = None
    id_sign: str | None = None
    step_num: int | None = None
    step_class: str | None = None
    other_sign: str | None = None
    background_rect: list[int] | None = None
    color_list: list[str] = []
    bound_color: list[str] = []
    task_label: str | None = None
    query: str | None = None
    MiniGPTv2_output: str | None = None


class Instruction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of a manual. `entities` is flat: `this_line` opens a line, its tags follow."""

    instruction_id: int
    text: list[str]
    VLM: Vlm
    img: str | None
    entities: list[dict[str, str]]
    img_sha256: str | None = None


class Drop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that could not be used: drops are data, never silence."""

    manual_id: str
    task: str  # crawl, parse, annotate, scene, object, state
    item: str  # row, image or (crawl) address the drop is about
    reason: str
    detail: str = ""

    def __post_init__(self) -> None:
        """A detail is a line for people: one line, cut where it gets long."""
        detail = " ".join(self.detail.split())
        if len(detail) > DETAIL_LIMIT:
            detail = f"{detail[: DETAIL_LIMIT - 1]}…"
        if detail != self.detail:
            msgspec.structs.force_setattr(self, "detail", detail)


class Manual(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The manual JSON of Table 4.1 with its provenance."""

    manual_id: str
    set_number: str
    title: str
    url: str
    instructions: list[Instruction]
    drops: list[Drop] = []
    manual_type: str = "lego"


class Candidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The boxes one annotator gave for a label, and its own score for them (1 if it gives none)."""

    annotator: str
    instances_px: list[tuple[float, float, float, float]]
    score: float


class LabelBox(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The boxes of one label of an eop image.

    `label` is "colour theme" in the singular/plural as written; `instances_px` are
    `[x0, y0, x1, y1]` in pixels of the image, x1 and y1 exclusive, reading order. With several
    annotators, `candidates` are what each gave and `agreement` their mean pairwise IoU; null with
    one, for then nobody confirms it.
    """

    label: str
    count: int
    instances_px: list[tuple[float, float, float, float]]
    confidence: float
    candidates: list[Candidate] = []
    agreement: float | None = None


class Annotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an annotator says of one eop image. `error` is set when it found nothing usable.

    `dropped` counts by reason what was left out of a model's answer (T9).
    """

    image_sha256: str
    annotator: str
    size_wh: tuple[int, int]
    labels: list[LabelBox]
    answer: str
    confidence: float
    error: str | None = None
    dropped: dict[str, int] = {}


# Below this agreement a person should look.
REVIEW_AGREEMENT = 0.75


def needs_review(annotation: Annotation) -> bool:
    """Whether the annotators disagree on a label of the row."""
    return any(
        label.agreement is not None and label.agreement < REVIEW_AGREEMENT
        for label in annotation.labels
    )


class PartLabel(NamedTuple):
    """One kind of part: how many, its colour words (may be empty) and its theme words."""

    number: int
    color: str
    theme: str

    @property
    def text(self) -> str:
        """Colour and theme, the label of a box."""
        return f"{self.color} {self.theme}".strip()


class Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row whose boxes a person should look at, for annotators disagree on it (B7)."""

    manual_id: str
    item: str
    error: str | None
    labels: list[LabelBox]


class ManualStats(msgspec.Struct, frozen=True):
    """Counts of one manual, added up for Table 4.3. Drops are counted from their records.

    `parts` are the kinds of parts that it asks for and `boundary_colors` its outlines' colours,
    each once; `steps_after_eop` the assembly steps that an object-finding step is directly before.
    """

    manual_id: str
    set_number: str
    object_finding_steps: int
    assembly_steps: int
    sessions: int
    colored_sessions: int
    drops: list[Drop]
    screened: dict[str, int] = {}
    review: list[Review] = []
    parts: list[str] = []
    boundary_colors: list[str] = []
    steps_after_eop: int = 0


class SessionColors(msgspec.Struct, frozen=True):
    """The boundary colour of a session as hex, null for none, and how it was found (T12)."""

    color: str | None
    score: float
    candidates: list[str]
    by_hand: bool


T = TypeVar("T")


def load(path: Path, record_type: type[T]) -> T:
    """Read a JSON record; raises `UserError` when the file is not such a record."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=record_type)
    except (msgspec.DecodeError, OSError) as err:
        raise UserError(
            f"{path}: not a {record_type.__name__} record ({err}); "
            "delete the file and run again to make it anew"
        ) from err


def dump(record: object) -> bytes:
    """JSON bytes of a record: stable key order, two-space indent, final newline."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def split_slug(manual_id: str) -> tuple[str, str]:
    """(set number, part letter or "") of a page slug.

    `lego-60292-town-center-readscr` -> ("60292", ""), `lego-31130-b-x-readscr` -> ("31130", "b");
    a slug of another shape is its own set number, so it still splits as a whole.
    """
    match = _SLUG_RE.match(manual_id)
    return (match["number"], match["part"] or "") if match else (manual_id, "")
