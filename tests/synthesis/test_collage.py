"""The 2x2 collage: gold boxes must lie on the pixels of the part they name (T10)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import GREEN, RED, plain

from core.boxtext import box_answer
from synthesis import boxes, collage

SOURCE_BOX = (28, 17, 73, 50)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (0, (14, 8.5, 36.5, 25)),  # top left
        (1, (64, 8.5, 86.5, 25)),  # top right
        (2, (14, 58.5, 36.5, 75)),  # bottom left
        (3, (64, 58.5, 86.5, 75)),  # bottom right
    ],
)
@pytest.mark.parametrize(
    "size_wh",
    [
        (960, 720),  # the site's pictures
        (480, 480),  # square
        (3600, 1800),  # large, scaled down
        (120, 90),  # small, scaled up
    ],
)
def test_golden_boxes_of_the_four_cells(cell, expected, size_wh):
    cell_wh = collage.cell_size(size_wh)
    fitted = collage.fit(plain(size_wh), cell_wh)
    box_px = boxes.norm100_to_px(SOURCE_BOX, size_wh)
    placed = collage.box_in_collage(box_px, fitted, cell, cell_wh)
    collage_wh = (2 * cell_wh[0], 2 * cell_wh[1])
    assert boxes.px_to_norm100(placed, collage_wh) == pytest.approx(expected, abs=1e-9)


def test_the_answer_text_of_the_top_left_cell():
    """Halves are rounded up: 8.5 is 9 and 36.5 is 37."""
    answer = box_answer([("2 transparent red flat tiles", (14, 8.5, 36.5, 25))])
    assert answer == "<p>2 transparent red flat tiles</p> {<14><9><37><25>}"


def _marked(size_wh: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    picture = plain(size_wh, (255, 255, 255))
    x0, y0, x1, y1 = box
    picture[y0:y1, x0:x1] = RED
    return picture


def _found(picture: np.ndarray) -> boxes.Box:
    """Box of the pixels that are more red than white."""
    found = boxes.of_mask(picture[..., 1] < 128)
    assert found is not None
    return found


@st.composite
def marked_picture(draw):
    width, height = draw(st.integers(40, 700)), draw(st.integers(40, 700))
    # Off the border: what a picture is padded with is its border's colour.
    x0, y0 = draw(st.integers(1, width * 2 // 3)), draw(st.integers(1, height * 2 // 3))
    x1 = draw(st.integers(x0 + width // 4, width - 1))
    y1 = draw(st.integers(y0 + height // 4, height - 1))
    return (width, height), (x0, y0, x1, y1)


@settings(max_examples=25)
@given(marked_picture(), marked_picture(), st.integers(0, 3))
def test_boxes_follow_the_pixels_whatever_the_sizes(target, other, cell):
    """The target sets the cell's shape; a picture of another shape is fitted beside it."""
    cell_wh = collage.cell_size(target[0])
    empty = collage.fit(plain((300, 200), (255, 255, 255)), cell_wh).cell
    for size_wh, box in (target, other):
        fitted = collage.fit(_marked(size_wh, box), cell_wh)
        cells = [empty] * collage.CELLS
        cells[cell] = fitted.cell
        expected = collage.box_in_collage(box, fitted, cell, cell_wh)
        assert _found(collage.compose(cells)) == pytest.approx(
            expected, abs=max(1.0, *fitted.scale_xy)
        )


@settings(max_examples=50)
@given(
    st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    st.tuples(st.integers(1, 500), st.integers(1, 500)),
)
def test_a_picture_is_not_distorted_beyond_rounding_and_stays_in_its_cell(size_wh, cell_wh):
    fitted = collage.fit(np.zeros((size_wh[1], size_wh[0], 3), np.uint8), cell_wh)
    assert fitted.cell.shape == (cell_wh[1], cell_wh[0], 3)
    inner = [size_wh[axis] * fitted.scale_xy[axis] for axis in (0, 1)]
    exact = min(cell_wh[0] / size_wh[0], cell_wh[1] / size_wh[1])
    for axis in (0, 1):
        assert inner[axis] == pytest.approx(max(1, size_wh[axis] * exact), abs=0.51)
        assert 0 <= fitted.offset_xy[axis]
        assert fitted.offset_xy[axis] + inner[axis] <= cell_wh[axis] + 1e-6


def test_what_is_left_of_a_cell_has_the_pictures_own_background():
    """White bars around a grey picture would tell which cells hold pictures of another shape."""
    picture = plain((300, 100), (200, 210, 220))
    picture[30:60, 100:200] = GREEN
    cell = collage.fit(picture, (200, 150)).cell
    assert (cell[0] == (200, 210, 220)).all() and (cell[-1] == (200, 210, 220)).all()


@pytest.mark.parametrize("size_wh", [(300, 100), (100, 300), (97, 61)])
def test_a_picture_stands_in_the_middle_of_its_cell(size_wh):
    fitted = collage.fit(plain(size_wh), (201, 150))
    for axis, side in enumerate((201, 150)):
        after = side - fitted.offset_xy[axis] - size_wh[axis] * fitted.scale_xy[axis]
        assert after == pytest.approx(fitted.offset_xy[axis], abs=1.001)


@pytest.mark.parametrize(
    "shapes",
    [
        [(4, 4, 3)] * 3,  # a cell missing
        [(4, 4, 3)] * 5,  # one too many
        [(4, 4, 3)] * 3 + [(4, 5, 3)],  # sizes differ
    ],
)
def test_cells_that_make_no_grid_are_refused(shapes):
    with pytest.raises(ValueError, match="4 cells of one size"):
        collage.compose([np.zeros(shape, np.uint8) for shape in shapes])


def test_the_long_side_of_every_collage_is_the_same():
    """A size that depends on the source would tell manuals apart."""
    for size_wh in ((960, 720), (720, 960), (1600, 1200), (50, 7)):
        assert max(collage.cell_size(size_wh)) * 2 == collage.COLLAGE_LONG_SIDE_PX
