"""Several pictures on one, for models and tools that take one picture."""

from collections.abc import Sequence

import cv2
import numpy as np

LABEL_PX, GAP_PX = 34, 8


def sheet(pictures: Sequence[np.ndarray], labels: Sequence[str]) -> np.ndarray:
    """The pictures two in a row, what is shown above the options, a label above each."""
    width = pictures[0].shape[1]
    cells = []
    for picture, label in zip(pictures, labels, strict=True):
        strip = np.full((LABEL_PX, width, 3), 255, np.uint8)
        cv2.putText(strip, label, (8, LABEL_PX - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.9, (0, 0, 0), 2,
                    cv2.LINE_AA)  # fmt: skip
        cells.append(np.vstack([strip, picture]))
    blank = np.full_like(cells[0], 255)
    if len(cells) % 2:
        cells.insert(1, blank)
    gap = np.full((cells[0].shape[0], GAP_PX, 3), 200, np.uint8)
    rows = [np.hstack([cells[i], gap, cells[i + 1]]) for i in range(0, len(cells), 2)]
    line = np.full((GAP_PX, rows[0].shape[1], 3), 200, np.uint8)
    return np.vstack([part for row in rows for part in (line, row)][1:])
