"""Mask rows of two manuals of the demo: pixels against the scene, instructions that fit one region.

What an instruction means is read a second time here, from its words and `scene.json` alone: no code
is shared with the writer.
"""

import collections
import hashlib
import io
import re
from typing import NamedTuple

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core import records, scenes
from core.masks import mask_iou, read_mask
from core.records import load
from core.store import CRAWL, ROWS
from synthesis.changes import changed_parts
from tasks import TASKS

ORIGINS = ("scene", "object", "state", "spatial")


class Manual(NamedTuple):
    """A manual's scene, the rows of its masks, and where it lies."""

    folder: object
    scene: scenes.ManualScene
    rows: list[dict]
    others: dict[str, list[dict]]
    pages: list
    drops: list


@pytest.fixture(scope="module")
def manuals(demo):
    work = demo / "w"
    return [
        Manual(
            work / CRAWL / folder.name,
            scenes.load_scene(work / CRAWL / folder.name),
            pq.read_table(folder / "mask.parquet").to_pylist(),
            {c: pq.read_table(folder / f"{c}.parquet").to_pylist() for c in ("object", "state")},
            load(folder / "manual.json", records.Manual).instructions,
            load(folder / "stats.json", records.ManualStats).drops,
        )
        for folder in sorted((work / ROWS).iterdir())
    ]


def _size(row):
    with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
        return image.size


def test_rows_hold_what_must_hold(manuals):
    check = TASKS["mask"].check
    rows = [row for manual in manuals for row in manual.rows]
    assert len({row["id"] for row in rows}) == len(rows) > 100
    for row in rows:
        assert list(check.row(row, _size(row), False)) == []
        assert row["source"] == 0 and row["provenance"]["annotator"] == "exact"
    origins = collections.Counter(ORIGINS[row["origin"]] for row in rows)
    assert set(origins) == set(ORIGINS)
    levels = collections.Counter(v["level"] for row in rows for v in row["instruction_variants"])
    assert min(levels[name] for name in ("simple", "manual", "complex")) > 50


def test_what_is_wrong_with_a_row_is_told(manuals):
    row, check = manuals[0].rows[0], TASKS["mask"].check
    size_wh = _size(row)
    empty = cv2.imencode(".png", np.zeros(size_wh[::-1], np.uint8))[1].tobytes()
    for changed, words in (
        ({"mask": {"bytes": empty, "path": "x"}}, "shows something"),
        ({"mask": None}, "its mask is one of its picture"),
        ({"area_ratio": row["area_ratio"] + 0.1}, "area_ratio"),
        ({"boxes_px": [[0.0, 0.0, 3.0, 3.0]]}, "the boxes hold the mask"),
        ({"query": "What?"}, "the query is one of the instructions"),
        ({"failure": "bad"}, "failure is null or one of"),
    ):
        told = list(check.row({**row, **changed}, size_wh, False))
        assert any(words in one for one in told), (words, told)
    assert "its mask is one of" in next(check.row(row, (size_wh[0], size_wh[1] + 1), False))


# Pixels ------------------------------------------------------------------------------------------


def _pixels(manual, sha256, ids):
    """(H, W) bool of parts in the picture of a page."""
    picture = next(one for one in manual.scene.pictures if one.sha256 == sha256)
    numbers = scenes.read_masks(manual.folder, picture)
    places = [i for i, one in enumerate(picture.shown, 1) if one.part_id in ids]
    return np.isin(numbers, places)


def _asked(row):
    """A picture, and the find picture that is asked about in it: one collage may serve two."""
    return (row["image"]["path"],
            row["provenance"]["source_images"][row.get("cell", 0)]["sha256"])  # fmt: skip


def _is_collage(row):
    return len(row["provenance"]["source_images"]) > 1


