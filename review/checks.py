"""Check questions: rows of the build that were changed so that the right scores are certain.

The thesis asked 3 about objects and 5 about states to see who had read its tutorial (6.1.1). They
look like any other question; the known scores are in the key file, not in the page.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

import numpy as np

from core.build import BuildRow
from core.errors import UserError
from core.masks import read_mask
from core.relations import MIDDLE, MODEL, OPPOSITE, TABLE
from review.criteria import HOLDS, HOLDS_NOT, Rating
from review.questions import (
    BoxPx,
    NamedBox,
    Question,
    balanced_question,
    mask_question,
    object_question,
    sentence_to_complete,
    spatial_question,
    state_question,
)  # fmt: skip
from review.rows import entries_of, group_of, is_choice, picture, rank
from synthesis.boxes import intersection

MACHINE = 2  # a mask's `source`: nobody knows whether it is right
# A box moved by this share of its width or height has most of its object, clearly off centre.
OFF_CENTRE = 0.4
# Boxes that take between these shares of the collage: large enough to see, small enough to move.
BOX_AREA = (0.004, 0.12)
# A picture is clearly different when this share of what either shows differs.
DIFFERENT = 0.5
TRIED = 200
# Boxes that fit their text this well are taken to be right.
SURE = 0.9


def questions(
    task: Rating, build: Path, rows: Sequence[BuildRow], taken: Collection[str], seed: int
) -> list[Question]:
    """The check questions of a page, from groups that are not `taken` as long as there are any.

    Raises `UserError` when the build has no rows to make them of.
    """
    ranked = sorted(rows, key=lambda row: (group_of(row) in taken, rank(f"{seed}:check", row.id)))
    if task.config == "spatial":
        made = _of_pairs(ranked)
    elif task.config == "state_balanced":
        made = _of_balanced(ranked)
    elif task.config == "mask":
        made = _of_masks(ranked)
    else:
        made = _of_objects(ranked) if task.config == "object" else _of_states(build, ranked)
    if len(made) < task.checks:
        raise UserError(
            f"{build}: too few rows for {task.checks} check questions ({len(made)} found); build "
            "more manuals, or give --checks none"
        )
    return made


def _of_objects(ranked: Sequence[BuildRow]) -> list[Question]:
    """A box on another part, a box half off its part, a name of another part."""
    sure = [row for row in ranked if row.columns["confidence"] >= SURE][:TRIED] or ranked[:TRIED]
    sure = sorted(sure, key=lambda row: len(_instances(row)) > 1)  # single parts first
    made: list[Question] = []
    used: set[str] = set()
    for change in (_on_another_part, _off_centre, _misnamed):
        for row in sure:
            question = change(row) if group_of(row) not in used and _suits(row) else None
            if question:
                made.append(question)
                used.add(group_of(row))
                break
    return made


def _instances(row: BuildRow) -> list:
    return [box for target in row.columns["targets"] for box in target["instances_px"]]


def _suits(row: BuildRow) -> bool:
    """One kind of part, its box neither tiny nor huge."""
    if len(row.columns["targets"]) != 1:
        return False
    low, high = BOX_AREA
    x0, y0, x1, y1 = row.columns["targets"][0]["box_norm100"]
    return low < (x1 - x0) * (y1 - y0) / 1e4 < high


def _changed(row: BuildRow, name: str, box: Iterable[float], known: dict[str, int]) -> Question:
    x0, y0, x1, y1 = box
    boxes = (NamedBox(name, (x0, y0, x1, y1)),)
    return object_question(row)._replace(row=None, boxes=boxes, known=known)


def _on_another_part(row: BuildRow) -> Question | None:
    target = row.columns["targets"][0]
    others = [o for o in row.columns["distractors"] if o["label"] != target["label"]]
    if not others:
        return None
    return _changed(row, target["label"], others[0]["box_px"], {"precision": 1, "clearness": 1})


def _misnamed(row: BuildRow) -> Question | None:
    target = row.columns["targets"][0]
    own = set(target["label"].casefold().split())
    others = [o for o in row.columns["distractors"] if not own & set(o["label"].casefold().split())]
    if not others:
        return None
    return _changed(row, others[0]["label"], target["box_px"], {"precision": 3, "clearness": 1})


def _off_centre(row: BuildRow) -> Question | None:
    """Moved to a side where it stays in the picture and touches no other part."""
    target = row.columns["targets"][0]
    box: BoxPx = tuple(target["box_px"])
    width, height = object_question(row).sizes_wh[0]
    others = [tuple(i) for o in row.columns["distractors"] for i in o["instances_px"]]
    dx, dy = OFF_CENTRE * (box[2] - box[0]), OFF_CENTRE * (box[3] - box[1])
    for x, y in ((dx, 0), (-dx, 0), (0, dy), (0, -dy)):
        moved = (box[0] + x, box[1] + y, box[2] + x, box[3] + y)
        inside = moved[0] >= 0 and moved[1] >= 0 and moved[2] <= width and moved[3] <= height
        if inside and not any(intersection(moved, other) for other in others):
            return _changed(row, target["label"], moved, {"precision": 2, "clearness": 3})
    return None


def _of_states(build: Path, ranked: Sequence[BuildRow]) -> list[Question]:
    """Twice the right picture itself, twice that of another manual, once of a far stage."""
    right = [row for row in ranked if row.columns["label"] == 1]
    same = [_pair(row, row, {"relevance": 2, "similarity": 2}) for row in right[:2]]
    pool = [*right[2:], *right[:2]]  # each picture once as long as there are others
    other: list[Question] = []
    while pool and len(other) < 3:
        reference = pool.pop(0)
        manual_id = reference.columns["manual_id"]
        strange = next((row for row in pool if row.columns["manual_id"] != manual_id), None)
        if strange:
            pool.remove(strange)
            other.append(_pair(strange, reference, {"relevance": 1, "similarity": 1}))
    far = _far_stage(build, [*pool, *right])
    return [*same, *other[: 2 if far else 3], *far]


def _of_balanced(ranked: Sequence[BuildRow]) -> list[Question]:
    """Twice what is true of the picture, twice a picture of another manual."""
    right = [row for row in ranked if row.columns["label"] == 1]
    made: list[Question] = []
    for row in right:
        other = next((o for o in right if o.columns["manual_id"] != row.columns["manual_id"]), None)
        if other is None or len(made) == 4:
            break
        asked = balanced_question(row)._replace(row=None)
        strange = balanced_question(other)
        made.append(
            asked
            if len(made) % 2
            else asked._replace(
                pictures=strange.pictures, sizes_wh=strange.sizes_wh, known={"fits": 1}
            )
        )
    return made


def _pair(shown: BuildRow, reference: BuildRow, known: dict[str, int]) -> Question:
    return state_question(shown, reference)._replace(row=None, known=known)


def _far_stage(build: Path, right: Sequence[BuildRow]) -> list[Question]:
    """A right picture beside the stage of its session that looks least like it."""
    steps: dict[str, list[BuildRow]] = {}
    for scene in entries_of(build, "scene"):
        steps.setdefault(scene.columns["session_id"], []).append(scene)
    found: tuple[float, BuildRow, BuildRow] | None = None
    for row in right[:20]:
        stages = steps.get(row.columns["session_id"], [])
        for stage in stages[:: max(1, len(stages) - 1)]:  # the first and the last
            value = _difference(picture(stage), picture(row))
            if value >= DIFFERENT and (found is None or value > found[0]):
                found = (value, stage, row)
    return [_pair(found[1], found[2], {"relevance": 2, "similarity": 1})] if found else []


def _difference(one, other) -> float:
    """Share of the pixels that either picture uses where the two differ; 0 for unlike sizes."""
    if one.size != other.size:
        return 0.0
    size = (one.width // 4, one.height // 4)
    a, b = (np.asarray(image.convert("L").resize(size), int) for image in (one, other))
    ground = int(np.bincount(b.ravel()).argmax())
    used = (abs(a - ground) > 12) | (abs(b - ground) > 12)
    return float((abs(a - b) > 24)[used].mean()) if used.any() else 0.0


# Sides that a picture shows to whoever looks at it, if the scene or the text says so, too.
SIDES = ("left", "right")


def _of_pairs(ranked: Sequence[BuildRow]) -> list[Question]:
    """Two parts beside each other, once as they are and once the other way round, and a part on
    what carries it; where one kind is missing another of the sides."""
    sure = [row for row in ranked if is_choice(row) and _is_seen(row)]
    sides = [row for row in sure if row.columns["relations"][0] in SIDES]
    parts = [row for row in sides if row.columns["object"]["label"] not in (MIDDLE, MODEL, TABLE)]
    made: list[Question] = []
    used: set[str] = set()

    def take(rows: Sequence[BuildRow], ask: Callable[[BuildRow], Question]) -> None:
        row = next((row for row in rows if _pictured(row) not in used), None)
        if row is not None:
            made.append(ask(row))
            used.add(_pictured(row))

    take(parts or sides, _known_pair)
    take(parts, _other_way_round)
    take([row for row in sure if row.columns["relations"][0] == "on"], _known_pair)
    while len(made) < 3 and (rest := [row for row in sides if _pictured(row) not in used]):
        take(rest, _known_pair)
    return made


def _pictured(row: BuildRow) -> str:
    """The picture of a row, by its source: one a check question."""
    return str(row.columns["provenance"]["source_images"][0]["path"])


def _is_seen(row: BuildRow) -> bool:
    """Whether the picture shows the first relation, and another reading says so, too."""
    relation = row.columns["relations"][0]
    others = (row.columns["relations_scene"], row.columns["relations_text"])
    return relation in row.columns["relations_image"] and any(relation in one for one in others)


def _known_pair(row: BuildRow) -> Question:
    relation = row.columns["relations"][0]
    known = {relation: HOLDS, OPPOSITE[relation]: HOLDS_NOT}
    return spatial_question(row)._replace(row=None, relation="", known=known)


def _other_way_round(row: BuildRow) -> Question:
    """Subject and object exchanged, so that the opposite relation holds."""
    question, relation = spatial_question(row), row.columns["relations"][0]
    boxes = question.boxes[::-1]
    return question._replace(
        row=None,
        relation="",
        text=sentence_to_complete(*boxes),
        boxes=boxes,
        known={OPPOSITE[relation]: HOLDS, relation: HOLDS_NOT},
    )


def _of_masks(ranked: Sequence[BuildRow]) -> list[Question]:
    """A mask as it is, one of another place, one that lacks the first of several things."""
    right, misguided, missing = 4, 1, 2
    made: list[Question] = []
    used: set[str] = set()
    for known in (right, misguided, missing):
        for row in ranked:
            mask = read_mask(row.columns["mask"]["bytes"])
            boxes = row.columns["boxes_px"]
            if row.columns["source"] == MACHINE or _pictured(row) in used:
                continue
            if known == misguided:
                mask = _elsewhere(mask)
            elif known == missing and len(boxes) > 1:
                x0, y0, x1, y1 = (round(v) for v in boxes[0])
                mask[y0:y1, x0:x1] = False
            elif known == missing:
                continue
            if not mask.any():
                continue
            used.add(_pictured(row))
            question = mask_question(row, mask)
            made.append(question._replace(row=None, known={"mask": known}))
            break
    return made


def _elsewhere(mask: np.ndarray) -> np.ndarray:
    """The quarter of the sides in the corner that is farthest from a mask, without the mask."""
    y, x = (at.mean() for at in np.nonzero(mask))
    height, width = mask.shape
    wrong = np.zeros_like(mask)
    rows = slice(0, height // 4) if y > height / 2 else slice(3 * height // 4, height)
    columns = slice(0, width // 4) if x > width / 2 else slice(3 * width // 4, width)
    wrong[rows, columns] = True
    return wrong & ~mask
