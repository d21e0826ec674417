"""A pair of things of a step as a mask: both together."""

import random

from tasks.context import Context
from tasks.mask import instructions
from tasks.mask.instructions import Refused, Variant
from tasks.mask.targets import Target, joined
from tasks.regions import EXACT, Region, StepRegions, exact_scene, parts_before
from tasks.sessions import ManualRow
from tasks.spatial import space
from tasks.spatial.pairs import CONFIDENCE, Pair, gold_of, pairs_of_step
from tasks.spatial.wording import short_lines

Made = tuple[Target, list[Region], list[Variant], list[Refused]]


def of_step(
    context: Context, row: ManualRow, known: tuple[StepRegions, StepRegions], rng: random.Random
) -> Made | None:
    """The first pair of a step whose second thing is a part and whose relation is known; None where
    there is none (`spatial` tells why). `known` are the step's regions as pairs are made of them,
    and the same with the pixels that masks have."""
    flat, regions = known
    # The new parts of both, in one order.
    chosen = {id(old): new for old, new in zip(flat.new, regions.new, strict=True)}
    for pair in pairs_of_step(context, row, flat):
        gold = gold_of(pair.text, pair.image, pair.scene)
        if pair.both_orders or not pair.object.is_part or not gold.relations:
            continue
        if gold.source == "contradiction":
            continue
        one, other = (chosen.get(id(r), r) for r in (pair.subject.region, pair.object.region))
        if one is None or other is None:
            continue
        target = joined(regions, [one, other])
        line = short_lines(pair.subject, gold.relations[0], pair.object, rng, 1)[0]
        names = [f"{one.color} {one.label}".strip() for one in (*regions.new, *regions.earlier)]
        told = [names.count(thing.name) == 1 for thing in (pair.subject, pair.object)]
        unique = all(told), told[1] and _relation_unique(context, row, pair, gold.relations)
        variants, refused = instructions.of_pair(
            pair.subject, pair.object, gold.relations[0], line, unique, rng
        )
        sure = min(target.confidence, CONFIDENCE[gold.source])
        confidence = target.confidence if regions.source == EXACT else sure
        made = Target(target.mask, target.names, target.instances_px, target.found_by, confidence)
        return made, [one, other], variants, refused
    return None


def _relation_unique(context: Context, row: ManualRow, pair: Pair, relations: list[str]) -> bool:
    """Whether nothing else stands to the second thing as the first does; not known without a
    scene."""
    drawn = exact_scene(context, row)
    one, other = pair.subject.region, pair.object.region
    if drawn is None or context.scene is None or one is None or other is None:
        return False
    step, picture = drawn
    taken = {*one.part_ids, *other.part_ids}
    new = [context.scene.parts[i] for i in step.new_ids]
    others = [p for p in (*parts_before(context, step), *new) if p.id not in taken]
    anchor = [context.scene.parts[i] for i in other.part_ids]
    return not any(
        relations[0] in space.relations_of([part], anchor, picture.camera) for part in others
    )