def test_collages_hold_the_parts_of_their_cell_scaled_as_the_picture_is(manuals):
    seen = collections.Counter()
    for manual in manuals:
        cells = {_asked(row): row for row in manual.others["object"]}
        for row in filter(_is_collage, manual.rows):
            other = cells[_asked(row)]  # the picture is one of the object rows'
            seen[other["cell"]] += 1
            sha256 = row["provenance"]["source_images"][0]["sha256"]
            picture = next(one for one in manual.scene.pictures if one.sha256 == sha256)
            whole = _pixels(manual, sha256, {one.part_id for one in picture.shown})
            mask, size_wh = read_mask(row["mask"]["bytes"]), _size(row)
            half_wh = size_wh[0] // 2, size_wh[1] // 2
            scaled = cv2.resize(whole.astype(np.float32), half_wh, interpolation=cv2.INTER_AREA)
            expected = np.zeros_like(mask)
            left, top = other["cell"] % 2 * half_wh[0], other["cell"] // 2 * half_wh[1]
            expected[top : top + half_wh[1], left : left + half_wh[0]] = scaled >= 0.5
            assert mask_iou(mask, expected) >= 0.995
    assert len(seen) == 4  # the place in the collage tells nothing


def test_steps_show_the_new_parts_which_are_what_changed(manuals):
    """Against the pixels of the pictures themselves."""
    for manual in manuals:
        steps = [s for s in manual.scene.steps if s.step > 0]
        for step in steps[:4]:
            rows = [r for r in manual.rows
                    if r["provenance"]["source_images"][0]["sha256"] == step.step_sha256
                    and r["origin"] == ORIGINS.index("scene")]  # fmt: skip
            before = next(s for s in manual.scene.steps
                          if (s.session, s.step) == (step.session, step.step - 1))  # fmt: skip
            pictures = [_picture(manual, s.step_sha256) for s in (step, before)]
            changed = changed_parts(*pictures)
            new = _pixels(manual, step.step_sha256, step.new_ids)
            assert (changed & new).sum() > 0.9 * new.sum()  # outlines change as well
            assert rows
            for row in rows:
                assert not (new & ~read_mask(row["mask"]["bytes"])).any()


def _picture(manual, sha256):
    for path in (manual.folder / "images").iterdir():
        if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
            with Image.open(path) as image:
                return np.array(image.convert("RGB"))
    raise AssertionError(sha256)


# Words -------------------------------------------------------------------------------------------

NUMBERS = {
    w: n for n, w in enumerate("zero one two three four five six seven eight nine ten".split())
}


def _stem(words):
    """A name of one or several parts as one word list."""
    words = re.sub(r"^(?:the )?(?:\d+ )?(?:new )?", "", words.strip(" .").lower())
    return tuple(re.sub(r"(?<=[a-z])[es]+$", "", w) for w in words.split())


def _called(part):
    return _stem(f"{part.color} {part.label}")


def _boxes(manual, ids):
    return [np.array(manual.scene.parts[i].box_mm) for i in ids]


def _shares(a, b, axis):
    return min(a[axis + 3], b[axis + 3]) - max(a[axis], b[axis]) > 0.2


def _supports(manual, new, before):
    """Earlier parts with a top that a new part's bottom lies on."""
    return {
        i for i in before for n in new
        for a, b in [(*_boxes(manual, [n]), *_boxes(manual, [i]))]
        if abs(a[2] - b[5]) < 0.3 and _shares(a, b, 0) and _shares(a, b, 1)
    }  # fmt: skip


