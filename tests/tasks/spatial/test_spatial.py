"""Rows of spatial relations: gold against a second reading of the scene, grammar, both orders."""

import collections
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from built import context_of
from hypothesis import given
from hypothesis import strategies as st

from core import scenes
from core.nouns import article
from core.parquet import write_piece
from core.relations import CONVERSATIONS, OPPOSITE, RELATIONS, read_relations
from core.store import CRAWL, ROWS
from tasks import TASKS, queries
from tasks.options import TaskOptions
from tasks.spatial import space
from tasks.spatial.pairs import gold_of
from tasks.spatial.text import LINE_BREAK, TEMPLATES


@pytest.fixture(scope="module")
def work(demo):
    """A work folder with two manuals of the demo."""
    return demo / "w"


@pytest.fixture(scope="module")
def rows(work, tmp_path_factory):
    """Their rows in all templates and other words, as files hold them."""
    options, made = TaskOptions(templates="readable", diversify=True), TASKS["spatial"].rows
    file, found = tmp_path_factory.mktemp("spatial") / "spatial.parquet", []
    for folder in sorted((work / ROWS).iterdir()):
        write_piece(file, "spatial", made.make(context_of(work, folder.name, options)))
        found += pq.read_table(file).to_pylist()
    return found


def test_rows_hold_what_must_hold(rows):
    check = TASKS["spatial"].check
    assert len(rows) > 100 and len({row["id"] for row in rows}) == len(rows)
    for row in rows:
        assert list(check.row(row, (960, 720), False)) == []
        assert row["provenance"]["annotator"] == "exact"
        assert row["confidence"] == pytest.approx(0.98) and row["frame"] == "builder"
        assert row["relations"] == row["relations_scene"]
    kinds = collections.Counter(row["conversation_type"] for row in rows)
    assert set(kinds) == {0, 1, 2} and kinds[1] == 2 * kinds[2]


def _parts(folder, row):
    """Boxes of subject, of object and of all that stands, by name, and which way the reader's right
    is in the world: 1, or -1 of a model turned around. New parts are the subject before others."""
    scene = scenes.load_scene(folder)
    sha256 = row["provenance"]["source_images"][0]["sha256"]
    step = next(one for one in scene.steps if one.step_sha256 == sha256)
    before = [
        i for s in scene.steps if s.session == step.session and s.step < step.step
        for i in s.new_ids
    ]  # fmt: skip
    found = {}
    for role, first, then in (("subject", step.new_ids, before), ("object", before, step.new_ids)):
        label = re.sub(r"^\d+ ", "", row[role]["label"])
        stem = re.sub(r"(?<=[a-z])s?( [\d⅓½⅔].*)$", r"\1", label)
        named = [
            [i for i in ids if f"{scene.parts[i].color} {scene.parts[i].label}" == stem]
            for ids in (first, then)
        ]
        found[role] = [np.array(scene.parts[i].box_mm) for i in named[0] or named[1]]
    everything = [np.array(scene.parts[i].box_mm) for i in (*before, *step.new_ids)]
    camera = next(p.camera for p in scene.pictures if p.sha256 == sha256)
    # Which way a step to the right in the world goes in the picture.
    turned = (np.array(camera.matrix_px_per_mm) @ [1, 0, 0])[0] < 0
    return found["subject"], found["object"], everything, -1 if turned else 1


def _rests(a, b):
    over_x, over_y = min(a[3], b[3]) - max(a[0], b[0]), min(a[4], b[4]) - max(a[1], b[1])
    return abs(a[2] - b[5]) < 0.3 and over_x > 0.3 and over_y > 0.3


