"""Parts against their background: what is missed or joined here is a wrong gold box."""

import json

import cv2
import numpy as np
import pytest
from makers import (
    BLUE,
    GREEN,
    GREY,
    PAPER,
    RED,
    YELLOW,
    Brick,
    as_jpeg,
    graded,
    instruction,
    label_entities,
    parts_picture,
    plain,
)
from outside import MANUAL_SITE

from builder.annotate.foreground import annotate
from core.pictures.media import Picture, read_picture
from synthesis import boxes
from synthesis.foreground import (
    LOSSY_DIFFERENCE_MIN,
    components,
    find_foreground,
    foreground_mask,
)

TWO_ROWS = (
    Brick((60, 50, 160, 120), RED),
    Brick((260, 60, 400, 110), BLUE),
    Brick((80, 220, 180, 300), YELLOW),
    Brick((280, 230, 380, 290), GREEN),
)


def _boxes(rgb, expected=None, alpha=None, difference_min=7.0):
    mask = foreground_mask(rgb, alpha, difference_min)
    return [part.box_px for part in components(mask, rgb, expected)]


@pytest.mark.parametrize(
    "background",
    [
        plain(),  # one light colour
        plain(color=(255, 255, 255)),  # white
        plain(color=(30, 30, 30)),  # dark
        graded(),  # a soft gradient
        graded(low=160, high=250),  # a strong one
    ],
    ids=["paper", "white", "dark", "graded", "strongly graded"],
)
def test_boxes_are_exact_and_in_reading_order(background):
    """Reading order is the order of the text: rows first, then left to right."""
    assert _boxes(parts_picture(TWO_ROWS, background)) == [part.box for part in TWO_ROWS]


def test_a_part_at_the_border_does_not_bend_the_background():
    parts = (Brick((0, 0, 200, 60), RED), Brick((300, 200, 360, 260), BLUE))
    assert _boxes(parts_picture(parts, graded())) == [part.box for part in parts]


@pytest.mark.parametrize("quality", [95, 85, 60], ids=lambda q: f"quality {q}")
def test_jpeg_ringing_makes_no_parts_and_boxes_stay_within_three_pixels(quality):
    found = _boxes(as_jpeg(parts_picture(TWO_ROWS), quality), difference_min=LOSSY_DIFFERENCE_MIN)
    assert len(found) == len(TWO_ROWS)
    for box, part in zip(found, TWO_ROWS, strict=True):
        assert box == pytest.approx(part.box, abs=3)


def test_transparent_pictures_are_read_by_their_alpha():
    """A white part on white is invisible in colours; its alpha is not."""
    alpha = np.zeros((360, 480), np.uint8)
    alpha[100:200, 150:300] = 255
    alpha[250:300, 40:90] = 200
    alpha[0:3, 0:3] = 8  # an invisible veil is no part
    rgb = plain(color=(255, 255, 255))
    assert _boxes(rgb, alpha=alpha) == [(150, 100, 300, 200), (40, 250, 90, 300)]


def test_an_alpha_that_is_all_opaque_says_nothing():
    alpha = np.full((360, 480), 255, np.uint8)
    assert _boxes(parts_picture(TWO_ROWS), alpha=alpha) == [part.box for part in TWO_ROWS]


def test_a_white_part_on_white_is_found_by_its_edges():
    part = Brick((150, 100, 300, 200), (255, 255, 255))
    rgb = parts_picture([part], plain(color=(255, 255, 255)))
    assert _boxes(rgb, expected=1) == [part.box]


def test_fragments_of_one_part_are_joined_up_to_the_number_in_the_text():
    """A white brick shows only its edges and studs: pieces that lie close are one part."""
    rgb = plain(color=(255, 255, 255))
    rgb[100:104, 100:200] = 60  # front edge
    rgb[94:98, 110:130] = 60  # a stud's rim
    rgb[94:98, 160:180] = 60  # another
    rgb[100:160, 320:400] = RED
    assert len(_boxes(rgb)) == 4
    assert _boxes(rgb, expected=2) == [(100, 94, 200, 104), (320, 100, 400, 160)]


def test_parts_that_lie_apart_stay_apart_whatever_the_text_says():
    assert len(_boxes(parts_picture(TWO_ROWS), expected=1)) == 4


