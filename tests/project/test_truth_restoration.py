"""What `measure` says of outlines taken off: much of the truth is there again, and without looking
at other pictures much less of it would be."""

import json

import pytest

from benchmarks import truth_restoration
from core.store import DEMO
from synthesis import negatives
from synthesis.restoration import without_outline


@pytest.fixture(scope="module")
def measured(demo):
    """Measures of the first manual, as a function of nothing."""
    truth_folder = demo / "w" / DEMO
    path = min((truth_folder / "truth").glob("*.json"))
    manual = json.loads(path.read_bytes())["manual"]
    return lambda: truth_restoration.restoration_measures(
        demo / "w", [(manual["id"], manual)], truth_folder
    )


def test_pixels_and_lines_that_outlines_hid_are_there_again(measured, monkeypatch):
    ours = measured()
    assert ours["restored_pictures"] >= 5
    assert ours["restored_difference"] < 6 and ours["restored_off_share"] < 0.08
    assert ours["restored_line_share"] > 0.9

    def alone(picture, outline, part, later, earlier):
        return without_outline(picture, outline), None

    monkeypatch.setattr(negatives, "uncovered", alone)
    theirs = measured()
    assert theirs["restored_pictures"] == ours["restored_pictures"]
    assert theirs["restored_off_share"] > 3 * ours["restored_off_share"]
    assert theirs["restored_line_share"] < ours["restored_line_share"] / 2
