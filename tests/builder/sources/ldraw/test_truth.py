"""What sentences and alternatives say, read off the scene again by code that knows nothing of the
code that wrote them: parts of the tiny library are boxes with known sides."""

import itertools
import re

import msgspec
import numpy as np
import pytest
from msgspec import structs
from scipy.spatial import Delaunay
from tiny_ldraw import HEAD, library, put, tower

from builder.sources.ldraw import alternatives
from builder.sources.ldraw.making import Wanted, make_manual
from builder.sources.ldraw.models import ModelFile
from core import scenes
from core.records import load
from tasks.spatial import space
from tasks.spatial.reading import read_placing

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
HANDS = "".join(  # a part that comes in hands
    f"{line}\n0 STEP\n"
    for line in (
        "\n".join(put("3020", x, 0, z, 15) for x in (-40, 40) for z in (-20, 20)),
        put("2450", -40, -8, 10, 1), put("3023", 80, -8, -10, 4), put("3005", 10, -24, 30, 15),
        put("3022", 40, -8, 0, 4), put("2450", -60, -16, 10, 1),
    )
)  # fmt: skip
ROW = "".join(  # the middle is where it is only as long as all that was built is there
    f"{line}\n0 STEP\n"
    for line in (
        "\n".join(put("3024", x, 0, 0, 15) for x in range(-50, 51, 20)),
        put("3023", 60, -8, 0, 15), put("3005", 10, -24, 0, 15),
    )
)  # fmt: skip
FRAMED = "".join(  # a brick in a frame; a plate in the corner of a bracket, and so in its box
    f"{line}\n0 STEP\n"
    for line in (
        "\n".join(put("3020", x, 0, z, 15) for x in (-40, 40) for z in (-20, 20)),
        put("1200", -40, -24, 0, 1), put("3003", -40, -24, 0, 4),
        put("1201", 40, -24, 0, 1), put("3024", 30, -16, -10, 0), put("3005", 10, -24, 30, 4),
    )
)  # fmt: skip
AROUND = "".join(  # the frame comes last
    f"{line}\n0 STEP\n"
    for line in (
        "\n".join(put("3020", x, 0, z, 15) for x in (-40, 40) for z in (-20, 20)),
        put("3022", -40, -8, 0, 4), put("1200", -40, -24, 0, 1),
    )
)  # fmt: skip
# Corners of parts in their own frame (mm), as the tiny library has them.
CORNERS = {
    "1200.dat": np.array(list(itertools.product((-16, 16), (0, 9.6), (-16, 16)))),
    "1201.dat": np.array([(x, y, z) for x in (-8, 8) for y, z in
                          ((9.6, -8), (6.4, -8), (0, 6.4), (0, 8), (9.6, 8))]),
}  # fmt: skip
MODELS = {
    "tower": tower(),
    "wide": f"0 Wide\n{HEAD}\n{WIDE}",
    "hands": f"0 Hands\n{HEAD}\n{HANDS}",
}


@pytest.fixture(scope="module", params=MODELS)
def scene(request, tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("truth"), MODELS[request.param], 7)


def drawn(folder, text, seed):
    path = folder / "101-1 - It.ldr"
    path.write_text(text)
    made = make_manual(
        Wanted(folder, ModelFile(path), "lego-101-it-readscr", "101 It",
               library(folder / "lib"), seed, None, False, False)
    )  # fmt: skip
    assert made.drops == []
    return load(folder / "site/lego-101-it-readscr/scene/scene.json", scenes.ManualScene)


def box(part):
    return np.array(part.box_mm)


def studs(part):
    """(n, 3) feet of a part's studs, from its box alone: every cell of its top has one."""
    if part.kind in ("54200.dat", "1200.dat"):
        return np.zeros((0, 3))
    if part.kind == "1201.dat":  # on the plate that it begins with
        foot = part.box_mm[2] + 3.2
        return np.array([(*xy, foot) for xy in cells(part)])
    if part.kind == "2450.dat":  # a wing has none where it is narrow, nor has its mirror image
        pose = np.array(part.pose_mm)
        return (
            np.array([(4, 0, -8), (-4, 0, -8), (4, 0, 0), (4, 0, 8)]) @ pose[:, :3].T + pose[:, 3]
        )
    return np.array([(*xy, part.box_mm[5]) for xy in cells(part)])