def _stands(manual, part, others, relation, turned):
    """Whether one part stands to others so, by the edges of their boxes alone."""
    (one,), several = _boxes(manual, [part]), np.array(_boxes(manual, others))
    low, high = several[:, :3].min(0), several[:, 3:].max(0)
    gaps = {
        "left": low[0] - one[3], "right": one[0] - high[0],
        "front": low[1] - one[4], "behind": one[1] - high[1],
    }  # fmt: skip
    if turned:
        gaps = {"left": gaps["right"], "right": gaps["left"],
                "front": gaps["behind"], "behind": gaps["front"]}  # fmt: skip
    over = min(one[3], high[0]) - max(one[0], low[0]) > 0.2 and (
        min(one[4], high[1]) - max(one[1], low[1]) > 0.2
    )
    if relation == "on":
        return bool(_supports(manual, [part], others))
    if relation == "under":
        return over and one[5] <= low[2] + 0.3
    if relation == "above":
        return over and one[2] >= high[2] + 0.1 and not _supports(manual, [part], others)
    sides = {"to the left of": ("left", ("front", "behind")),
             "to the right of": ("right", ("front", "behind")),
             "in front of": ("front", ("left", "right")),
             "behind": ("behind", ("left", "right"))}  # fmt: skip
    if relation in sides:
        way, across = sides[relation]
        return gaps[way] >= -0.3 and gaps[way] >= max(gaps[a] for a in across) - 1e-6
    raise AssertionError(f"no reading of {relation!r}")


RELATION = r"(?P<rel>to the left of|to the right of|in front of|next to|behind|above|under|on|in)"
NEWEST = r"(?:what this step adds|the newest pieces?|what was found last)"


def _meant_in_step(manual, row, text):
    """Ids of all that an instruction about a step means; None where it is not read here."""
    sha256 = row["provenance"]["source_images"][0]["sha256"]
    step = next(s for s in manual.scene.steps if s.step_sha256 == sha256)
    camera = next(p.camera for p in manual.scene.pictures if p.sha256 == sha256)
    turned = camera.matrix_px_per_mm[0][0] < 0
    before = [i for s in manual.scene.steps
              if s.session == step.session and s.step < step.step for i in s.new_ids]  # fmt: skip
    standing, said = [*before, *step.new_ids], text.strip().rstrip(".").lower()

    def named(words):
        found = [i for i in standing if _called(manual.scene.parts[i]) == _stem(words)]
        assert found, (text, words)
        return set(found)

    new = set(step.new_ids)
    if re.fullmatch(NEWEST + r"(?:, with nothing else of the model)?", said):
        return new
    if re.fullmatch(
        NEWEST + r", and (?:what (?:it|they) rests? on|whatever is directly under (?:it|them)|"
        r"what (?:it was|they were) put on)", said
    ):  # fmt: skip
        return new | _supports(manual, step.new_ids, before)
    match = re.fullmatch(
        rf"{NEWEST}, and the (?P<other>.+) that (?:it was|they were) put {RELATION}", said
    ) or re.fullmatch(rf"what this step puts {RELATION} the (?P<other>.+), and that too", said)
    if match:
        return new | named(match["other"])
    match = (
        re.fullmatch(rf"what is {RELATION} the (?P<other>.+), and the (?P=other) too", said)
        or re.fullmatch(rf"the pieces? {RELATION} the (?P<other>.+), together with the (?P=other)",
                        said)
        or re.fullmatch(rf"the (?P<other>.+), and what is {RELATION} (?:it|them)", said)
    )  # fmt: skip
    if match and match["rel"] in ("next to", "in"):
        return None
    if re.search(r"\b(?:is|are|has|have|there) \b", said) and not match:
        return None  # a whole sentence, which a pair's manual instruction is
    if match:
        others = named(match["other"])
        return others | {i for i in standing if i not in others
                         and _stands(manual, i, sorted(others), match["rel"], turned)}  # fmt: skip
    if re.match(r"(?:the|\d)", said):  # names, each of all that is called so
        return set().union(*map(named, re.split(r", | and ", said)))
    return None


