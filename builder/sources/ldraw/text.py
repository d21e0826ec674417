"""The words of a manual that is drawn from a model: lines to find parts and to put them.

They say facts only, in the words that the real manuals use.
"""

from collections.abc import Sequence

from builder.sources.drawn.lines import Line
from builder.sources.drawn.standing import WORDS
from builder.sources.drawn.words import LAYOUTS, NUMBERS, PLACES, studs_words
from builder.sources.ldraw.facts import Facts
from builder.sources.ldraw.pieces import Unit


def find_lines(verb: str, groups: Sequence[Sequence[Unit]]) -> list[Line]:
    """The lines of an object-finding row: one kind in one line, else a line a kind."""
    if len(groups) == 1:
        return [[("verb", verb), *_count_tokens(groups[0]), ("suffix", ".")]]
    total = sum(map(len, groups))
    head: Line = [("verb", "Collect"), ("", "the following"), ("det", str(total))]
    lines: list[Line] = [[*head, ("", "pieces"), ("suffix", ":")]]
    for i, group in enumerate(groups):
        mark = "." if i == len(groups) - 1 else ","
        lines.append([*_count_tokens(group), ("suffix", mark)])
    return lines


def _count_tokens(group: Sequence[Unit]) -> Line:
    n, piece = len(group), group[0].pieces[0]
    words: Line = [("colorinfo", piece.colour.name), ("theme", piece.name.label(n))]
    return [("det", str(n)), *words]


def put_line(
    group: Sequence[Unit], facts: Facts, pronoun: bool, coloured: bool, attach: bool
) -> Line:
    """The line that puts equal units; `pronoun` where it is clear what "it" is."""
    n = len(group)
    relation = facts.get("relation")
    verb = "Attach" if attach and relation != "table" else "Put"
    line: Line = [("verb", verb)]
    if pronoun and not group[0].assembly:
        line.append(("det", "it" if n == 1 else "them"))
    else:
        line.append(("det", "the" if n == 1 else f"the {n}"))
        line += _named(group, coloured)
    if facts.get("orientation"):
        line.append(("", str(facts["orientation"])))
    line += _relation_tokens(facts)
    for clause in _clauses(facts, n):
        line += [("suffix", ","), ("", clause)]
    return [*line, ("suffix", ".")]


def _named(group: Sequence[Unit], coloured: bool) -> Line:
    unit, n = group[0], len(group)
    if unit.assembly:
        return [("theme", unit.assembly if n == 1 else f"copies of the {unit.assembly}")]
    piece = unit.pieces[0]
    colour: Line = [("colorinfo", piece.colour.name)] if coloured else []
    return [*colour, ("theme", piece.name.label(n))]


def _relation_tokens(facts: Facts) -> Line:
    relation, support = facts.get("relation"), facts.get("support")
    if "anchor" in facts:
        return [("", WORDS[str(relation)]), ("target", f"the {facts['anchor']}")]
    if relation == "table":
        return [("", "on"), ("target", "the table")]
    if relation == "on":
        return [("", "on top of"), ("target", f"the {support}")] if support else [("", "on top")]
    if relation == "under":
        where: Line = [("", "underneath"), ("target", f"the {support}")]
        return where if support else [("", "from below")]
    if relation == "to":
        return [("", "to"), ("target", f"the {support}")]
    return []


def _clauses(facts: Facts, n: int) -> list[str]:
    s = "s" if n > 1 else ""
    clauses = [
        LAYOUTS.get(str(facts.get("layout"))),
        PLACES.get((facts.get("x"), facts.get("depth"))),
        _from_edges(facts),
        f"slope{s} {_way(facts['slope'])}" if "slope" in facts else None,
        f"studs {_way(facts['facing'])}" if "facing" in facts else None,
        f"studs on the side to the {facts['side_studs']}" if "side_studs" in facts else None,
        f"{'their fronts' if s else 'its front'} to the {facts['front']}"
        if "front" in facts
        else None,
        f"the side without studs to the {facts['bare']}" if "bare" in facts else None,
    ]
    return [clause for clause in clauses if clause]


def _way(facing: str | int) -> str:
    return str(facing) if facing in ("down", "outward", "inward") else f"to the {facing}"


def _from_edges(facts: Facts) -> str | None:
    """`two studs from its left edge and at its front edge`: "its" is what holds the part."""
    of = facts.get("edge_of")
    said = []
    for way in ("left", "right", "front", "back"):
        studs = facts.get(f"from_{way}")
        if studs is not None:
            edge = f"the {way} edge" if of else f"its {way} edge"
            where = f"beyond {edge}" if str(studs).startswith("-") else f"from {edge}"
            said.append(f"{_apart(studs)} {where}" if studs != 0 else f"at {edge}")
    if not said:
        return None
    gap = facts.get("gap")
    first = f"{studs_words(int(gap))} between them, " if gap else ""
    return f"{first}{' and '.join(said)}{f' of the {of}' if of else ''}"


def _apart(studs: str | int) -> str:
    if isinstance(studs, int):
        return studs_words(abs(studs))
    whole = studs.removeprefix("-").removesuffix("½")
    return f"{NUMBERS[int(whole)]} and a half studs" if whole else "half a stud"