def test_a_piece_inside_anothers_box_belongs_to_it():
    """What is seen through a ring of the same part."""
    rgb = plain()
    cv2.circle(rgb, (200, 180), 80, RED, 20)
    rgb[170:190, 190:210] = RED
    assert _boxes(rgb) == [(110, 90, 291, 271)]


def test_specks_are_no_parts():
    rgb = parts_picture(TWO_ROWS[:1])
    rgb[300, 300] = rgb[310, 20] = (0, 0, 0)
    assert _boxes(rgb) == [TWO_ROWS[0].box]


def test_rows_are_told_apart_when_parts_differ_in_height():
    """A tall part and a low one beside it are one row."""
    parts = (
        Brick((40, 40, 100, 160), RED),
        Brick((200, 110, 260, 150), BLUE),
        Brick((350, 60, 420, 90), GREEN),
        Brick((60, 220, 300, 320), YELLOW),
    )
    assert _boxes(parts_picture(parts)) == [part.box for part in parts]


def _softly_shadowed(rgb, box, dark=0.3):
    """The picture with a soft shadow at the foot of a part, as drawings in a light room have."""
    x0, y0, x1, y1 = box
    shadow = np.zeros(rgb.shape[:2], np.float32)
    middle = ((x0 + x1) // 2 + 8, y1 - 8)
    cv2.ellipse(shadow, middle, ((x1 - x0) // 2 + 12, 20), 0, 0, 360, 1, -1)
    shadow = cv2.GaussianBlur(shadow, (0, 0), 8)
    shadow[y0:y1, x0:x1] = 0
    return (rgb * (1 - dark * shadow)[..., None]).astype(np.uint8)


@pytest.mark.parametrize("kind", ["plain", "noisy", "jpeg", "noisy jpeg"])
@pytest.mark.parametrize("color", [BLUE, GREY], ids=["blue", "grey"])
def test_a_soft_shadow_is_no_part(kind, color):
    """Grey is what a shadow is too; but a part has edges."""
    box = (150, 100, 300, 200)
    rgb = _softly_shadowed(parts_picture([Brick(box, color)], plain(color=(250, 250, 250))), box)
    least = 7.0
    if "noisy" in kind:
        noise = np.random.default_rng(0).normal(0, 4, rgb.shape)
        rgb = np.rint(rgb + noise).clip(0, 255).astype(np.uint8)
    if "jpeg" in kind:
        rgb, least = as_jpeg(rgb, 60), LOSSY_DIFFERENCE_MIN
    found = find_foreground(rgb, None, least)
    with_shadow = boxes.of_mask(found.mask)
    assert with_shadow[3] > box[3] + 8 or "jpeg" in kind  # it is there
    (part,) = components(found.mask, rgb, 1, found.core)
    # JPEG smears a vivid hue over a block of the shadow beside it.
    assert part.box_px == pytest.approx(box, abs=8 if "jpeg" in kind and color == BLUE else 3)


@pytest.mark.parametrize("background", [plain(), graded()], ids=["plain", "graded"])
def test_noise_makes_no_parts(background):
    noise = np.random.default_rng(1).normal(0, 4, background.shape)
    rgb = np.rint(parts_picture(TWO_ROWS, background) + noise).clip(0, 255).astype(np.uint8)
    found = find_foreground(rgb)
    parts = components(found.mask, rgb, 4, found.core)
    assert len(parts) == 4
    for part, brick in zip(parts, TWO_ROWS, strict=True):
        assert part.box_px == pytest.approx(brick.box, abs=1)


# The annotator ------------------------------------------------------------------------------


def _annotate(rgb, *labels, alpha=None, lossy=False):
    text = ["Collect the following pieces:", *(" ".join(label) for label in labels)]
    row = instruction(text, label_entities(*labels))
    return annotate(Picture(rgb, alpha, lossy), "0" * 64, row)


def test_parts_are_named_by_colour_against_the_order_of_the_picture():
    """The text's order and the picture's may differ; red is red."""
    result = _annotate(
        parts_picture([TWO_ROWS[1], TWO_ROWS[0]]),
        ("1", "blue", "brick 2x4"),
        ("1", "red", "brick 2x4"),
    )
    assert result.error is None
    assert [(label.label, label.instances_px) for label in result.labels] == [
        ("blue brick 2x4", [TWO_ROWS[1].box]),
        ("red brick 2x4", [TWO_ROWS[0].box]),
    ]


def test_parts_of_one_colour_are_named_by_size():
    small, large = Brick((300, 60, 340, 90), GREY), Brick((60, 50, 260, 120), GREY)
    result = _annotate(
        parts_picture([small, large]), ("1", "grey", "plate 1x1"), ("1", "grey", "plate 2x8")
    )
    assert [label.instances_px for label in result.labels] == [[small.box], [large.box]]


def test_the_answer_is_in_the_form_of_minigpt_v2_and_holds_every_copy():
    copies = [Brick((48, 36, 96, 108), RED), Brick((240, 36, 288, 108), RED)]
    result = _annotate(parts_picture(copies), ("2", "red", "flat tiles 1x2"))
    assert result.answer == "<p>2 red flat tiles</p> {<10><10><60><30>}"
    assert result.labels[0].instances_px == [copy.box for copy in copies]
    assert result.confidence == 1.0


def test_a_picture_shows_at_most_three_copies_and_loses_little_confidence():
    copies = [Brick((40 + 120 * k, 100, 100 + 120 * k, 160), RED) for k in range(3)]
    result = _annotate(parts_picture(copies), ("8", "red", "bricks 2x2"))
    assert (len(result.labels[0].instances_px), result.labels[0].count) == (3, 8)
    assert 0.8 <= result.confidence < 1.0


def test_more_in_the_picture_than_the_only_label_counts_costs_confidence():
    result = _annotate(parts_picture(TWO_ROWS[:2]), ("1", "red", "brick 2x4"))
    assert result.labels[0].instances_px == [brick.box for brick in TWO_ROWS[:2]]
    assert result.confidence <= 0.6


@pytest.mark.parametrize(
    ("rgb", "labels", "error"),
    [
        # an empty picture
        (plain(), [("1", "red", "brick")], "no_part_found"),
        # two kinds asked for, one shown
        (
            parts_picture(TWO_ROWS[:1]),
            [("1", "red", "brick"), ("1", "blue", "plate")],
            "fewer_parts_than_labels",
        ),
        # a text that names no part
        (parts_picture(TWO_ROWS), [], "no_label_in_text"),
        # a photo: everything differs from everything
        (
            np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8),
            [("1", "red", "brick")],
            None,
        ),
    ],
    ids=["empty", "one kind missing", "no label", "photo"],
)
def test_pictures_without_usable_boxes_give_a_reason(rgb, labels, error):
    result = _annotate(rgb, *labels)
    if error is None:
        assert result.error or result.confidence <= 0.6
    else:
        assert (result.error, result.labels, result.confidence) == (error, [], 0.0)


@pytest.mark.parametrize("kind", ["plain", "graded", "transparent", "jpeg"])
def test_every_kind_of_background_gives_boxes_within_a_few_pixels(kind):
    part = Brick((100, 80, 260, 200), BLUE)
    rgb, alpha, lossy = parts_picture([part]), None, False
    if kind == "graded":
        rgb = parts_picture([part], graded())
    elif kind == "transparent":
        alpha = np.where((rgb == PAPER).all(axis=2), 0, 255).astype(np.uint8)
    elif kind == "jpeg":
        rgb, lossy = as_jpeg(rgb), True
    result = _annotate(rgb, ("1", "blue", "brick 2x4"), alpha=alpha, lossy=lossy)
    assert boxes.iou(result.labels[0].instances_px[0], part.box) > 0.95


# Rendered models ----------------------------------------------------------------------------


@pytest.mark.manual_site
@pytest.mark.parametrize("number", ["10156", "6716", "7150a"])  # RGBA, JPEG, RGB
def test_boxes_of_rendered_parts(number):
    """Real shapes: thin rods, transparent parts, white on nearly white."""
    manuals = json.loads((MANUAL_SITE / "truth.json").read_text(encoding="utf-8"))["manuals"]
    (manual,) = (m for m in manuals if m["id"] == number)
    rows = [row for row in manual["rows"] if row.get("eop")][:8]
    for row in rows:
        labels = [(str(e["count"]), e["colour"], e["label"]) for e in row["eop"]]
        picture = read_picture(MANUAL_SITE / "site" / row["image"])
        result = _annotate(picture.rgb, *labels, alpha=picture.alpha, lossy=picture.lossy)
        assert result.error is None, row["text"]
        for found, truth in zip(result.labels, row["eop"], strict=True):
            assert boxes.iou(boxes.union(found.instances_px), truth["union"]) > 0.9, row["text"]