def test_complex_and_simple_instructions_of_steps_mean_the_mask_and_nothing_else(manuals):
    read, levels = 0, collections.Counter()
    for manual in manuals:
        for row in manual.rows:
            if row["origin"] == ORIGINS.index("object"):
                continue
            sha256 = row["provenance"]["source_images"][0]["sha256"]
            mask = read_mask(row["mask"]["bytes"])
            for variant in row["instruction_variants"]:
                if variant["level"] == "manual":
                    continue
                meant = _meant_in_step(manual, row, variant["text"])
                if meant is None:
                    continue
                read += 1
                levels[variant["level"]] += 1
                shown = _pixels(manual, sha256, meant)
                assert mask_iou(mask, shown) == 1.0, (variant["text"], row["answer"])
    assert read > 80 and min(levels.values()) > 30


def _kinds_in(row, targets):
    """(stem, colour, count) of every label that an object row's picture shows."""
    return [(_stem(t["label"]), t["label"].lower(), t["count"]) for t in targets]


def test_instructions_of_find_pictures_mean_the_parts_and_nothing_else(manuals):
    """Colours and numbers, in a find picture and in a collage, read from the words alone."""
    read = collections.Counter()
    for manual in manuals:
        collages = {_asked(row): row for row in manual.others["object"]}
        by_picture = {}
        for row in manual.others["object"]:
            sha256 = row["provenance"]["source_images"][row["cell"]]["sha256"]
            by_picture[sha256] = row["targets"]
        for row in manual.rows:
            if row["origin"] != ORIGINS.index("object"):
                continue
            sha256 = row["provenance"]["source_images"][0]["sha256"]
            if _is_collage(row):
                other = collages[_asked(row)]
                shown = _kinds_in(row, [*other["targets"], *other["distractors"]])
                own = {stem for stem, _, _ in _kinds_in(row, other["targets"])}
            else:
                shown = _kinds_in(row, by_picture[sha256])
                named = re.match(r"<p>(\d+) (.*?)</p>", row["answer"])
                first = _stem(named[2])
                own = {s for s, _, n in shown if s[: len(first)] == first and n == int(named[1])}
            for variant in row["instruction_variants"]:
                text = variant["text"].rstrip(".")
                if match := re.fullmatch(
                    r"(?:Every piece that is not|All but the) (.+?)(?: pieces)?", text
                ):
                    meant = {s for s, label, _ in shown if not label.startswith(match[1])}
                elif re.fullmatch(r"The (?:piece that is there only once|only piece .*)", text):
                    meant = {s for s, _, n in shown if n == 1}
                elif match := re.fullmatch(
                    r"The (?:pieces of which there are exactly (\w+)|"
                    r"kind of piece that is there (?:(\w+) times|(twice)))", text
                ):  # fmt: skip
                    wanted = NUMBERS[match[1] or match[2]] if not match[3] else 2
                    meant = {s for s, _, n in shown if n == wanted}
                else:
                    continue
                read[variant["level"]] += 1
                assert meant == own, (text, shown)
    assert read["complex"] > 10


def test_instructions_that_are_refused_mean_more_than_the_mask(manuals):
    """Each is told as a drop, and what it says fits other parts of the picture as well."""
    refused = 0
    for manual in manuals:
        pictures = {f"row {one.instruction_id}": one.img_sha256 for one in manual.pages}
        for drop in manual.drops:
            if (drop.task, drop.reason) != ("mask", "instruction_not_unique"):
                continue
            sha256 = pictures[drop.item]
            row = {"provenance": {"source_images": [{"sha256": sha256}]}}
            if not any(s.step_sha256 == sha256 for s in manual.scene.steps):
                continue
            meant = _meant_in_step(manual, row, drop.detail)
            if meant is None:
                continue
            refused += 1
            shown = _pixels(manual, sha256, meant)
            masks = [
                read_mask(r["mask"]["bytes"]) for r in manual.rows
                if r["provenance"]["source_images"][0]["sha256"] == sha256
                and drop.detail not in [v["text"] for v in r["instruction_variants"]]
            ]  # fmt: skip
            assert any(mask_iou(mask, shown) < 1 for mask in masks) or not masks, drop
    assert refused > 2
