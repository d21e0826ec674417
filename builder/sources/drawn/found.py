"""How the parts of an object-finding picture lie: rows in reading order, as large as can be."""

import math
from collections.abc import Sequence

from builder.sources.drawn.marks import SIZE_WH, Array

MAX_COPIES_DRAWN = 3  # of a kind; the picture says how many are needed where there are more
GAP_PX = 62
COUNT_PX, COUNT_GAP_PX = 28, 14  # height of the digits that say so, and how far below the part


def best_rows(sizes: Array, most: float) -> tuple[list[list[int]], float]:
    """Rows of indices in reading order, and the scale at which they fill the picture.

    `sizes` (n, 2) are widths and heights in pixels at scale 1; `most` is the largest scale.
    """
    best: tuple[list[list[int]], float] = ([], 0.0)
    for count in range(1, min(3, len(sizes)) + 1):
        a_row = math.ceil(len(sizes) / count)
        rows = [list(range(i, min(i + a_row, len(sizes)))) for i in range(0, len(sizes), a_row)]
        wide = min((880 - GAP_PX * (len(r) - 1)) / sum(sizes[i][0] for i in r) for r in rows)
        high = (632 - GAP_PX * (len(rows) - 1)) / sum(max(sizes[i][1] for i in r) for r in rows)
        scale = min(wide, high, most)
        if scale > best[1] * 1.15:  # a further row must be worth it
            best = (rows, scale)
    return best


def row_centres(
    rows: Sequence[Sequence[int]], sizes_px: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """Where the middle of each part lies, in picture pixels."""
    centres: dict[int, tuple[float, float]] = {}
    heights = [max(sizes_px[i][1] for i in row) for row in rows]
    top = (SIZE_WH[1] - sum(heights) - GAP_PX * (len(rows) - 1)) / 2
    for row, height in zip(rows, heights, strict=True):
        widths = [sizes_px[i][0] for i in row]
        left = (SIZE_WH[0] - sum(widths) - GAP_PX * (len(row) - 1)) / 2
        for i, width in zip(row, widths, strict=True):
            centres[i] = (left + width / 2, top + height / 2)
            left += width + GAP_PX
        top += height + GAP_PX
    return [centres[i] for i in sorted(centres)]
