"""The demo source: same bytes always, truth equal to the pictures, texts equal to the geometry."""

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from manual_pages import check_page
from selectolax.lexbor import LexborHTMLParser

from builder.sources.demo import manuals as demo
from builder.sources.demo import plan as demo_plan
from builder.sources.demo import site as demo_site
from builder.sources.demo.brick_parts import BOUNDARY_COLOURS, COLOURS, KINDS, Part
from builder.sources.demo.builds import Group, Step
from builder.sources.drawn.marks import PRINT_RGB, box_xyxy_px
from core import code
from core.errors import UserError

SEED, COUNT = 42, 6  # manuals 4 and 5 share a set


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    for index in reversed(range(COUNT)):
        demo.draw_manual(folder, index, SEED)
    demo_site.finish_site(folder, COUNT, SEED)
    return folder


@pytest.fixture(scope="module")
def manuals(root) -> list[dict[str, Any]]:
    return json.loads((root / "truth.json").read_text())["manuals"]


def _rows(manuals, step_class):
    for manual in manuals:
        for row in manual["rows"]:
            if row["class"] == step_class:
                yield manual, row


def _image(path: Path) -> Any:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def _painted(picture: np.ndarray, manual: dict[str, Any]) -> np.ndarray:
    """(h, w) uint8, not 0 where the picture shows parts: no background, shadow or number."""
    back = [int(manual["background"][i : i + 2], 16) for i in (5, 3, 1)]  # BGR
    channels = [channel.astype(float) for channel in cv2.split(picture)]
    light = sum(channels) / sum(back)
    shaded = light >= 0.86
    for channel, full in zip(channels, back, strict=True):
        shaded &= np.abs(channel - full * light) <= 1.5
    painted = (~shaded).astype(np.uint8) * 255
    _, labels = cv2.connectedComponents(painted)
    printed = cv2.inRange(picture, PRINT_RGB[::-1], PRINT_RGB[::-1]) > 0
    shares = np.bincount(labels[printed], minlength=labels.max() + 1) / np.bincount(labels.ravel())
    painted[(shares > 0.4)[labels]] = 0
    return painted


def _page(path: Path) -> LexborHTMLParser:
    return LexborHTMLParser(path.read_text())


def _files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_manual_is_the_same_bytes_whatever_was_drawn_before(root, tmp_path):
    demo.draw_manual(tmp_path, 1, SEED)
    again = _files(tmp_path)
    whole = _files(root)
    assert len(again) > 20
    assert all(whole[name] == data for name, data in again.items())


def test_another_seed_gives_another_manual():
    assert demo_plan.plan_manual(0, 1) != demo_plan.plan_manual(0, 2)
    assert demo_plan.plan_manual(0, 1) == demo_plan.plan_manual(0, 1)


def test_drawing_again_does_nothing_until_the_code_changes(root, tmp_path, monkeypatch):
    manual_id = demo.draw_manual(tmp_path, 2, SEED)
    page = tmp_path / "site" / manual_id / "index.html"
    page.write_text("touched")
    assert demo.draw_manual(tmp_path, 2, SEED) == manual_id
    assert page.read_text() == "touched"
    monkeypatch.setattr(code, "of", lambda module: f"another {module}")
    demo.draw_manual(tmp_path, 2, SEED)
    assert page.read_bytes() == (root / "site" / manual_id / "index.html").read_bytes()


def test_a_cut_off_manual_is_drawn_again(root, tmp_path):
    manual_id = demo.draw_manual(tmp_path, 2, SEED)
    (tmp_path / "truth" / f"{manual_id}.json").write_bytes(b'{"seed": 4')
    demo.draw_manual(tmp_path, 2, SEED)
    name = f"truth/{manual_id}.json"
    assert (tmp_path / name).read_bytes() == (root / name).read_bytes()


def test_truth_holds_the_manuals_in_order(manuals):
    assert [m["id"] for m in manuals] == [demo.manual_id_of(i, SEED) for i in range(COUNT)]
    assert [m["set"] for m in manuals] == ["90000", "90001", "90002", "90003", "90004", "90004"]
    assert all(re.fullmatch(r"lego-90004-[ab]-[a-z-]+-readscr", m["id"]) for m in manuals[4:])


