"""Pairs of a step: new parts and what they stand to, with three readings of their relation.

The readings are kept apart: what the text says, what the picture shows, what the source knows of
its scene. The scene is right where there is one; else the text, checked against the picture; else
the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from core.relations import MIDDLE, OPPOSITE, by_information
from tasks.context import Context
from tasks.regions import Region, StepRegions, exact_scene, parts_before, region
from tasks.sessions import ManualRow
from tasks.spatial import plane, space, things
from tasks.spatial.reading import TABLE, Placing, read_placing
from tasks.spatial.things import Thing

# How often gold is right, by where it comes from. Measured where a scene tells (4 manuals of the
# demo, 4 CAD models): text 171 of 171, picture 0.85 (0.65 to 0.96 by label); a text by others is
# trusted less than that, and a scene is not quite 1, for its labels have limits of their own.
CONFIDENCE = {"scene": 0.98, "agree": 0.97, "text": 0.9, "image": 0.8, "contradiction": 0.2}
# Which of two is where can't be told by their names: asked about in both orders, before others.
SIDES = ("left", "right", "behind", "in front of")


@dataclass(frozen=True)
class Pair:
    """Two things and the readings of their relation; `scene` is None where nobody knows.

    `third` is a relation of the subject to another part, to tell it from others; `orientation` how
    the text says that the subject lies.
    """

    subject: Thing
    object: Thing
    text: list[str]
    image: list[str]
    scene: list[str] | None
    third: tuple[str, Thing] | None = None
    orientation: str | None = None
    both_orders: bool = False


class Gold(NamedTuple):
    """What holds, from where, and whether the two readings that there are agree."""

    relations: list[str]
    source: str  # a key of CONFIDENCE
    agree: bool | None
    frame: str


def gold_of(text: Sequence[str], image: Sequence[str], scene: Sequence[str] | None) -> Gold:
    """The relations that count, by the rule above; empty where no reading says anything."""
    readings = [set(one) for one in (text, image, scene or ()) if one]
    agree = all(a & b for a in readings for b in readings) if len(readings) > 1 else None
    if scene is not None:
        return Gold(by_information(list(scene)), "scene", agree, "builder")
    if text and any(OPPOSITE.get(name) in image for name in text):
        return Gold(by_information(list(text)), "contradiction", False, "builder")
    if text:
        return Gold(by_information(list(text)), "agree" if agree else "text", agree, "builder")
    return Gold(by_information(list(image)), "image", agree, "image")


def pairs_of_step(context: Context, row: ManualRow, regions: StepRegions) -> list[Pair]:
    """The pairs of a step, found once. An anchor that is named and not found is recorded, never
    guessed."""
    number = row.instruction.instruction_id
    if number not in context.pairs:
        context.pairs[number] = _pairs(context, row, regions)
    found: list[Pair] = context.pairs[number]
    return found


def _pairs(context: Context, row: ManualRow, regions: StepRegions) -> list[Pair]:
    placings = _placings(row, regions)
    pairs: list[Pair] = []
    for new, placing in zip(regions.new, placings, strict=True):
        subject = things.part(new)
        anchor = _anchor(context, row, regions, new, placing)
        relation = [placing.relation] if placing.relation else []
        if anchor is not None:
            text = relation if placing.anchor is not None or anchor.is_part is False else []
            pairs.append(_pair(context, row, subject, anchor, text, placing))
        if regions.assembly is not None and (placing.sides or regions.source == "exact"):
            middle = things.middle(regions.assembly)
            pairs.append(_pair(context, row, subject, middle, list(placing.sides), placing))
    named = [pair for pair in pairs if pair.subject.bare != pair.object.bare]
    neighbours = _neighbours(context, row, regions)
    return [_with_third(pair, neighbours) for pair in named] + neighbours


def _placings(row: ManualRow, regions: StepRegions) -> list[Placing]:
    """What is said of each kind of new parts: a line a kind, or all lines of the only one."""
    lines, themes = row.instruction.text, _themes_by_line(row)
    read = [read_placing(line, own) for line, own in zip(lines, themes, strict=True)]
    if len(read) == len(regions.new):
        return read
    naming = [said for said, own in zip(read, themes, strict=True) if own]
    if len(naming) == len(regions.new):  # without "Turn the model around."
        return naming
    nothing = Placing(None, None, ())
    if len(regions.new) == 1 and read:
        first = next((one for one in read if one.relation), read[0])
        return [first]
    return [
        next((said for line, said in zip(lines, read, strict=True)
              if new.label.lower() in line.lower()), nothing)
        for new in regions.new
    ]  # fmt: skip


def _themes_by_line(row: ManualRow) -> list[list[str]]:
    """The names of the parts that each line puts; what another line puts may be its anchor."""
    found: list[list[str]] = []
    for entity in row.instruction.entities:
        if "this_line" in entity:
            found.append([])
        elif "theme" in entity:
            found = found or [[]]
            found[-1].append(entity["theme"])
    if len(found) == len(row.instruction.text):
        return found
    return [[name for own in found for name in own] for _ in row.instruction.text]


def _anchor(
    context: Context, row: ManualRow, regions: StepRegions, new: Region, placing: Placing
) -> Thing | None:
    """What the text puts the parts to; what stands there where it names nothing."""
    size_wh = new.size_wh
    if placing.anchor == TABLE:
        return things.table(size_wh)
    if placing.anchor is None and regions.assembly is None:
        return things.table(size_wh) if row.step_before is None else None
    if placing.anchor is None:
        return things.model(_rest(regions, new))
    others = [one for one in (*regions.earlier, *regions.new) if one is not new]
    found = [one for one in others if things.is_called(one, placing.anchor)]
    if len(found) == 1 and found[0].count == 1:
        return things.part(found[0])
    reason = "anchor_not_found" if not found else "anchor_not_unique"
    context.drop("spatial", row.instruction, reason, placing.anchor)
    return None


def _rest(regions: StepRegions, new: Region) -> Region:
    """All that is in the picture but these parts: others may be put down in the same step."""
    others = [one for one in (regions.assembly, *regions.new) if one is not None and one is not new]
    mask = np.logical_or.reduce([one.mask for one in others])
    found = region(mask, ("", ""), 1, (), [i for one in others for i in one.part_ids])
    return found if found is not None else others[0]


def _pair(
    context: Context,
    row: ManualRow,
    subject: Thing,
    other: Thing,
    text: list[str],
    placing: Placing | None = None,
    both_orders: bool = False,
) -> Pair:
    orientation = _orientation(row, subject) if placing else None
    return Pair(
        subject, other, text, _image(subject, other), _scene(context, row, subject, other),
        None, orientation, both_orders,
    )  # fmt: skip


def _orientation(row: ManualRow, subject: Thing) -> str | None:
    """How the step's own words say that the parts lie, where one kind alone is put."""
    said = [w for w in ("horizontally", "vertically", "upright")
            if any(f" {w}" in line for line in row.instruction.text)]  # fmt: skip
    return said[0] if len(said) == 1 and len(row.instruction.text) == 1 else None


