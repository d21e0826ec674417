"""What the demo says of its own pictures and of what else could have been built, read a second
time from poses and boxes alone."""

import collections
import hashlib
import itertools

import cv2
import numpy as np
import pytest

from builder.sources.demo import manuals as demo
from core import scenes
from core.errors import UserError

SEED = 42
# A manual whose first session is turned round; others that are not, with frames and bridges.
TURNED, PLAIN, *MORE = 4, 1, 0, 2


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """(folder of a manual's page, its scene) of two manuals."""
    root = tmp_path_factory.mktemp("scenes")
    folders = [
        root / "site" / demo.draw_manual(root, index, SEED) for index in (PLAIN, TURNED, *MORE)
    ]
    return [(folder, scenes.load_scene(folder)) for folder in folders]


@pytest.fixture(scope="module")
def steps(drawn):
    """(scene, step, picture, statement, kind) of every end of every step; kind "" is right."""
    found = []
    for _, scene in drawn:
        pictures = {picture.sha256: picture for picture in scene.pictures}
        for step in scene.steps:
            found.append((scene, step, pictures[step.step_sha256], step.says, ""))
            for one in step.alternatives:
                found.append((scene, step, one.picture, one.says, one.kind))
    return found


def test_every_picture_and_map_is_there_and_as_told(drawn):
    for folder, scene in drawn:
        site = {
            hashlib.sha256(path.read_bytes()).hexdigest(): path
            for path in folder.parent.glob("wp-content/**/*.png")
        }
        for picture in scene.pictures:
            assert picture.file is None and picture.sha256 in site
        every = [a.picture for step in scene.steps for a in step.alternatives]
        for picture in every:
            data = (folder / scenes.FOLDER / picture.file).read_bytes()
            assert hashlib.sha256(data).hexdigest() == picture.sha256
        for picture in [*scene.pictures, *every]:
            numbers = scenes.read_masks(folder, picture)
            assert numbers.shape == (720, 960) and numbers.max() <= len(picture.shown)
            for place, shown in enumerate(picture.shown, 1):
                rows, columns = np.nonzero(numbers == place)
                assert len(rows) == shown.visible_px
                box = (
                    (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                    if len(rows)
                    else None
                )
                assert shown.box_xyxy_px == box


def _projected(part, camera):
    """Box in pixels of a part's corners and, where it has any, its studs' rims."""
    x0, y0, z0, x1, y1, z1 = part.box_mm
    points = list(itertools.product((x0, x1), (y0, y1), (z0, z1)))
    if not part.kind.startswith(("flat tile", "roof tile")):
        angles = np.linspace(0, 2 * np.pi, 73)
        for x in np.arange(x0 + 4, x1, 8):
            for y in np.arange(y0 + 4, y1, 8):
                points += [(x + 2.4 * np.cos(a), y + 2.4 * np.sin(a), z1 + 1.7) for a in angles]
    if part.kind.startswith("round"):
        middle, radius = ((x0 + x1) / 2, (y0 + y1) / 2), (x1 - x0) / 2
        angles = np.linspace(0, 2 * np.pi, 361)
        points = [
            (middle[0] + radius * np.cos(a), middle[1] + radius * np.sin(a), z)
            for a in angles for z in (z0, z1)
        ] + points[8:]  # fmt: skip
    xy = np.array(points) @ np.array(camera.matrix_px_per_mm).T + camera.offset_px
    return np.array([*xy.min(0), *xy.max(0)])


def test_boxes_are_where_the_camera_puts_the_parts(drawn):
    checked = 0
    for _, scene in drawn:
        for picture in scene.pictures:
            for shown in picture.shown:
                part = scene.parts[shown.part_id]
                if shown.box_xyxy_px is None or part.kind.startswith("roof tile"):
                    continue
                out = np.array(shown.box_xyxy_px) - _projected(part, picture.camera)
                out *= (-1, -1, 1, 1)
                # Half of a drawn edge, 2 px wide with its rims, lies outside of what it goes along.
                assert (out <= 1 + 1).all(), (part, out)
                if part.step is None:  # in a find picture nothing hides anything
                    assert (out >= -1).all(), (part, out)
                    checked += 1
    assert checked > 20


def _cells(part):
    """Cells of the grid that a part takes up: (x, y) in studs, z in plates."""
    sizes = np.array([8, 8, 3.2] * 2)
    x0, y0, z0, x1, y1, z1 = np.rint(np.array(part.box_mm) / sizes).astype(int)
    cells = set(itertools.product(range(x0, x1), range(y0, y1), range(z0, z1)))
    if "frame" in part.kind:  # walls one stud thick
        cells -= {c for c in cells if x0 < c[0] < x1 - 1 and y0 < c[1] < y1 - 1}
    return cells


def test_nothing_meets_and_nothing_hovers(steps):
    for scene, step, picture, says, kind in steps:
        new = [i for group in says.groups for i in group.part_ids]
        shown = [one.part_id for one in picture.shown]
        taken = collections.Counter(c for i in shown for c in _cells(scene.parts[i]))
        assert max(taken.values()) == 1, (step.session, step.step, kind)
        for i in new:
            cells = _cells(scene.parts[i])
            low = min(z for _, _, z in cells)
            below = {(x, y, z - 1) for x, y, z in cells if z == low}
            assert low == 0 or below & taken.keys(), (step.session, step.step, kind)


def test_all_new_parts_can_be_seen(steps):
    for _, _, picture, says, _ in steps:
        seen = {one.part_id: one.visible_px for one in picture.shown}
        assert all(seen[i] > 100 for group in says.groups for i in group.part_ids)


# Facts, from boxes alone --------------------------------------------------------------------------


def _boxes(scene, ids, camera):
    """(n, 6) boxes as the reader has them before himself: x to his right, y away."""
    boxes = np.array([scene.parts[i].box_mm for i in ids]).reshape(-1, 6)
    if camera.matrix_px_per_mm[0][0] < 0:  # the model is turned round
        boxes = boxes * (-1, -1, 1, -1, -1, 1)
        boxes[:, [0, 3]], boxes[:, [1, 4]] = boxes[:, [3, 0]], boxes[:, [4, 1]]
    return np.rint(boxes / (8, 8, 3.2, 8, 8, 3.2)).astype(int)


def _half(low, high, all_low, all_high, names):
    if (low, high) == (all_low, all_high):
        return None
    twice = all_low + all_high
    if low + high == twice:
        return names[1]
    return names[0] if 2 * high <= twice else names[2] if 2 * low >= twice else None


def _level(boxes):
    return len(set(boxes[:, 2])) == 1


def _in_touch(starts, ends):
    """Whether each of several spans begins where the one before ends."""
    return bool((np.sort(starts)[1:] == np.sort(ends)[:-1]).all())


def _one_in_each_half(spans, low, high):
    (_, first_end), (second_start, _) = sorted(map(tuple, spans))[0], sorted(map(tuple, spans))[-1]
    return bool(len(spans) == 2 and 2 * first_end <= low + high <= 2 * second_start)


def _columns(box):
    return set(itertools.product(range(box[0], box[3]), range(box[1], box[4])))


def _stands_to(relation, box, other):
    """Whether a box stands so to another, as widely as the words can be meant."""
    gaps = [max(box[i] - other[i + 3], other[i] - box[i + 3]) for i in range(3)]
    return bool({
        "in": (other[:3] <= box[:3]).all() and (box[3:] <= other[3:]).all(),
        "under": box[5] <= other[2] and bool(_columns(box) & _columns(other)),
        "above": box[2] >= other[5] and bool(_columns(box) & _columns(other)),
        "left": box[3] <= other[0],
        "right": box[0] >= other[3],
        "in front of": box[4] <= other[1],
        "behind": box[1] >= other[4],
        "next": max(gaps[:2]) <= 1 and gaps[2] < 0,
    }[relation])  # fmt: skip


def _slopes(poses, mirrored):
    """Where roof tiles fall, by their poses: to -y of their own frames."""
    ways = {(0, -1): "front", (1, 0): "right", (0, 1): "back", (-1, 0): "left"}
    falls = [np.rint(np.array(pose)[:2, 1] * (1 if mirrored else -1)).astype(int) for pose in poses]
    return [ways[tuple(fall.tolist())] for fall in falls]


def _holds(name, value, own, before, labels_below):
    """Whether a stated fact holds of boxes `own` (n, 6) put on `before` (m, 6); None: not read."""
    whole = np.concatenate([before, own])
    low, high = whole[:, :3].min(0), whole[:, 3:].max(0)
    wide = own[:, 3:5] - own[:, :2]
    match name:
        case "count":
            return len(own) == value
        case "orientation":
            across = wide[:, 0] > wide[:, 1] if value == "horizontally" else wide[:, 0] < wide[:, 1]
            return bool(across.all())
        case "x":
            found = _half(own[:, 0].min(), own[:, 3].max(), low[0], high[0],
                          ("left", "middle", "right"))  # fmt: skip
            return found == value
        case "depth":
            found = _half(own[:, 1].min(), own[:, 4].max(), low[1], high[1],
                          ("front", "middle", "back"))  # fmt: skip
            return found == value
        case "free_left" | "free_front":
            axis = ("free_left", "free_front").index(name)
            return bool(own[:, axis].min() - before[:, axis].min() == value)
        case "relation":
            return bool((own[:, 2] == 0).all()) == (value == "table")
        case "support":
            return value in labels_below
        case "layout" if value == "corners":
            corners = {(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])}
            held = {(b[i], b[j]) for b in own for i in (0, 3) for j in (1, 4)}
            return len(own) == 4 and corners <= held
        case "layout" if value == "side_by_side":
            return _level(own) and len(set(own[:, 1])) == 1 and _in_touch(own[:, 0], own[:, 3])
        case "layout" if value == "behind":
            return _level(own) and len(set(own[:, 0])) == 1 and _in_touch(own[:, 1], own[:, 4])
        case "layout" if value == "left_right":
            return len(set(own[:, 1])) == 1 and _one_in_each_half(own[:, [0, 3]], low[0], high[0])
        case "layout" if value == "front_back":
            return len(set(own[:, 0])) == 1 and _one_in_each_half(own[:, [1, 4]], low[1], high[1])
    return None


