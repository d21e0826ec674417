"""Printed numbers are told from parts, whatever the part's colour and size."""

import cv2
import numpy as np
import pytest
from makers import instruction, label_entities

from builder.annotate.foreground import annotate
from builder.sources.demo import pictures
from builder.sources.demo.brick_parts import COLOURS, KINDS, Part
from builder.sources.demo.builds import Group
from builder.sources.drawn.marks import box_xyxy_px
from core.pictures.media import Picture
from synthesis.foreground import foreground_mask
from synthesis.printed import printed_marks

WHITE, ANGLES_DEG = (255, 255, 255), (30.0, 33.0)


def _drawn(*groups: Group) -> pictures.Drawn:
    shown = pictures.found_parts(groups)
    counts = [len(group.parts) for group in groups]
    return pictures.draw_found(shown, ANGLES_DEG, WHITE, counts)


def _group(label: str, colour: str, count: int) -> Group:
    return Group(tuple(Part(KINDS[label], colour, 0, 0, 0) for _ in range(count)))


def _marks(rgb: np.ndarray) -> np.ndarray:
    return printed_marks(rgb, foreground_mask(rgb))


@pytest.mark.parametrize("colour", ["black", "dark stone grey", "white", "transparent red"])
def test_how_often_a_part_is_needed_is_print_and_the_parts_are_not(colour):
    drawn = _drawn(_group("round plate 1x1", colour, 4), _group("flat tile 1x1", colour, 12))
    marks = _marks(drawn.rgb)
    assert not (marks & (drawn.ids > 0)).any()
    assert cv2.connectedComponents(marks.astype(np.uint8))[0] - 1 == 5  # "4x" and "12x"
    rest = foreground_mask(drawn.rgb) & ~marks & (drawn.ids == 0)
    dark = drawn.rgb.max(axis=2) < 100
    assert not (rest & dark).any()  # no stroke is left over


@pytest.mark.parametrize("label", sorted(KINDS))
def test_no_part_of_any_kind_is_taken_for_print(label):
    """Three to a picture, as of one colour, but each of another."""
    colours = sorted(COLOURS)
    for first in range(0, len(colours), 3):
        some = (colours * 2)[first : first + 3]
        drawn = _drawn(*(_group(label, colour, 1) for colour in some))
        assert not _marks(drawn.rgb).any(), some


def test_small_dark_things_that_are_no_print_stay():
    picture = np.full((720, 960, 3), 255, np.uint8)
    cv2.rectangle(picture, (100, 100), (130, 130), (40, 40, 40), -1)  # solid
    cv2.line(picture, (200, 100), (400, 100), (40, 40, 40), 4)  # a rod: too long
    cv2.putText(picture, "7", (500, 140), 0, 1.5, (200, 20, 20), 3, cv2.LINE_AA)  # in colour
    assert not _marks(picture).any()
    cv2.putText(picture, "38", (700, 140), 0, 1.5, (60, 60, 60), 3, cv2.LINE_AA)
    marks = _marks(picture)
    assert marks[:, 690:].any() and not marks[:, :690].any()


def test_boxes_are_of_parts_only():
    drawn = _drawn(_group("round plate 1x1", "white", 4))
    text = ["Find 4 white round plates 1x1."]
    found = annotate(
        Picture(drawn.rgb, None, False),
        "0" * 64,
        instruction(text, label_entities(("4", "white", "round plates 1x1"))),
    )
    (label,) = found.labels
    truth = [box_xyxy_px(drawn.ids == i) for i in (1, 2, 3)]
    assert np.abs(np.array(label.instances_px) - truth).max() <= 1
