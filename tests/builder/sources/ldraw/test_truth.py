"""What sentences and alternatives say, read off the scene again by code that knows nothing of the
code that wrote them: parts of the tiny library are boxes with known sides."""

import itertools

import numpy as np
import pytest
from tiny_ldraw import HEAD, library, put, tower

from builder.sources.ldraw.making import Wanted, make_manual
from builder.sources.ldraw.models import ModelFile
from core import scenes
from core.records import load

STUD, STUD_HIGH = 8.0, 1.6  # mm
WIDE = "".join(  # a plate with room, then parts one by one
    f"{line}\n0 STEP\n"
    for line in (
        "\n".join(put("3020", x, 0, z, 15) for x in (-40, 40) for z in (-20, 20)),
        put("3001", -40, -24, -20, 1), put("3023", 30, -8, 10, 4), put("54200", -70, -40, -10, 4),
        "\n".join([put("3024", 70, -8, 30, 0), put("3024", 70, -8, -30, 0)]),
        put("3022", -40, -32, -20, 4), put("3005", 10, -24, -30, 1),
        "\n".join([put("54200", -10, -16, 10, 15, "0 0 1 0 1 0 -1 0 0"),
                   put("54200", 70, -16, 10, 15, "0 0 -1 0 1 0 1 0 0")]),
    )
)  # fmt: skip