def _called(name, scene, ids):
    return [
        i for i in ids
        if name in (scene.parts[i].label, f"{scene.parts[i].color} {scene.parts[i].label}")
    ]  # fmt: skip


def _false(says, scene, picture, new):
    """Facts of a statement that do not hold of the parts `new` in a picture."""
    before = [one.part_id for one in picture.shown if one.part_id not in new]
    wrong = []
    there = collections.Counter((scene.parts[i].label, scene.parts[i].color) for i in new)
    asked = {(group.label, group.color): len(group.part_ids) for group in says.groups}
    if set(there) != set(asked):
        wrong.append("part or colour")
    for group in says.groups:
        own_ids = [
            i for i in new
            if (scene.parts[i].label, scene.parts[i].color) == (group.label, group.color)
        ]  # fmt: skip
        if own_ids and "anchor" in group.facts:
            anchors = _boxes(scene, _called(group.facts["anchor"], scene, before), picture.camera)
            wrong += ["relation"] * (not any(
                all(_stands_to(group.facts["relation"], box, other)
                    for box in _boxes(scene, own_ids, picture.camera))
                for other in anchors
            ))  # fmt: skip
        if own_ids and "slope" in group.facts:
            parts = sorted((scene.parts[i] for i in own_ids), key=lambda part: part.box_mm[0])
            falls = _slopes([p.pose_mm for p in parts], picture.camera.matrix_px_per_mm[0][0] < 0)
            outward = set(falls) == {"left", "right"} and len(falls) == 2
            said = group.facts["slope"]
            wrong += ["slope"] * (not outward if said == "outward" else set(falls) != {said})
        if own_ids:
            own = _boxes(scene, own_ids, picture.camera)
            under = _boxes(scene, before, picture.camera)
            below = set.intersection(*(
                {
                    scene.parts[i].label
                    for i, box in zip(before, under, strict=True)
                    if box[5] == mine[2]
                    and (box[:2] < mine[3:5]).all() and (mine[:2] < box[3:5]).all()
                }
                for mine in own
            ))  # fmt: skip
            facts = {"count": len(group.part_ids), **group.facts}
            if "anchor" in facts:  # read above
                del facts["anchor"], facts["relation"]
            wrong += [
                name for name, value in facts.items()
                if _holds(name, value, own, under, below) is False
            ]  # fmt: skip
        before += own_ids
    return wrong


