"""What card and manifest say of masks is what the rows are."""

import collections

import numpy as np
import pytest
from PIL import Image

from builder.release import areas
from builder.release.areas import Kind
from core.build import manifest_of, read_rows
from core.masks import read_mask


def test_the_manifest_counts_every_mask(demo):
    build = demo / "lego-arta"
    rows = [row.columns for row in read_rows(build, "mask")]
    told = manifest_of(build)["mask_counts"]
    assert all(sum(told[by].values()) == len(rows) > 0 for by in told)
    origins = collections.Counter(areas.ORIGINS[row["origin"]] for row in rows)
    assert told["origin"] == {name: origins[name] for name in areas.ORIGINS}
    masks = [read_mask(row["mask"]["bytes"]) for row in rows]
    counts, _ = np.histogram([mask.mean() for mask in masks], areas.EDGES)
    assert list(told["area"].values()) == counts.tolist()


@pytest.mark.parametrize(("area", "place"), [(0.0, 0), (0.005, 1), (0.07, 4), (0.5, 8), (1.0, 8)])
def test_a_row_is_counted_by_its_area_and_by_the_level_that_is_asked(area, place):
    row = {
        "query": "What was found last.", "area_ratio": area, "origin": 2, "source": 0,
        "instruction_variants": [{"level": "simple", "text": "The plate."},
                                 {"level": "complex", "text": "What was found last."}],
    }  # fmt: skip
    assert areas.kind_of(row) == Kind("state", "exact", "complex", place)
    readable = {**row, "query": f"{row['query']} Mark what this is about."}
    assert areas.kind_of(readable) == areas.kind_of(row)


def test_bars_are_as_high_as_their_numbers(tmp_path):
    counts = {Kind("object", "exact", "simple", 2): 30, Kind("scene", "machine", "manual", 4): 15}
    text = areas.section(tmp_path, counts)
    assert "1 to 2 %: 30; 5 to 10 %: 15" in text and "| object | 30 | 0 | 0 | 30 | 0 | 0 |" in text
    with Image.open(tmp_path / areas.PICTURE) as image:
        rgb = np.asarray(image.convert("RGB"), int)
    green = (rgb[..., 1] - rgb[..., 0]) > 100
    high = [green[:, 12 + p * areas.BAR_WH[0] + 30].sum() for p in range(len(areas.EDGES) - 1)]
    assert high[2] == pytest.approx(areas.BAR_WH[1], abs=2)
    assert high[4] == pytest.approx(areas.BAR_WH[1] / 2, abs=2)
    assert all(h <= 1 for p, h in enumerate(high) if p not in (2, 4))
    assert areas.section(tmp_path, {}) == ""
