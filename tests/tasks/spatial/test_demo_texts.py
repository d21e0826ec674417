"""What the demo's sentences say of where parts go, read by the lexicon, and whether it holds in
space: twelve manuals as they are planned, nothing of them drawn."""

import collections
import random

import numpy as np
import pytest

from builder.sources.demo import MANUALS, plan, text
from core.relations import RELATIONS
from core.scenes import PLATE_MM, STUD_MM, plain
from tasks.spatial import space
from tasks.spatial.reading import TABLE, read_placing

SIDE = {"left": "left", "right": "right", "front": "in front of", "back": "behind"}


@pytest.fixture(scope="module")
def told():
    """(line, names of its parts, facts, parts, parts before) of every line that puts something."""
    found = []
    for index in range(MANUALS):
        rng = random.Random(index)
        for session in plan.plan_manual(index, 42).sessions:
            before = []
            for step in session.steps:
                lines, facts = text.put_lines(rng, step, before)
                for line, said, group in zip(lines, facts, step, strict=True):
                    names = [words for tag, words in line if tag == "theme"]
                    found.append((plain(line), names, said, group.parts, list(before)))
                    before += group.parts
    return found


def test_every_relation_is_said_more_than_now_and_then(told):
    said = collections.Counter()
    for line, names, *_ in told:
        said[read_placing(line, names).relation] += 1
    assert set(said) - {None} == set(RELATIONS)
    assert all(said[name] >= 3 for name in RELATIONS), said


def test_what_is_read_is_what_is_meant(told):
    for line, names, facts, *_ in told:
        read = read_placing(line, names)
        relation = "on" if facts.relation == "table" else facts.relation
        anchor = facts.anchor or facts.support
        assert read.relation == relation, line
        meant = TABLE if facts.relation == "table" else anchor and f"the {anchor}"
        assert read.anchor == meant, line
        sides = {SIDE[place] for place in (facts.x, facts.depth) if place in SIDE}
        assert set(read.sides) == sides, line


def _boxes(parts):
    grid = np.array([box for part in parts for box in part.solid_boxes_xyz], float)
    return grid * np.array([STUD_MM, STUD_MM, PLATE_MM] * 2)


def test_what_is_said_holds_in_space(told):
    checked = collections.Counter()
    for line, _, facts, parts, before in told:
        name = facts.anchor or facts.support
        if name is None:
            continue
        (other,) = [p for p in before if name in (p.kind.label(), f"{p.colour} {p.kind.label()}")]
        found = space.relations_between(_boxes(parts), _boxes([other]))
        assert facts.relation in found, (line, found)
        checked[facts.relation] += 1
    assert len(checked) == len(RELATIONS)
