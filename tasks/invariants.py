"""What several tasks ask of their rows."""

from collections.abc import Iterator, Sequence

# float32 columns of a few thousand pixels are this exact at least.
EPSILON_PX = 0.01


def box_violations(
    row_id: str, box_xyxy_px: Sequence[float], frame_xyxy_px: Sequence[float]
) -> Iterator[str]:
    """Yield what is wrong with a box: it has an area and lies in its frame."""
    x0, y0, x1, y1 = box_xyxy_px
    left, top, right, bottom = frame_xyxy_px
    e = EPSILON_PX
    if not (left - e <= x0 < x1 <= right + e and top - e <= y0 < y1 <= bottom + e):
        yield f"{row_id}: a box lies in its frame {tuple(frame_xyxy_px)}, found {box_xyxy_px}"