def test_gold_relations_are_true_by_another_reading_of_the_scene(work, rows):
    """Sides by middles, on by resting: a reading that shares no code with the one that wrote."""
    folders = {folder.name: folder for folder in (work / CRAWL).iterdir()}
    checked = 0
    for row in {row["pair_id"]: row for row in rows}.values():
        name = row["object"]["label"]
        one, other, everything, way = _parts(folders[row["manual_id"]], row)
        assert one, row["subject"]
        if name == "table":
            continue
        rest = [b for b in everything if not any((b == a).all() for a in one)]
        if name == "rest of the model":
            other = rest
        elif name == "middle of the model":
            low = np.min(everything, axis=0)[:3]
            high = np.max(everything, axis=0)[3:]
            other = [np.concatenate([(low + high) / 2, (low + high) / 2])]
        assert other, row["object"]
        middle = np.mean([(a[:3] + a[3:]) / 2 for a in one], axis=0)
        center = np.mean([(b[:3] + b[3:]) / 2 for b in other], axis=0)
        if name == "rest of the model":  # it may stand on all sides of the part
            center = None
        for relation in row["relations"]:
            checked += 1
            if relation == "on":
                assert all(any(_rests(a, b) for b in other) for a in one), row["id"]
            if relation == "under":
                assert max(a[5] for a in one) <= min(b[2] for b in other) + 0.3
            if relation == "above":
                assert not any(_rests(a, b) for a in one for b in other)
                assert min(a[2] for a in one) >= max(b[5] for b in other) - 0.3
            if relation == "in":  # a frame's walls are one stud thick
                (frame,) = other
                assert all((a[:2] >= frame[:2] + 7.9).all() for a in one), row["id"]
                assert all((a[3:5] <= frame[3:5] - 7.9).all() for a in one), row["id"]
                assert all(frame[2] <= a[2] and a[5] <= frame[5] + 0.1 for a in one), row["id"]
            if relation == "next" and name != "rest of the model":
                low = np.max([np.min(one, axis=0)[:3], np.min(other, axis=0)[:3]], axis=0)
                high = np.min([np.max(one, axis=0)[3:], np.max(other, axis=0)[3:]], axis=0)
                assert (low - high)[:2].max() <= 8.1 and (low - high)[2] < 0, row["id"]
            if center is not None:
                x, y = way * (middle - center)[:2]
                sides = {"left": x < 0, "right": x > 0, "in front of": y < 0, "behind": y > 0}
                assert sides.get(relation, True), (row["id"], relation)
    assert checked > 100


def test_text_and_scene_agree_wherever_the_text_says_something(rows):
    said = [row for row in rows if row["relations_text"]]
    assert len(said) > 60
    for row in said:
        assert set(row["relations_text"]) <= set(row["relations_scene"]), row["instruction"]


def test_of_two_in_both_orders_names_alone_tell_nothing(rows):
    """Every relation stands with its opposite, asked with the same two names."""
    by_names = collections.defaultdict(list)
    for row in rows:
        names = (row["subject"]["label"], row["object"]["label"])
        key = (row["provenance"]["source_images"][0]["sha256"], frozenset(names))
        if row["conversation_type"] == 0:
            by_names[key].append(row)
    both = [group for group in by_names.values() if len(group) == 2]
    assert len(both) >= 8
    for one, other in both:
        assert OPPOSITE[one["relations"][0]] == other["relations"][0]


def has_right_article(words: str) -> bool:
    """Whether no "a" stands where "an" belongs, and the other way round."""
    parts = words.split()
    return all(
        parts[i].lower() == article(" ".join(parts[i + 1 :]))
        for i in range(len(parts) - 1)
        if parts[i].lower() in ("a", "an")
    )


VERB = r"(?:is|are|sits?|rests?|stands?|lies?|has|have|can|sees?|finds|put)\b"


def test_descriptions_read_well_and_say_what_holds(rows):
    lines = verbs = 0
    for row in {row["pair_id"]: row for row in rows}.values():
        names = [row["subject"]["label"], row["object"]["label"]]
        for text in (*row["descriptions_v1"], *row["descriptions_v2"]):
            lines += 1
            assert has_right_article(text), text
            assert text[0].isupper() or text[0].isdigit()
            assert text.endswith(".") and "  " not in text and " ." not in text
            assert names[0] in text and names[1] in text
            several = bool(re.match(r"\d", names[0]))
            bare = text.split(names[0])[-1]
            if re.match(rf" {VERB}", bare) and not text.startswith(f"The {names[1]}"):
                verbs += 1
                assert re.match(r" (are|sit|rest|stand|lie|can)\b" if several
                                else r" (is|sits|rests|stands|lies|can)\b", bare), text  # fmt: skip
            assert not re.search(r"\b(?:a|an) \d+ [a-z ]*s\b", text), text
        for text in row["descriptions_v1"]:
            for name in sorted(names, key=len, reverse=True):
                text = text.replace(name, "it")
            assert row["relations"][0] in read_relations(text), text
        if row["contrast"]:
            said = row["contrast"]
            for name in sorted(names, key=len, reverse=True):
                said = said.replace(name, "it")
            assert not read_relations(said) & set(row["relations"]), row["contrast"]
    assert lines > 150 and verbs > 60