def test_what_is_said_is_true_of_its_picture(steps):
    for scene, step, picture, says, kind in steps:
        new = [i for group in says.groups for i in group.part_ids]
        assert _false(says, scene, picture, new) == [], (step.session, step.step, kind)


def test_what_is_said_of_one_end_is_false_of_the_other(steps):
    kinds = collections.Counter()
    for scene, step, picture, says, kind in steps:
        if not kind:
            right = picture
            continue
        new = [i for group in says.groups for i in group.part_ids]
        assert _false(step.says, scene, picture, new), (step.session, step.step, kind)
        assert _false(says, scene, right, step.new_ids), (step.session, step.step, kind)
        kinds[kind] += 1
    assert len(kinds) >= 6 and set(kinds) <= set(scenes.KINDS)


def test_what_parts_stand_to_is_one_part_near_by(steps):
    """Who is named is named alone, is not new itself and is near; sides are said on one height."""
    met = collections.Counter()
    for scene, step, picture, says, kind in steps:
        before = [
            one.part_id for one in picture.shown
            if not any(one.part_id in group.part_ids for group in says.groups)
        ]  # fmt: skip
        for group in says.groups:
            if "anchor" in group.facts:
                relation = group.facts["relation"]
                named = _called(group.facts["anchor"], scene, before)
                assert len(named) == 1 and named[0] not in group.part_ids, (step.step, kind)
                own = [_cells(scene.parts[i]) for i in group.part_ids]
                other = _cells(scene.parts[named[0]])
                flat = {(x, y) for x, y, _ in other}
                if relation == "in":
                    for x, y, z in set.union(*own):
                        assert (x, y, z) not in other
                        assert {(1, 0), (-1, 0), (0, 1), (0, -1)} == {
                            way for way in ((1, 0), (-1, 0), (0, 1), (0, -1)) for n in range(1, 8)
                            if (x + n * way[0], y + n * way[1], z) in other
                        }  # fmt: skip
                elif relation in ("under", "above"):
                    (cells,) = own
                    assert flat & {(x, y) for x, y, _ in cells}
                    gap = min(abs(a[2] - b[2]) for a in cells for b in other if a[:2] == b[:2])
                    assert 1 <= gap <= 4
                else:
                    cells = set.union(*own)
                    assert {z for _, _, z in cells} & {z for _, _, z in other}
                    line = [abs(a[0] - b[0]) + abs(a[1] - b[1]) - 1 for a in cells for b in other
                            if a[0] == b[0] or a[1] == b[1]]  # fmt: skip
                    assert min(line) <= (1 if relation == "next" else 3)
                met[relation] += 1
            before += group.part_ids
    assert len(met) >= 7 and sum(met.values()) > 40, met


