"""Maps that read no instruction, (H, W) float32 from 0 to 1: what a model of masks must beat."""

from collections.abc import Callable, Mapping

import numpy as np

# The middle half of width and height is above this.
HALF = 0.5


def everything(rgb: np.ndarray) -> np.ndarray:
    """The whole picture (H, W, 3)."""
    return np.ones(rgb.shape[:2], np.float32)


def all_foreground(rgb: np.ndarray) -> np.ndarray:
    """All that stands before the background of a picture (H, W, 3) uint8, printed numbers left
    out."""
    from synthesis.foreground import foreground_mask
    from synthesis.printed import printed_marks

    mask = foreground_mask(rgb)
    found: np.ndarray = (mask & ~printed_marks(rgb, mask)).astype(np.float32)
    return found


def centre(rgb: np.ndarray) -> np.ndarray:
    """1 in the middle of the picture (H, W, 3), 0 at its border; above one half lies the middle
    quarter of its area."""
    height, width = rgb.shape[:2]
    y = np.abs((np.arange(height, dtype=np.float32) + HALF) / height * 2 - 1)
    x = np.abs((np.arange(width, dtype=np.float32) + HALF) / width * 2 - 1)
    found: np.ndarray = 1 - np.maximum(y[:, None], x[None, :])
    return found


BASELINES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "everything": everything,
    "all-foreground": all_foreground,
    "centre": centre,
}