def test_other_words_share_no_two_words_in_a_row(rows):
    changed = [r for r in rows if r["diversified"] and r["conversation_type"] == 1]
    assert len(changed) > 30
    for row in changed:
        names = (row["subject"]["label"], row["object"]["label"])
        assert row["answer"] not in row["descriptions_v1"]
        said = row["answer"]
        for name in sorted(names, key=len, reverse=True):
            assert name in said
            said = said.replace(name, "it")
        assert read_relations(said) == {row["relations"][0]}


def test_questions_come_from_their_template(rows):
    seen = collections.Counter()
    for row in rows:
        kind, number = row["template_id"].rsplit("-", 1)
        assert kind == CONVERSATIONS[row["conversation_type"]]
        start = TEMPLATES[kind][int(number) - 1].split("{")[0]
        assert row["query"].startswith(start)
        assert queries.take_apart(row["query"], "spatial").template == "readable"
        seen[kind, number] += 1
    assert all(len(one) >= 5 for one in TEMPLATES.values()) and len(seen) >= 14


def test_the_papers_words():
    said = queries.query("paper", "spatial", asked="Where?")
    assert said == "Where?" and queries.take_apart(said, "spatial").template == "paper"
    assert (
        "'The {one} {is_} [BLANK] the {other}'. Select from: {choices}."
        in (TEMPLATES["classification"][0])
    )


BOX = st.tuples(*[st.integers(0, 8)] * 3, *[st.integers(1, 5)] * 3).map(
    lambda v: np.array([8.0 * v[0], 8.0 * v[1], 3.2 * v[2], 8.0 * (v[0] + v[3]),
                        8.0 * (v[1] + v[4]), 3.2 * (v[2] + v[5])])
)  # fmt: skip


@given(BOX, BOX)
def test_relations_in_space_are_sound(one, other):
    found = space.relations_between(one[None], other[None])
    back = space.relations_between(other[None], one[None])
    assert set(found) <= set(RELATIONS)
    for name in ("left", "behind"):
        assert (name in found) == (OPPOSITE[name] in back)
    assert ("next" in found) == ("next" in back)
    assert not any(OPPOSITE.get(name) in found for name in found)
    assert ("on" in found) <= ("under" in back)
    moved = one + np.array([80, 40, 3.2] * 2), other + np.array([80, 40, 3.2] * 2)
    assert space.relations_between(moved[0][None], moved[1][None]) == found


def test_what_stands_in_a_frame_is_in_it():
    walls = np.array([[0, 0, 0, 40, 8, 9.6], [0, 32, 0, 40, 40, 9.6], [0, 8, 0, 8, 32, 9.6],
                      [32, 8, 0, 40, 32, 9.6]], float)  # fmt: skip
    inner = np.array([[8, 8, 0, 32, 32, 9.6]], float)
    assert space.relations_between(inner, walls) == ["in"]
    assert "in" not in space.relations_between(inner, walls[:2])


SOME = st.lists(st.sampled_from(RELATIONS), unique=True, max_size=3)


@given(SOME, SOME, st.none() | SOME)
def test_the_scene_counts_then_the_text_then_the_picture(text, image, scene):
    gold = gold_of(text, image, scene)
    if scene is not None:
        assert set(gold.relations) == set(scene) and gold.source == "scene"
    elif text:
        assert set(gold.relations) == set(text)
        against = any(OPPOSITE.get(a) in image for a in text)
        assert (gold.source == "contradiction") == against
    else:
        assert set(gold.relations) == set(image) and gold.frame == "image"


def test_open_answers_have_three_lines(rows):
    for row in rows:
        if row["conversation_type"] == 2:
            assert len(set(row["answer"].split(LINE_BREAK))) == 3


def test_of_a_model_turned_around_sides_are_those_of_the_reader():
    home = scenes.Camera(((2.0, 1.0, 0.0), (0.5, -1.0, -2.0)), (0.0, 0.0), (0.0, 1.0, -1.0), (9, 9))
    turned = scenes.Camera(
        ((-2.0, -1.0, 0.0), (-0.5, 1.0, -2.0)), (0.0, 0.0), (0.0, -1.0, -1.0), (9, 9)
    )
    one, other = np.array([[0, 0, 0, 8, 8, 3.2]]), np.array([[24, 0, 0, 32, 8, 3.2]])
    for camera, side in ((home, "left"), (turned, "right")):
        assert space.relations_between(
            space.as_seen(one, camera), space.as_seen(other, camera)
        ) == [side]  # fmt: skip