def _image(subject: Thing, other: Thing) -> list[str]:
    if other.name == MIDDLE:
        return plane.place_in_plane(subject.box_px, other.box_px)
    if other.region is None:  # everything is on the table, as far as a picture can show
        return []
    return plane.relations_in_plane(subject.box_px, other.box_px, subject.mask, other.mask)


def _scene(context: Context, row: ManualRow, subject: Thing, other: Thing) -> list[str] | None:
    """What holds in space; None without a scene."""
    drawn = exact_scene(context, row)
    if drawn is None or context.scene is None or subject.region is None:
        return None
    parts, camera = context.scene.parts, drawn[1].camera
    one = space.as_seen(space.boxes_of(parts[i] for i in subject.region.part_ids), camera)
    if other.region is None:
        before = parts_before(context, drawn[0])
        floor = min(box[2] for box in (*(p.box_mm for p in before), *one.tolist()))
        return ["on"] if (abs(one[:, 2] - floor) <= space.NEAR_MM).all() else ["above"]
    if other.is_part:
        some, others = ([parts[i] for i in r.part_ids] for r in (subject.region, other.region))
        return space.relations_of(some, others, camera)
    two = space.as_seen(space.boxes_of(parts[i] for i in other.region.part_ids), camera)
    if other.name == MIDDLE:
        return space.place_within(one, two)
    found = space.relations_between(one, two)
    # Among parts that stand around it somewhere nobody would say that it is in the model.
    loose = len(found) > 1
    return [name for name in found if name != "in" or not loose]


def _neighbours(context: Context, row: ManualRow, regions: StepRegions) -> list[Pair]:
    """One pair of parts beside each other, asked about in both orders: whoever sees only the names
    can't tell which side is meant. New parts of the step first, else a new one and an earlier."""
    new = [one for one in regions.new if one.count == 1]
    known = regions.source == "exact"
    earlier = [one for one in regions.earlier if one.count == 1] if known else []
    rng = context.rng("spatial", row.instruction)
    choices = [(a, b) for i, a in enumerate(new) for b in new[i + 1 :]]
    rng.shuffle(choices)
    more = [(a, b) for a in new for b in earlier]
    rng.shuffle(more)
    beside: list[list[Pair]] = []
    for one, other in choices + more:
        first, second = things.part(one), things.part(other)
        if first.bare == second.bare:
            continue
        pairs = [
            _pair(context, row, first, second, [], both_orders=True),
            _pair(context, row, second, first, [], both_orders=True),
        ]
        golds = [gold_of(p.text, p.image, p.scene).relations for p in pairs]
        if all(golds) and OPPOSITE.get(golds[0][0]) == golds[1][0]:
            if golds[0][0] in SIDES:
                return pairs
            beside.append(pairs)
    return beside[0] if beside else []


def _with_third(pair: Pair, neighbours: Sequence[Pair]) -> Pair:
    """A pair with what its subject stands to besides, where that is known."""
    for other in neighbours:
        relation = gold_of(other.text, other.image, other.scene).relations[0]
        same = other.subject.bare == pair.subject.bare
        if same and other.object.bare != pair.object.bare and other.scene is not None:
            return replace(pair, third=(relation, other.object))
    return pair
