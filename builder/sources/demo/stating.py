"""What a manual says at a step, as lines and as facts, and whether it is true of what was built."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from builder.sources.demo import text
from builder.sources.demo.brick_parts import Part
from builder.sources.demo.builds import Step
from builder.sources.demo.text import Facts, Line


@dataclass(frozen=True)
class Said:
    """The lines of a step, and what they state of its groups, in order."""

    step: Step
    find_lines: list[Line]
    put_lines: list[Line]
    facts: list[Facts]
    free: tuple[str, ...]


def say(
    rng_state: tuple[object, ...], step: Step, before: Sequence[Part], free: tuple[str, ...] = ()
) -> Said:
    """The lines for a step, worded by a generator in a given state: the same style for the step
    and for its alternatives. `free` are counts of free studs that are to be told.
    """
    rng = random.Random()
    rng.setstate(rng_state)
    find = text.find_lines(rng, step)
    put, facts = text.put_lines(rng, step, before, free)
    return Said(step, find, put, facts, free)


def false_facts(said: Said, step: Step, before: Sequence[Part]) -> list[str]:
    """Which facts of what is said do not hold of a step: names of facts, each once.

    "part" and "color" are what was to be found; a step with other groups is false by these.
    """
    wanted = {(group.kind, group.colour): len(group.parts) for group in said.step}
    there = {(group.kind, group.colour): group for group in step}
    wrong: dict[str, None] = {}
    kinds = {kind for kind, _ in wanted}
    for kind, colour in there:
        if kind not in kinds:
            wrong["part"] = None
        elif (kind, colour) not in wanted:
            wrong["color"] = None
    seen = list(before)
    for index, (group, facts) in enumerate(zip(said.step, said.facts, strict=True)):
        other = there.get((group.kind, group.colour))
        if other is None:
            if not any(found.kind == group.kind for found in step):
                wrong["part"] = None
            seen += step[index].parts if index < len(step) else ()  # what is there in its place
            continue
        for name in stated(facts):
            if not text.is_true(name, facts, other, seen):
                wrong[name] = None
        seen += other.parts
    return list(wrong)


def stated(facts: Facts) -> dict[str, str | int]:
    """The facts that a line states, by name."""
    return {k: v for k, v in vars(facts).items() if k != "first" and v is not None}