def cells(part):
    x0, y0, _, x1, y1, _ = part.box_mm
    xs, ys = np.arange(x0 + STUD / 2, x1, STUD), np.arange(y0 + STUD / 2, y1, STUD)
    return [(x, y) for x in xs for y in ys]


def hull_share(part, other):
    """How much of a part, of points all over its box, is within the convex hull of another: in the
    corner of a bracket a part sticks out of it, though not out of its box."""
    pose = np.array(other.pose_mm)
    hull = Delaunay(CORNERS[other.kind] @ pose[:, :3].T + pose[:, 3])
    x0, y0, z0, x1, y1, z1 = part.box_mm
    ends = [np.linspace(a + 0.01, b - 0.01, 5) for a, b in ((x0, x1), (y0, y1), (z0, z1))]
    return (hull.find_simplex(np.array(list(itertools.product(*ends)))) >= 0).mean()


def held_by(part, others):
    x0, y0, z0, x1, y1, _ = part.box_mm
    return [
        other for other in others
        for x, y, z in studs(other)
        if x0 < x < x1 and y0 < y < y1 and abs(z - z0) < 0.2
    ]  # fmt: skip


def meet(part, other):
    one, two = box(part), box(other)
    return bool((one[:3] <= two[3:] + 0.3).all() and (one[3:] >= two[:3] - 0.3).all())


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
            "to": all(sum(meet(part, other) for other in before) == 1 for part in group),
        }[value]
    if name == "support":
        holders = {p.id for part in group for p in held_by(part, before)}
        holders = holders or {p.id for part in group for p in before if meet(part, p)}
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
    if name == "bare":  # from the last stud to the edge it is farther on this side
        axis, end = {"left": (0, 0), "right": (0, 3), "front": (1, 0), "back": (1, 3)}[value]
        free = [[abs(b[axis + e] - s[:, axis]).min() for e in (0, 3)]
                for b, s in zip(own, map(studs, group), strict=True)]  # fmt: skip
        return all(gaps[end // 3] > gaps[1 - end // 3] + 1 for gaps in free)
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
        level = np.ptp(own[:, 2]) < 0.1
        return in_line and (touching and level) == (value in ("side_by_side", "behind"))
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
    if facts["relation"] == "in":
        return any(all(hull_share(part, other) == 1 for part in group) for other in named)
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
    stated, in_order = {(said.label, said.color) for said in says.groups}, list(groups)
    for label, color in groups:
        if (label, color) not in stated:
            wrong.add("color" if any(label == one for one, _ in stated) else "part")
    for index, said in enumerate(says.groups):
        group = groups.get((said.label, said.color))
        if group is None:
            wrong.add("color" if any(label == said.label for label, _ in groups) else "part")
            if index < len(in_order) and in_order[index] not in stated:
                seen += groups[in_order[index]]  # is there in its place
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


@pytest.mark.parametrize("scene", ["wide", "hands"], indirect=True)  # a tower has no beside
def test_texts_say_what_a_part_is_beside(scene):
    relations = {g.facts.get("relation") for s in scene.steps for g in s.says.groups}
    assert relations & {"left", "right", "behind", "in front of", "next"}


@pytest.mark.parametrize("scene", ["wide"], indirect=True)
def test_slopes_of_a_pair_fall_outward(scene):
    slopes = [g.facts["slope"] for s in scene.steps for g in s.says.groups if "slope" in g.facts]
    assert [slope for slope in slopes if slope in ("outward", "inward")] == ["outward"]


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


def test_the_other_hand_is_no_turned_part(tmp_path):
    """Wings lack a corner; on the right one it is where no turn of the left one brings it."""
    scene = drawn(tmp_path, MODELS["hands"], 7)
    (other,) = [a for s in scene.steps for a in s.alternatives if a.kind == "mirror"]
    (there,) = [scene.parts[i] for i in other.changed]
    (right,) = [scene.parts[i] for i in scene.steps[1].new_ids]
    assert (right.label, there.label, there.box_mm) == (
        "left wing 2x3", "right wing 2x3", right.box_mm,
    )  # fmt: skip
    assert other.correction == "Take the bright blue left wing 2x3, not the right one."
    assert other.exchanged == "Take the bright blue right wing 2x3, not the left one."
    plan = [np.array(p.pose_mm)[:2, :3] @ np.array(
        [(-20, 0, -30), (20, 0, -30), (-20, 0, -10), (0, 0, 30), (20, 0, 30)]).T
        for p in (right, there)]  # fmt: skip
    turns = [np.array([[c, -s], [s, c]]) for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    same = [sorted((t @ plan[0]).T.round().tolist()) == sorted(plan[1].T.round().tolist())
            for t in turns]  # fmt: skip
    assert not any(same)


def test_a_part_of_an_earlier_step_left_out(tmp_path, monkeypatch):
    """The brick is in the middle only as long as the plate that juts out is there."""
    order = {"order": alternatives.CHANGES["order"]}
    monkeypatch.setattr(alternatives, "CHANGES", order)
    scene = drawn(tmp_path, f"0 Row\n{HEAD}\n{ROW}", 7)
    before, step = [scene.parts[i] for s in scene.steps[:2] for i in s.new_ids], scene.steps[2]
    (other,) = step.alternatives
    shown = {one.part_id for one in other.picture.shown}
    there = [part for part in before if part.id in shown]
    (absent,) = [part for part in before if part.id not in shown]
    assert absent.label == "plate 1x2" and not other.changed
    assert (other.kind, other.false_facts) == ("order", ["x"])
    brick = groups_of(scene, step.says)
    assert wrong_facts(step.says, brick, before) == set() == wrong_facts(other.says, brick, there)
    assert wrong_facts(step.says, brick, there) == {"x"} == wrong_facts(other.says, brick, before)
    for part in [*there, *brick["brick 1x1", "white"]]:
        assert not held_by(part, [absent])
    assert (
        other.correction == "A step before this one is not finished: add the white plate 1x2 first."
    )
    assert other.exchanged.endswith("take the white plate 1x2 away.")


@pytest.fixture(scope="module")
def framed(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("framed"), f"0 Framed\n{HEAD}\n{FRAMED}", 7)


def test_what_a_frame_closes_in_is_in_it(framed):
    base, (ring,), (plug,), (angle,), (corner,), _ = [
        [framed.parts[i] for i in step.new_ids] for step in framed.steps
    ]
    assert plug.within == ring.id and hull_share(plug, ring) == 1
    inside = box(corner)[:3] >= box(angle)[:3] - 0.1, box(corner)[3:] <= box(angle)[3:] + 0.1
    assert np.all(inside) and hull_share(corner, angle) < 1  # in the bracket's box, not in it
    assert all(part.within is None for part in [*base, ring, angle, corner])
    (said,), (other,) = framed.steps[2].says.groups, framed.steps[4].says.groups
    assert (said.facts["relation"], said.facts["anchor"]) == ("in", "frame 4x4")
    assert not {"support", "x", "depth"} & set(said.facts) and other.facts["relation"] != "in"
    (line,) = map(scenes.plain, framed.steps[2].says.put_lines)
    assert re.match(r"Put (it|the (bright red )?brick 2x2) into the frame 4x4\.", line)
    read = read_placing(line, ["brick 2x2"])
    assert (read.relation, read.anchor) == ("in", "the frame 4x4")
    camera = framed.pictures[0].camera
    assert space.relations_of([plug], [ring], camera) == ["in"]
    assert space.relations_of([ring], [plug], camera) == []
    assert "in" not in space.relations_of([corner], [angle], camera)


def test_a_scene_written_without_it_is_read(framed):
    part = structs.asdict(framed.parts[0])
    del part["within"]
    assert msgspec.convert(part, scenes.PartInstance).within is None


def test_what_is_put_elsewhere_is_not_in_the_frame(tmp_path, monkeypatch):
    some = {kind: alternatives.CHANGES[kind] for kind in ("shift", "wrong_color")}
    monkeypatch.setattr(alternatives, "CHANGES", some)
    framed = drawn(tmp_path, f"0 Framed\n{HEAD}\n{FRAMED}", 7)
    for step, before, groups in situations(framed):
        assert wrong_facts(step.says, groups, before) == set(), step.step
    step, before, _ = list(situations(framed))[2]
    kinds = set()
    for other in step.alternatives:
        there = groups_of(framed, other.says)
        assert wrong_facts(other.says, there, before) == set(), other.kind
        wrong = wrong_facts(step.says, there, before)
        assert wrong and wrong <= set(other.false_facts), (other.kind, wrong)
        for part in [framed.parts[i] for g in other.says.groups for i in g.part_ids]:
            assert (part.within == before[-1].id) == (hull_share(part, before[-1]) == 1)
        assert (other.kind == "shift") == ("relation" in other.false_facts)
        kinds.add(other.kind)
    assert kinds == {"shift", "wrong_color"}


def test_a_frame_put_around_a_part_is_not_said_to_be_in_anything(tmp_path):
    scene = drawn(tmp_path, f"0 Around\n{HEAD}\n{AROUND}", 7)
    (plug,), (ring,) = [[scene.parts[i] for i in step.new_ids] for step in scene.steps[1:]]
    assert plug.within == ring.id and ring.within is None
    assert all(g.facts.get("relation") != "in" for s in scene.steps for g in s.says.groups)


def test_parts_in_frames_that_stand_askew(tmp_path):
    """The frame and its plug are turned by 30 degrees: the frame's own axes count."""
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    turn = f"{c:.6f} 0 {s:.6f} 0 1 0 {-s:.6f} 0 {c:.6f}"
    base = "\n".join(put("3020", x, 0, z, 15) for x in (-40, 40) for z in (-20, 20))
    steps = (base, put("1200", 0, -24, 0, 1, turn), put("3022", 0, -8, 0, 4, turn))
    scene = drawn(tmp_path, f"0 Askew\n{HEAD}\n" + "\n0 STEP\n".join(steps) + "\n0 STEP\n", 7)
    (ring,), (plug,) = [[scene.parts[i] for i in step.new_ids] for step in scene.steps[1:]]
    assert plug.within == ring.id
    assert scene.steps[2].says.groups[0].facts["anchor"] == "frame 4x4"


def test_places_are_told_where_the_scene_says_so(scene):
    """A part put on any other studs: where the words are said to tell the place, they are false."""
    tried = 0
    for step, before, groups in situations(scene):
        for key, group in groups.items():
            if not step.determines_place or not before or len(group) != 1 or len(groups) != 1:
                continue
            for dx, dy in itertools.product(range(-8, 9), repeat=2):
                for z in {b.box_mm[5] for b in before}:
                    there = moved(group[0], dx * STUD, dy * STUD, z - group[0].box_mm[2])
                    if (dx or dy) and could_stand(there, before):
                        tried += 1
                        assert wrong_facts(step.says, {key: [there]}, before), (step.step, dx, dy)
    assert tried > 10


def moved(part, dx, dy, dz):
    x0, y0, z0, x1, y1, z1 = part.box_mm
    pose = tuple((*row[:3], row[3] + d) for row, d in zip(part.pose_mm, (dx, dy, dz), strict=True))
    box_mm = (x0 + dx, y0 + dy, z0 + dz, x1 + dx, y1 + dy, z1 + dz)
    return structs.replace(part, box_mm=box_mm, pose_mm=pose)


def could_stand(part, before):
    """Whether studs are beneath half of a part, and nothing where it is or above it."""
    x0, y0, z0, x1, y1, _ = part.box_mm
    feet = {(x, y) for b in before for x, y, z in studs(b)
            if abs(z - z0) < 0.2 and x0 < x < x1 and y0 < y < y1}  # fmt: skip
    cells = round((x1 - x0) / STUD) * round((y1 - y0) / STUD)
    return len(feet) * 2 >= cells and not any(
        b.box_mm[5] > z0 + 0.3 and b.box_mm[0] < x1 - 0.3 and b.box_mm[3] > x0 + 0.3
        and b.box_mm[1] < y1 - 0.3 and b.box_mm[4] > y0 + 0.3
        for b in before
    )  # fmt: skip


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