@pytest.fixture(scope="module", params=[tower(), f"0 Wide\n{HEAD}\n{WIDE}"], ids=["tower", "wide"])
def scene(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    path = folder / "101-1 - It.ldr"
    path.write_text(request.param)
    made = make_manual(
        Wanted(folder, ModelFile(path), "lego-101-it-readscr", "101 It",
               library(folder / "lib"), 7, None, False, False)
    )  # fmt: skip
    assert made.drops == []
    return load(folder / "site/lego-101-it-readscr/scene/scene.json", scenes.ManualScene)


def box(part):
    return np.array(part.box_mm)


def studs(part):
    """(n, 3) feet of a part's studs, from its box alone: every cell of its top has one."""
    if part.kind == "54200.dat":
        return np.zeros((0, 3))
    x0, y0, _, x1, y1, z1 = part.box_mm
    xs, ys = np.arange(x0 + STUD / 2, x1, STUD), np.arange(y0 + STUD / 2, y1, STUD)
    return np.array([(x, y, z1) for x in xs for y in ys])


def held_by(part, others):
    x0, y0, z0, x1, y1, _ = part.box_mm
    return [
        other for other in others
        for x, y, z in studs(other)
        if x0 < x < x1 and y0 < y < y1 and abs(z - z0) < 0.2
    ]  # fmt: skip


def place(low, high, whole_low, whole_high):
    middle = (whole_low + whole_high) / 2
    if abs(low - whole_low) < 0.1 and abs(high - whole_high) < 0.1:
        return None
    if abs((low + high) / 2 - middle) < 0.1:
        return 1
    return 0 if high <= middle + 0.1 else 2 if low >= middle - 0.1 else None


def holds_true(name, value, group, before):
    """Whether a fact holds of parts that are put onto others."""
    every = np.array([box(part) for part in [*before, *group]])
    low, high = every[:, :3].min(0), every[:, 3:].max(0)
    own = np.array([box(part) for part in group])
    own_low, own_high = own[:, :3].min(0), own[:, 3:].max(0)
    if name == "relation":
        return {
            "table": all(abs(b[2] - low[2]) < 0.1 for b in own),
            "on": all(held_by(part, before) for part in group),
        }[value]
    if name == "support":
        holders = {p.id for part in group for p in held_by(part, before)}
        named = [p.id for p in before if value in (p.label, f"{p.color} {p.label}")]
        return named == list(holders)
    if name in ("x", "depth"):
        words = ("left", "middle", "right") if name == "x" else ("front", "middle", "back")
        axis = 0 if name == "x" else 1
        found = place(own_low[axis], own_high[axis], low[axis], high[axis])
        return found is not None and words[found] == value
    if name == "orientation":
        size = own[:, 3:5] - own[:, :2]
        return bool((size[:, 0] > size[:, 1]).all() if value == "horizontally"
                    else (size[:, 1] > size[:, 0]).all())  # fmt: skip
    if name == "slope":  # it falls to -z of its own frame
        ways = {"front": (0, -1), "back": (0, 1), "left": (-1, 0), "right": (1, 0)}
        falls = [np.array(p.pose_mm)[:2, :3] @ (0, 0, -1) for p in group]
        if value in ways:
            return all(np.allclose(fall, ways[value]) for fall in falls)
        middle = (own_low[:2] + own_high[:2]) / 2
        out = [fall @ ((b[:2] + b[3:5]) / 2 - middle) for fall, b in zip(falls, own, strict=True)]
        return min(out) > 0 if value == "outward" else max(out) < 0
    if name == "layout":
        apart = own[:, :2].max(0) - own[:, :2].min(0)
        if value in ("corners", "two_two"):
            left = [b for b in own if b[3] <= (low[0] + high[0]) / 2 + 0.1]
            right = [b for b in own if b[0] >= (low[0] + high[0]) / 2 - 0.1]
            return len(left) == len(right) == 2
        along = 0 if value in ("left_right", "side_by_side") else 1
        ends = sorted((b[along], b[along + 3]) for b in own.tolist())
        touching = all(abs(a[1] - b[0]) < 0.1 for a, b in itertools.pairwise(ends))
        in_line = apart[1 - along] < 0.1 < apart[along]
        return in_line and touching == (value in ("side_by_side", "behind"))
    if name == "gap":
        if len(group) != 2:
            return False
        one, other = sorted(own.tolist(), key=lambda b: (b[0], b[1]))
        return bool(max(other[0] - one[3], other[1] - one[4]) / STUD == value)
    if name.startswith("from_"):
        return None  # with what it is measured from, below
    assert name == "edge_of"
    return None


def stands_so(facts, group, before):
    """Whether parts stand to the part named as the words say, as widely as they can be meant."""
    named = [p for p in before if facts["anchor"] in (p.label, f"{p.color} {p.label}")]
    own = np.array([box(part) for part in group])
    one = np.concatenate([own[:, :3].min(0), own[:, 3:].max(0)])
    found = []
    for other in map(box, named):
        apart = np.maximum(one[:3] - other[3:], other[:3] - one[3:])
        shares = apart[:2].max() < -0.1
        found.append({
            "left": one[3] <= other[0] + 0.2, "right": one[0] >= other[3] - 0.2,
            "in front of": one[4] <= other[1] + 0.2, "behind": one[1] >= other[4] - 0.2,
            "next": apart[:2].max() <= STUD + 0.2 and apart[2] < -0.05,
            "under": shares and one[5] <= other[2] + 0.2,
            "above": shares and one[2] >= other[5] - 0.2,
        }[facts["relation"]])  # fmt: skip
    return any(found)


def measured(facts, group, before):
    """The facts that say studs from an edge, read again; those that are wrong."""
    own = np.array([box(part) for part in group])
    label = facts.get("edge_of", facts.get("support"))
    edge = [p for p in before if label in ("model", p.label, f"{p.color} {p.label}")]
    if not edge:
        return [name for name in facts if name.startswith("from_")]
    ref = np.array([box(part) for part in edge])
    found = {
        "from_left": own[:, 0].min() - ref[:, 0].min(),
        "from_right": ref[:, 3].max() - own[:, 3].max(),
        "from_front": own[:, 1].min() - ref[:, 1].min(),
        "from_back": ref[:, 4].max() - own[:, 4].max(),
    }
    return [
        name for name, value in facts.items()
        if name in found and abs(found[name] / STUD - float(str(value).replace("½", ".5"))) > 0.03
    ]  # fmt: skip


def wrong_facts(says, groups, before):
    """Facts of a statement that do not hold of groups by (label, colour)."""
    wrong, seen = set(), list(before)
    for said in says.groups:
        group = groups.get((said.label, said.color))
        if group is None:
            wrong.add("color" if any(label == said.label for label, _ in groups) else "part")
            continue
        if len(group) != len(said.part_ids):
            wrong.add("count")
        facts = dict(said.facts)
        if "anchor" in facts:
            wrong |= set() if stands_so(facts, group, seen) else {"relation"}
            del facts["anchor"], facts["relation"]
        for name, value in facts.items():
            found = holds_true(name, value, group, seen)
            if found is not None and not found:
                wrong.add(name)
        wrong |= set(measured(said.facts, group, seen))
        seen += group
    return wrong


def situations(scene):
    """(step, parts before, own groups) for every step."""
    before = []
    for step in scene.steps:
        yield step, list(before), groups_of(scene, step.says)
        before += [scene.parts[i] for i in step.new_ids]


def groups_of(scene, says):
    return {(g.label, g.color): [scene.parts[i] for i in g.part_ids] for g in says.groups}


def test_every_stated_fact_holds(scene):
    stated = 0
    for step, before, groups in situations(scene):
        assert wrong_facts(step.says, groups, before) == set(), step.step
        stated += sum(len(group.facts) for group in step.says.groups)
    assert stated >= 10


def test_who_is_named_is_one_part_near_by(scene):
    for step, before, groups in situations(scene):
        seen = list(before)
        for said in step.says.groups:
            if "anchor" in said.facts:
                named = [p for p in seen
                         if said.facts["anchor"] in (p.label, f"{p.color} {p.label}")]  # fmt: skip
                (one,), (other,) = groups[said.label, said.color], named
                gaps = np.maximum(box(one)[:3] - box(other)[3:], box(other)[:3] - box(one)[3:])
                assert gaps[:2].max() <= 3 * STUD + 0.2 and gaps[2] <= 3 * 3.2 + 0.2
            seen += groups[said.label, said.color]


def test_texts_say_what_a_part_is_beside(scene):
    relations = {g.facts.get("relation") for s in scene.steps for g in s.says.groups}
    assert len(scene.steps) == 5 or relations & {"left", "right", "behind", "in front of", "next"}


def test_slopes_of_a_pair_fall_outward(scene):
    slopes = [g.facts["slope"] for s in scene.steps for g in s.says.groups if "slope" in g.facts]
    pair = [slope for slope in slopes if slope in ("outward", "inward")]
    assert (slopes and len(scene.steps) == 5) or pair == ["outward"]


def test_alternatives_are_false_of_the_right_sentence_and_true_of_their_own(scene):
    kinds = set()
    for step, before, groups in situations(scene):
        for other in step.alternatives:
            there = groups_of(scene, other.says)
            assert wrong_facts(other.says, there, before) == set(), (step.step, other.kind)
            wrong = wrong_facts(step.says, there, before)
            assert wrong, (step.step, other.kind)
            assert wrong_facts(other.says, groups, before), (step.step, other.kind)
            assert wrong <= set(other.false_facts), (step.step, other.kind, wrong)
            kinds.add(other.kind)
    assert kinds >= {"shift", "wrong_color"} and len(kinds) >= 4


def test_alternatives_could_be_built(scene):
    """Each part stands on a stud, and no point of one lies within another."""
    for step, before, _ in situations(scene):
        for other in step.alternatives:
            parts = [p for group in groups_of(scene, other.says).values() for p in group]
            for part in parts:
                beneath = [*before, *(p for p in parts if p is not part)]
                assert held_by(part, beneath), (step.step, other.kind, part.label)
                x0, y0, z0, x1, y1, z1 = part.box_mm
                grid = itertools.product(*(np.linspace(a + 0.4, b - 0.4, 9)
                                           for a, b in ((x0, x1), (y0, y1), (z0, z1))))  # fmt: skip
                points = np.array(list(grid))
                for solid in beneath:
                    low, high = box(solid)[:3], box(solid)[3:]
                    inside = ((points > low) & (points < high)).all(1)
                    assert not inside.any(), (step.step, other.kind, part.label, solid.label)


def test_corrections_say_how_far(scene):
    for step, _, groups in situations(scene):
        for other in step.alternatives:
            if other.kind != "shift":
                continue
            changed = [scene.parts[i] for i in other.changed]
            right = groups[changed[0].label, changed[0].color]
            away = [p for p in right if all(p.id != i for g in other.says.groups
                                            for i in g.part_ids)]  # fmt: skip
            dx, dy = np.rint((box(away[0]) - box(changed[0]))[:2] / STUD).astype(int)
            assert abs(other.distance_studs - np.hypot(dx, dy)) < 0.01
            for n, back, forth in ((dx, "left", "right"), (dy, "front", "back")):
                if n:
                    assert f"to the {forth if n > 0 else back}" in other.correction
                    assert f"to the {back if n > 0 else forth}" in other.exchanged
