"""Tables that a build has beside its rows."""

import numpy as np
from makers import PageRow, crawl_folder

from builder.release.reviews import NO_REVIEWS
from builder.release.survey import Manuals, survey
from builder.stages import BuildOptions, build_manual
from core.build import records
from core.pictures.media import encode


def test_what_a_manual_says_of_itself(tmp_path):
    """Thesis, Figure 4.1: lines before the first picture are the summary."""
    picture = encode(np.full((90, 120, 3), 255, np.uint8), "png")
    manual_id = crawl_folder(
        tmp_path / "work",
        [
            PageRow(None, lines=["<p>This set has 3 bags.</p>", "<p>Sort the pieces first.</p>"]),
            PageRow(None, lines=["The gate stands on a plate."]),
            PageRow("Gate-0_eop_A.png", picture, ["Find 1 red brick 2x4."]),
            PageRow(None, lines=["Turn the model around."]),
        ],
    )
    build_manual(manual_id, BuildOptions(tmp_path / "work"))
    manuals = Manuals(tmp_path / "work", [manual_id], NO_REVIEWS.decided())
    found = survey(tmp_path / "out", manuals, [])
    assert found.records["manuals"] == 1
    (told,) = records(tmp_path / "out", {}, "manuals")
    assert told["manual_id"] == manual_id and told["title"] and told["set_number"] == "60001"
    assert told["introduction"] == [
        "This set has 3 bags.", "Sort the pieces first.", "The gate stands on a plate.",
    ]  # fmt: skip
    assert told["instructions"] == 4