def test_places_are_told_from_all_others_where_words_can(drawn):
    told = [step.determines_place for _, scene in drawn for step in scene.steps if step.step]
    assert sum(told) >= 0.6 * len(told) > 12  # 0.8 over twelve manuals


def test_pictures_differ_only_where_parts_do(drawn):
    for folder, scene in drawn:
        site = {hashlib.sha256(p.read_bytes()).hexdigest(): p
                for p in folder.parent.glob("wp-content/**/*.png")}  # fmt: skip
        pictures = {picture.sha256: picture for picture in scene.pictures}
        for step in scene.steps:
            right = cv2.imread(str(site[step.step_sha256]))
            new = np.isin(
                scenes.read_masks(folder, pictures[step.step_sha256]),
                [i for i, one in enumerate(pictures[step.step_sha256].shown, 1)
                 if one.part_id in step.new_ids],
            )  # fmt: skip
            for one in step.alternatives:
                other = cv2.imread(str(folder / scenes.FOLDER / one.picture.file))
                own = [i for group in one.says.groups for i in group.part_ids]
                places = [i for i, s in enumerate(one.picture.shown, 1) if s.part_id in own]
                mine = np.isin(scenes.read_masks(folder, one.picture), places)
                near = cv2.dilate((new | mine).astype(np.uint8), np.ones((13, 13), np.uint8))
                assert not (right != other).any(-1)[near == 0].any()


def test_words_of_corrections(drawn):
    sentences = [
        (one.kind, text)
        for _, scene in drawn for step in scene.steps for one in step.alternatives
        for text in (one.correction, one.exchanged)
    ]  # fmt: skip
    starts = {
        "shift": ("Move ",), "rotate": ("Turn ",), "wrong_color": ("The colour is wrong: take ",),
        "wrong_part": ("Take ",), "order": ("That is not this step: take ",),
        "missing": ("One of the ", "Something is missing: add ", "There is one ", "The "),
        "extra": ("There is one ", "One of the "),
    }  # fmt: skip
    for kind, text in sentences:
        assert text.startswith(starts[kind]) and text.endswith("."), (kind, text)
        assert " 1 " not in text and "one studs" not in text and "ss " not in text, text


def test_the_same_bytes_again(tmp_path, drawn):
    demo.draw_manual(tmp_path, PLAIN, SEED)
    folder = drawn[0][0]
    again = tmp_path / "site" / folder.name
    files = sorted(path.name for path in (folder / scenes.FOLDER).iterdir())
    assert files == sorted(path.name for path in (again / scenes.FOLDER).iterdir())
    for name in files:
        assert (folder / scenes.FOLDER / name).read_bytes() == (
            again / scenes.FOLDER / name
        ).read_bytes()


def test_a_scene_that_leads_out_of_its_folder_is_refused(tmp_path, drawn):
    folder = drawn[0][0]
    text = (folder / scenes.FOLDER / scenes.FILE).read_text()
    target = tmp_path / scenes.FOLDER / scenes.FILE
    target.parent.mkdir()
    name = drawn[0][1].pictures[0].masks_file
    target.write_text(text.replace(name, f"../{name}"))
    with pytest.raises(UserError, match="is no plain file name"):
        scenes.load_scene(tmp_path)
