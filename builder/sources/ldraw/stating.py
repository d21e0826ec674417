"""What a manual says at a step, as lines and as facts, and whether it is true of what was built."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from builder.sources.drawn.lines import Line
from builder.sources.ldraw import anchoring, text
from builder.sources.ldraw.facts import Facts, read_facts, wrong_offsets
from builder.sources.ldraw.solids import Body, Ground

Kind = tuple[str, str]


@dataclass(frozen=True)
class Style:
    """How the sentences of a step are worded; those of its alternatives are worded the same."""

    find_verb: str
    pronoun: bool
    coloured: bool
    attach: bool
    roll: float  # how soon a part is told by what it is beside


@dataclass(frozen=True, eq=False)
class Said:
    """The lines of a step and what they state of its groups, in order. `detail` are the kinds whose
    places are said in studs."""

    groups: list[list[Body]]
    find_lines: list[Line]
    put_lines: list[Line]
    facts: list[Facts]
    detail: frozenset[Kind]


def a_style(rng: random.Random) -> Style:
    """A way to word a step."""
    return Style(
        rng.choice(["Find", "Find", "Collect"]),
        rng.random() < 0.6,
        rng.random() < 0.3,
        rng.random() < 0.15,
        rng.random(),
    )


def grouped(bodies: Sequence[Body]) -> list[list[Body]]:
    """Bodies of a step by kind, in the order in which the step has them."""
    groups: dict[Kind, list[Body]] = {}
    for body in bodies:
        groups.setdefault(body.unit.kind, []).append(body)
    return list(groups.values())


def say(
    style: Style, bodies: Sequence[Body], before: Ground, detail: frozenset[Kind] = frozenset()
) -> Said:
    """The lines for a step."""
    groups = grouped(bodies)
    units = [[body.unit for body in group] for group in groups]
    single = [group for group in units if not group[0].assembly]
    labels = Counter(group[0].kind[0] for group in units)
    lines, stated, seen = [], [], before
    for group, own in zip(groups, units, strict=True):
        read = read_facts(group, seen, own[0].kind in detail)
        facts = anchoring.anchored(style.roll, read, group, seen)
        attach = style.attach or read.get("relation") not in ("on", "table")
        attach = attach and facts.get("relation") != "in"  # one does not "attach into"
        named = style.coloured or labels[own[0].kind[0]] > 1
        pronoun = style.pronoun and len(groups) == 1
        lines.append(text.put_line(own, facts, pronoun, named, attach))
        stated.append(facts)
        seen = seen.with_solids([solid for body in group for solid in body.solids])
    find = text.find_lines(style.find_verb, single) if single else []
    return Said(groups, find, lines, stated, detail)


def false_facts(
    said: Said, bodies: Sequence[Body], before: Ground, one_will_do: bool = False
) -> list[str]:
    """Which facts of what is said do not hold of a step that was built: their names, each once.

    "part", "color" and "count" are what was to be found. With `one_will_do` the first group of
    which something is false ends it.
    """
    wanted: Mapping[Kind, int] = {g[0].unit.kind: len(g) for g in said.groups}
    there = {group[0].unit.kind: group for group in grouped(bodies)}
    labels = {label for label, _ in wanted}
    wrong: dict[str, None] = {}
    for label, colour in there:
        if (label, colour) not in wanted:
            wrong["color" if label in labels else "part"] = None
    seen, in_order = before, list(there.values())
    for index, (group, facts) in enumerate(zip(said.groups, said.facts, strict=True)):
        kind = group[0].unit.kind
        if kind not in there:
            if not any(label == kind[0] and (label, c) not in wanted for label, c in there):
                wrong["part"] = None
            instead = in_order[index] if index < len(in_order) else []
            if instead and instead[0].unit.kind not in wanted:  # is there in its place
                seen = seen.with_solids([solid for body in instead for solid in body.solids])
            continue
        if len(there[kind]) != len(group):
            wrong["count"] = None
        read = read_facts(there[kind], seen, kind in said.detail)
        if "anchor" in facts:
            read = {**read, "anchor": facts["anchor"]}
            if anchoring.holds(facts, there[kind], seen):
                read["relation"] = facts["relation"]
            elif read.get("relation") == facts["relation"]:  # "under" is one to a support as well
                del read["relation"]
        wrong |= dict.fromkeys(
            name
            for name, value in facts.items()
            if read.get(name) != value and not name.startswith(("from_", "edge_of"))
        )
        wrong |= dict.fromkeys(wrong_offsets(facts, there[kind], seen))
        if wrong and one_will_do:
            break
        seen = seen.with_solids([solid for body in there[kind] for solid in body.solids])
    return list(wrong)
