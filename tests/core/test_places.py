"""Places in words, for people and for scoring."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.answers import format_boxes
from core.frames import FRAMES, every_frame, smart_resize, to_norm100
from core.metrics import Said
from core.places import place_of, quadrant_of, quadrants_said
from evaluation.prompts import Setting, ask, expected_answer
from tasks import TASKS

PERCENT = st.floats(0, 100, allow_nan=False)


def test_nine_places():
    words = [place_of((x, y, x + 20, y + 20)) for y in (5, 40, 75) for x in (5, 40, 75)]
    assert words == [
        "upper left", "upper middle", "upper right", "middle left", "middle", "middle right",
        "lower left", "lower middle", "lower right",
    ]  # fmt: skip


@given(PERCENT, PERCENT)
def test_a_corner_in_words_is_the_quadrant_of_the_box(x, y):
    box = (x, y, x, y)
    said = quadrants_said(format_boxes([("1 tile", box)], "words"))
    assert said in ([], [quadrant_of(box)])
    if {x < 33, x > 67} == {y < 33, y > 67} == {True, False}:
        assert said == [quadrant_of(box)]


def test_every_frame_and_back():
    box, size = (12.5, 20.0, 50.0, 80.0), (640, 480)
    found = every_frame(box, size)
    assert set(found) == {*FRAMES, "coco_px"}
    assert found["norm1000"] == pytest.approx((125, 200, 500, 800))
    assert found["px"] == (80, 96, 320, 384) and found["coco_px"] == (80, 96, 240, 288)
    width, height = smart_resize(size)
    assert found["resized_px"] == pytest.approx((width / 8, height / 5, width / 2, height * 0.8))
    for frame in FRAMES:
        assert to_norm100(found[frame], frame, size) == pytest.approx(box)


def item(build_items, boxes: int):
    return next(one for one in build_items if len(one.labels) == boxes)


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    from benchmark_build import write_build

    from core.items import load_items

    build = write_build(tmp_path_factory.mktemp("b") / "build", manuals=2, test_manuals=1)
    return load_items(build, "object", "test")


def scores(one, answer: str) -> tuple[float, float]:
    counts = TASKS["object"].score.answered(one, Said(answer)).counts
    return counts["center_hits"], counts["quadrants"]


def test_coarse_places_are_scored_of_boxes_and_of_words(items):
    one, two = item(items, 1), item(items, 2)
    x0, y0, x1, y1 = map(int, one.boxes_norm100[0])
    right, below = quadrant_of(one.boxes_norm100[0])
    inside = f"<p>a</p> {{<{x0}><{y0}><{x1 + 1}><{y1 + 1}>}}"
    assert scores(one, inside) == scores(one, one.answer) == (1, 1)
    corner = (0 if right else 95, 0 if below else 95)
    far = f"<p>a</p> {{<{corner[0]}><{corner[1]}><{corner[0] + 4}><{corner[1] + 4}>}}"
    assert scores(one, far) == (0, 0)
    words = f"It is in the {'bottom' if below else 'top'}-{'right' if right else 'left'} corner."
    assert scores(one, words) == (0, 1) and scores(one, "It is on the left.") == (0, 0)
    assert scores(two, words)[1] == 0.5  # of one of two


def test_asked_in_words_and_answered_in_words(items):
    setting = Setting(examples="none", boxes="words")
    one = item(items, 1)
    assert ask(one, setting).endswith("lower right: 1 object name: upper left")
    name = expected_answer(one, setting).partition(": ")
    assert name[0].startswith("1 ") and name[2] == place_of(one.boxes_norm100[0])