def test_step_boxes_are_those_of_the_masks(root, manuals):
    for _, row in _rows(manuals, "step"):
        step = row["step"]
        mask = _image(root / step["mask"]) > 0
        assert mask.shape == (720, 960)
        assert list(box_xyxy_px(mask) or ()) == step["new_box"]
        assert int(mask.sum()) == step["new_px"]
        boxes = np.array([i["box"] for p in step["new_parts"] for i in p["instances"]])
        union = [*boxes[:, :2].min(0), *boxes[:, 2:].max(0)]
        assert union == step["new_box"]


def test_assembly_and_foreground_boxes_are_those_of_the_pictures(root, manuals):
    for manual, row in _rows(manuals, "step"):
        step, picture = row["step"], _image(root / "site" / row["image"])
        assert picture.shape == (720, 960, 3)
        found = box_xyxy_px(_painted(picture, manual)) or ()
        assert np.abs(np.subtract(found, step["foreground_box"])).max() <= 1
        inner, outer = step["assembly_box"], step["foreground_box"]
        assert outer[0] <= inner[0] and outer[3] >= inner[3]
        assert (inner == outer) or manual["has_highlights"]


def test_found_parts_are_where_truth_says(root, manuals):
    for manual, row in _rows(manuals, "eop"):
        picture = _image(root / "site" / row["image"])
        painted = _painted(picture, manual)
        # From outside: studs on a white part before white paper are islands within it.
        shapes, _ = cv2.findContours(painted, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        rects = [cv2.boundingRect(shape) for shape in shapes]
        found = sorted((x, y, x + w, y + h) for x, y, w, h in rects)
        told = sorted(tuple(box) for label in row["eop"] for box in label["boxes"])
        assert np.abs(np.subtract(found, told)).max() <= 1
        for label in row["eop"]:
            assert len(label["boxes"]) == label["drawn"] == min(3, label["count"])


def test_the_outline_colour_is_there_only_when_said(root, manuals):
    assert {m["has_highlights"] for m in manuals} == {True, False}
    for manual in manuals:
        for row in manual["rows"]:
            if not row["image"]:
                continue
            picture = _image(root / "site" / row["image"])
            seen = {
                "#{:02X}{:02X}{:02X}".format(*colour)
                for colour in BOUNDARY_COLOURS
                if cv2.inRange(picture, colour[::-1], colour[::-1]).any()  # OpenCV reads BGR
            }
            assert seen == ({row["highlight"]} if row["highlight"] else set()), row["image"]
            wanted = manual["has_highlights"] and row["class"] == "step"
            assert (row["highlight"] is not None) == wanted


def _has(picture: np.ndarray, r: int, g: int, b: int) -> bool:
    return bool((picture == (r, g, b)).all(-1).any())


def test_new_parts_can_be_seen(manuals):
    for _, row in _rows(manuals, "step"):
        for part in row["step"]["new_parts"]:
            assert all(i["visible_fraction"] >= 0.35 for i in part["instances"])


def test_a_session_alternates_eop_and_step_with_numbered_unique_names(manuals):
    images = [row["image"] for m in manuals for row in m["rows"] if row["image"]]
    assert len(images) == len(set(images)) == len({name.lower() for name in images})
    for manual in manuals:
        assert 2 <= len(manual["sessions"]) <= 3
        for session in manual["sessions"]:
            rows = [r for r in manual["rows"] if r["session"] == session["sign"]]
            assert [r["class"] for r in rows] == ["eop", "step"] * (len(rows) // 2)
            assert [r["number"] for r in rows] == list(range(len(rows)))
            assert 4 <= session["step"] == session["eop"] <= 7
            assert all(
                r["step"]["pair_eop"] == e["image"] for e, r in zip(*[iter(rows)] * 2, strict=True)
            )


def test_file_names_are_like_the_real_ones():
    letters = [demo._letters(n) for n in (0, 25, 26, 27, 701, 702)]
    assert letters == ["A", "Z", "AA", "AB", "ZZ", "AAA"]
    seen = set()
    for index in range(30):
        plan = demo_plan.plan_manual(index, SEED)
        name = demo._image_path(plan, plan.sessions[-1], 4, "eop").rpartition("/")[2]
        assert re.fullmatch(
            r"sm0\d-[a-z-]+-4_eop_Step ##E\.png|[A-Z][a-z-]+-4_eop_E\.png|[a-z-]+_0004_eop_E\.png",
            name,
        )
        seen.add(plan.file_style)
    assert seen == set(demo_plan.FILE_STYLES)


# --- pages


def test_pages_hold_the_rows_and_every_src_exists(root, manuals):
    for manual in manuals:
        page = _page(root / "site" / manual["manual_page"] / "index.html")
        rows = page.css("div.manual-table-container > div.row")
        assert len(rows) == len(manual["rows"])
        for html, row in zip(rows, manual["rows"], strict=True):
            image = html.css_first("div.image > img")
            assert (image.attributes["src"] if image else None) == row["src"]
            if row["src"]:
                assert unquote(row["src"]) == "/" + row["image"] and "#" not in row["src"]
                assert (root / "site" / row["image"]).is_file()
            lines = [p.text() for p in html.css("div.text > div.txtbox > p")]
            assert lines == row["lines"] and " ".join(lines) == row["text"]
            tags = {span.attributes["class"].split()[0] for span in html.css("span")}
            assert tags <= {"verb", "det", "colorinfo", "theme", "target", "suffix"}


def test_every_page_is_read_whole(root, manuals):
    """What rows and drops hold is what the page shows."""
    for manual in manuals:
        check_page((root / "site" / manual["manual_page"] / "index.html").read_text())


def test_set_pages_link_manuals_first_then_braille(root, manuals):
    for manual in manuals:
        page = root / "site" / manual["set_page"] / "index.html"
        links = [a.attributes["href"] for a in _page(page).css("a.button.icon")]
        assert f"/{manual['manual_page']}" in links[: len(links) // 2]
        assert all(href.endswith(".txt") for href in links[len(links) // 2 :])
        assert all((root / "site" / href.strip("/")).exists() for href in links)


def _fake(root: Path, count: int) -> None:
    for index in range(count):
        path = root / "truth" / f"{demo.manual_id_of(index, SEED)}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"manual": {"rows": []}}')


def test_the_pager_leads_through_every_set_once(tmp_path):
    _fake(tmp_path, 40)
    site = demo_site.finish_site(tmp_path, 40, SEED)
    assert site == tmp_path / "site"
    cards, number, page = [], 0, site / "instructions" / "index.html"
    while True:
        listing = _page(page)
        cards += [a.attributes["href"] for a in listing.css("a.mtt-instruction-card")]
        step = listing.css_first("ul > li.next > a")
        if "disabled" in step.attributes["class"]:
            break
        number += 1
        assert step.attributes["href"] == f"?pagenumber={number}"
        page = site / "instructions" / f"pagenumber-{number}.html"
    assert len(cards) == len(set(cards)) == 34  # 40 manuals: 6 whole rounds of 5 sets, then 4
    assert all((site / href.strip("/") / "index.html").is_file() for href in cards)
    _fake(tmp_path, 8)
    demo_site.finish_site(tmp_path, 8, SEED)
    assert [p.name for p in (site / "instructions").iterdir()] == ["index.html"]


def test_a_smaller_site_forgets_the_other_manuals(root, manuals, tmp_path):
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    site = demo_site.finish_site(tmp_path, 5, SEED)
    left, kept = _files(tmp_path), json.loads((tmp_path / "truth.json").read_text())["manuals"]
    assert kept == manuals[:5]
    pictures = {f"site/{row['image']}" for m in kept for row in m["rows"] if row["image"]}
    assert {
        name for name in left if name.startswith("site/wp") and name.endswith("png")
    } == pictures
    assert not any(manuals[5]["id"] in name or "90004b" in name for name in left)
    page = (site / kept[4]["set_page"] / "index.html").read_text()
    assert kept[4]["id"] in page and manuals[5]["id"] not in page
    for index in range(5):  # what is kept counts as drawn
        demo.draw_manual(tmp_path, index, SEED)
    assert _files(tmp_path) == left


def test_a_missing_manual_is_told(tmp_path):
    with pytest.raises(UserError, match="draw the manual again"):
        demo_site.finish_site(tmp_path, 1, SEED)


# --- what is built, and what is said of it


def _plans(count: int) -> list[demo_plan.ManualPlan]:
    return [demo_plan.plan_manual(index, 7) for index in range(count)]


def test_parts_stand_on_something_and_never_intersect():
    for plan in _plans(20):
        for session in plan.sessions:
            cells: set[tuple[int, int, int]] = set()
            studs: set[tuple[int, int, int]] = set()
            for part in (p for s in session.steps for g in s for p in g.parts):
                x0, y0, z0, x1, y1, z1 = part.box_xyz
                own = {
                    (x, y, z) for x in range(x0, x1) for y in range(y0, y1) for z in range(z0, z1)
                    if "frame" not in part.kind.family or x in (x0, x1 - 1) or y in (y0, y1 - 1)
                }  # fmt: skip
                assert not own & cells
                below = {(x, y, z0) for x, y, z in own}
                assert z0 == 0 or below & studs, part
                cells |= own
                studs |= {(x, y, z1) for x, y in part.stud_cells()}


def test_sessions_are_of_the_right_size_and_boundaries_differ_from_the_bricks():
    for plan in _plans(20):
        for session in plan.sessions:
            assert 4 <= len(session.steps) <= 7
            for step in session.steps:
                assert 1 <= len(step) <= 3
                assert all(1 <= len(group.parts) <= 4 for group in step)
                assert len({group.kind for group in step}) == len(step)
            if session.boundary:
                for group in (g for s in session.steps for g in s):
                    apart = np.subtract(COLOURS[group.colour], session.boundary)
                    assert np.linalg.norm(apart) > 100
    shares = [plan.has_highlights for plan in _plans(18)]
    assert shares.count(False) == 3


@pytest.fixture(scope="module")
def told(manuals) -> list[tuple[Step, list[Part], dict, dict]]:
    """(step, parts before, eop row, step row) of every pair, from the plan and from the truth."""
    found = []
    for index, manual in enumerate(manuals):
        for session in demo_plan.plan_manual(index, SEED).sessions:
            rows = [r for r in manual["rows"] if r["session"] == session.sign]
            before: list[Part] = []
            for i, own in enumerate(session.steps):
                turned = session.turned_at is not None and i >= session.turned_at
                if i == session.turned_at:
                    before = [part.turned_round for part in before]
                step = tuple(group.turned_round for group in own) if turned else own
                found.append((step, list(before), rows[2 * i], rows[2 * i + 1]))
                before += [part for group in step for part in group.parts]
    return found


def test_find_texts_count_colour_and_name_the_parts(told):
    for step, _, row, _ in told:
        lines = row["lines"]
        if len(step) > 1:
            head, *lines = lines
            total = sum(len(g.parts) for g in step)
            assert head == f"Collect the following {total} pieces:"
            assert all(line.endswith(",") for line in lines[:-1])
        assert lines[-1].endswith(".")
        for group, line, label in zip(step, lines, row["eop"], strict=True):
            words = re.sub(r"^(Find|Collect) ", "", line)[:-1]
            n = len(group.parts)
            assert words == f"{n} {group.colour} {_plural(group, n)}"
            assert (label["label"], label["colour"], label["count"]) == (
                _plural(group, n),
                group.colour,
                n,
            )


def _plural(group: Group, n: int) -> str:
    name = next(label for label, kind in KINDS.items() if kind == group.kind)
    return name if n == 1 else re.sub(r"(brick|plate|tile|frame)", r"\1s", name)


def test_put_texts_are_true_of_the_geometry(told):
    clauses = set()
    for step, before, _, row in told:
        parts = list(before)
        lines = row["lines"][1:] if row["step"]["turned_round"] else row["lines"]
        for group, line in zip(step, lines, strict=True):
            clauses |= _check_line(line, group, parts, alone=len(step) == 1)
            parts += group.parts
    assert len(clauses) >= 18  # the check has met most of what can be said


SUBJECT = r"(?:Put|Attach) (it|them|the .*? ?(?:brick|plate|tile|frame)s? [\dx⅔]+)"
BESIDE = "into|under|over|behind|in front of|next to|to the left of|to the right of"


def _check_line(line: str, group: Group, before: list[Part], alone: bool) -> set[str]:
    """Check every clause of a line; returns the clauses met."""
    found = re.match(
        SUBJECT + r"( horizontally| vertically)?"
        r"( on top of the ([\w ⅔]+)| on top| on the table"
        rf"| (?P<how>{BESIDE}) the (?P<what>[\w ⅔]+))",
        line,
    )  # fmt: skip
    assert found, line
    who, way, where, support = found[1], found[2], found[3], found[4]
    _check_subject(who, group, alone)
    w, d = np.array([p.size_xyz[:2] for p in group.parts]).T
    assert {" horizontally": w > d, " vertically": w < d, None: w == d}[way].all(), line
    if found["how"]:
        _check_beside(found["how"], found["what"], group, before)
    else:
        _check_where(where, support, group, before)
    clauses = line[found.end() :].rstrip(".").split(", ")[1:]
    for clause in clauses:
        assert (
            CHECKS[clause](*_spans(group, before))
            if clause in CHECKS
            else _slopes(clause, group) or _free(clause, group, before)
        ), (
            line,
            clause,
        )
    return {*clauses, found["how"] or ""}


def _check_beside(how: str, what: str, group: Group, before: list[Part]) -> None:
    """Sides and heights by middles: of the one part that is called so."""
    named = [q for q in before if what in (q.kind.label(), f"{q.colour} {q.kind.label()}")]
    assert len(named) == 1
    own = np.array([p.box_xyz for p in group.parts])
    box, other = np.array([*own[:, :3].min(0), *own[:, 3:].max(0)]), np.array(named[0].box_xyz)
    x, y, z = ((box[:3] + box[3:]) - (other[:3] + other[3:])) / 2
    assert {
        "into": (other[:3] <= box[:3]).all() and (box[3:] <= other[3:]).all(),
        "under": z < 0,
        "over": z > 0,
        "behind": y > 0,
        "in front of": y < 0,
        "to the right of": x > 0,
        "to the left of": x < 0,
        "next to": abs(z) < 3,
    }[how], (how, what, box, other)


def _check_subject(who: str, group: Group, alone: bool) -> None:
    n = len(group.parts)
    if who in ("it", "them"):
        assert alone and (who == "it") == (n == 1)
        return
    head = "the" if n == 1 else f"the {n}"
    assert who in (f"{head} {_plural(group, n)}", f"{head} {group.colour} {_plural(group, n)}")


def _check_where(where: str, support: str | None, group: Group, before: list[Part]) -> None:
    assert ("table" in where) == all(p.z == 0 for p in group.parts)
    for part in group.parts if "top" in where else ():
        x0, y0, z0, x1, y1, _ = part.box_xyz
        under = [
            q
            for q in before
            if q.box_xyz[5] == z0 and any(x0 <= x < x1 and y0 <= y < y1 for x, y in q.stud_cells())
        ]
        assert under
        if support:
            assert {_plural(Group((q,)), 1) for q in under} == {support}
            assert sum(q.kind == under[0].kind for q in before) == 1


def _spans(group: Group, before: list[Part]) -> tuple[list, list, tuple, tuple]:
    """The group's (low, high) along x and along y, and the whole assembly's."""
    boxes, every = [
        np.array([p.box_xyz for p in ps]) for ps in (group.parts, [*before, *group.parts])
    ]
    spans = [[tuple(b) for b in boxes[:, [i, i + 3]].tolist()] for i in (0, 1)]
    whole = [(every[:, i].min(), every[:, i + 3].max()) for i in (0, 1)]
    return spans[0], spans[1], whole[0], whole[1]


def _low(spans, whole):
    return all(2 * high <= sum(whole) for _, high in spans)


def _high(spans, whole):
    return all(2 * low >= sum(whole) for low, _ in spans)


def _mid(spans, whole):
    return min(s[0] for s in spans) + max(s[1] for s in spans) == sum(whole)


def _row(spans, across):
    spans = sorted(spans)
    return len(set(across)) == 1 and all(a[1] == b[0] for a, b in pairwise(spans))


def _halves(spans, whole):
    low = [s for s in spans if _low([s], whole)]
    return len(low) * 2 == len(spans) and _high([s for s in spans if s not in low], whole)


def _corners(xs, ys, wx, wy):
    held = {
        (x[0] == wx[0], x[1] == wx[1], y[0] == wy[0], y[1] == wy[1])
        for x, y in zip(xs, ys, strict=True)
    }
    return len(held) == 4 == len(xs) and all(h[0] != h[1] and h[2] != h[3] for h in held)


CHECKS = {
    "on the left": lambda xs, ys, wx, wy: _low(xs, wx),
    "on the right": lambda xs, ys, wx, wy: _high(xs, wx),
    "at the front": lambda xs, ys, wx, wy: _low(ys, wy),
    "at the back": lambda xs, ys, wx, wy: _high(ys, wy),
    "centered from left to right": lambda xs, ys, wx, wy: _mid(xs, wx),
    "centered from front to back": lambda xs, ys, wx, wy: _mid(ys, wy),
    "in the middle": lambda xs, ys, wx, wy: _mid(xs, wx) and _mid(ys, wy),
    "in the front left": lambda xs, ys, wx, wy: _low(xs, wx) and _low(ys, wy),
    "in the front right": lambda xs, ys, wx, wy: _high(xs, wx) and _low(ys, wy),
    "in the back left": lambda xs, ys, wx, wy: _low(xs, wx) and _high(ys, wy),
    "in the back right": lambda xs, ys, wx, wy: _high(xs, wx) and _high(ys, wy),
    "side by side": lambda xs, ys, wx, wy: _row(xs, ys),
    "one behind the other": lambda xs, ys, wx, wy: _row(ys, xs),
    "one on the left and one on the right": lambda xs, ys, wx, wy: len(xs) == 2 and _halves(xs, wx),
    "one at the front and one at the back": lambda xs, ys, wx, wy: len(xs) == 2 and _halves(ys, wy),
    "two on the left and two on the right": lambda xs, ys, wx, wy: len(xs) == 4 and _halves(xs, wx),
    "one in each corner": _corners,
}


def _free(clause: str, group: Group, before: list[Part]) -> bool:
    """Studs that a clause leaves free between the edges of what stands and the group."""
    told = {
        side: int(n) for n, side in re.findall(r"(\d+) studs? free (?:on|at) the (\w+)", clause)
    }
    if clause.startswith("flush with the"):
        told |= dict.fromkeys(re.findall(r"the (left|front)", clause), 0)
    free = {
        side: min(p.box_xyz[i] for p in group.parts) - min(p.box_xyz[i] for p in before)
        for i, side in enumerate(("left", "front"))
    }
    assert ("1 studs" in clause) + (" 0 " in clause) == 0, clause
    return bool(told) and all(free[side] == n for side, n in told.items())


def _slopes(clause: str, group: Group) -> bool:
    found = re.fullmatch(r"slopes? (?:to the (front|right|back|left)|(outward))", clause)
    if not found or group.kind.shape != "slope":
        return False
    turns = [p.turn for p in sorted(group.parts, key=lambda p: p.x)]
    if found[2]:
        return turns == [3, 1]
    return set(turns) == {["front", "right", "back", "left"].index(found[1])}


def test_pictures_without_outlines_differ_along_the_outline_only(root, manuals):
    rows = {(r["session"], r["number"]): r for r in manuals[0]["rows"] if r["class"] == "step"}
    for sign, number, bare in demo.steps_without_outline(0, SEED):
        row = rows.pop((sign, number))
        mask = (_image(root / row["step"]["mask"]) > 0).astype(np.uint8)
        grown, left = cv2.dilate(mask, np.ones((11, 11))), cv2.erode(mask, np.ones((9, 9)))
        differs = (_image(root / "site" / row["image"])[..., ::-1] != bare).any(axis=2)
        assert not differs[(grown == 0) | (left > 0)].any()
        assert differs.any() == (row["highlight"] is not None)
    assert not rows
