"""What can be said of a mask without knowing the truth: what tells good masks from bad ones."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from core.colors import color_lab
from synthesis.boxes import of_mask
from synthesis.edges import EDGE_MIN, LOSSY_EDGE_MIN, edge_strength
from tasks.mask.annotators import ANNOTATORS
from tasks.mask.candidates import agreement
from tasks.mask.views import View

# A step that nobody confirms, a part without a colour word: neither for nor against.
UNKNOWN = 0.5
# CIE Lab distances at which a colour is another one, as in `builder/annotate/foreground.py`.
LIGHTNESS_SCALE, CHROMA_SCALE = 30.0, 25.0
COLOR_SAMPLES = 2000
# log10 of the smallest share of a picture that still counts.
SHARE_LOG_MIN = -4.0


class Features(NamedTuple):
    """Measures of one mask, each 0 to 1.

    `agreement` is the mean over the other annotators' masks, `area` the share of the picture on a
    log scale, `border` the share of the mask's box sides that lie on the picture's, `foreground`
    the share that stands before the background, `edges` the share of the contour that lies on
    edges, `color` how well the pieces have the named colours, `compact` 4 pi area / perimeter^2.
    """

    agreement: float
    area: float
    border: float
    foreground: float
    edges: float
    color: float
    compact: float
    lossy: float


NAMES = (*Features._fields, *(f"by_{name}" for name in ANNOTATORS))


def vector(features: Features, annotator: str) -> list[float]:
    """The numbers in the order of `NAMES`, with one for each known annotator."""
    by = [float(name == annotator) for name in ANNOTATORS]
    return [round(float(v), 4) for v in (*features, *by)]


def features_of(view: View, numbers: np.ndarray, others: Sequence[np.ndarray]) -> Features | None:
    """Measures of a numbered mask (H, W), `others` those of the other annotators; None of an empty
    one."""
    mask = numbers > 0
    box = of_mask(mask)
    if box is None:
        return None
    x0, y0, x1, y1 = (int(v) for v in box)
    width, height = view.picture.size_wh
    margin = 6
    window = np.s_[max(0, y0 - margin) : y1 + margin, max(0, x0 - margin) : x1 + margin]
    own, rgb = mask[window], view.picture.rgb[window]
    area = int(own.sum())
    agreed = [agreement(numbers, other) for other in others]
    share = np.log10(max(area / mask.size, 10**SHARE_LOG_MIN))
    return Features(
        float(np.mean(agreed)) if agreed else UNKNOWN,
        float(1 - share / SHARE_LOG_MIN),
        ((x0 <= 0) + (y0 <= 0) + (x1 >= width) + (y1 >= height)) / 4,
        float((view.now[0][window] & own).sum() / area),
        _on_edges(view, window, own),
        _color_match(view, numbers[window], rgb),
        _compactness(own),
        float(view.lossy),
    )


def _on_edges(view: View, window: tuple[slice, slice], own: np.ndarray) -> float:
    """Share of the contour's pixels on an edge of the picture, or on the outline of new parts."""
    inside = own.astype(np.uint8)
    padded = cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    rim = (inside - cv2.erode(padded, np.ones((3, 3), np.uint8))[1:-1, 1:-1]) > 0
    rgb = view.picture.rgb[window]
    strong = edge_strength(rgb, view.lossy) >= (LOSSY_EDGE_MIN if view.lossy else EDGE_MIN)
    strong |= view.band[window] > 0
    return float(strong[rim].mean()) if rim.any() else 0.0


def _color_match(view: View, numbers: np.ndarray, rgb: np.ndarray) -> float:
    """How near the pieces' colours are to the nearest of the named ones, by area; 1 is the colour
    itself, 0 another one."""
    wanted = [
        lab for name in view.color_names if (lab := color_lab(name, _background(view))) is not None
    ]
    if not wanted:
        return UNKNOWN
    total, matched = 0, 0.0
    for number in range(1, int(numbers.max()) + 1):
        pixels = rgb[numbers == number]
        if not len(pixels):
            continue
        sample = pixels[:: max(1, len(pixels) // COLOR_SAMPLES)].astype(np.float32)[None] / 255
        lab = cv2.cvtColor(sample, cv2.COLOR_RGB2LAB)[0]
        lit = np.median(lab[lab[:, 0] >= np.percentile(lab[:, 0], 40)], axis=0)
        apart = min(
            float(np.hypot((lit[0] - one[0]) / LIGHTNESS_SCALE,
                           np.hypot(lit[1] - one[1], lit[2] - one[2]) / CHROMA_SCALE))
            for one in wanted
        )  # fmt: skip
        matched += len(pixels) * max(0.0, 1 - apart / 2)
        total += len(pixels)
    return matched / total


def _background(view: View) -> tuple[float, float, float]:
    """The colour of the picture's corners, which shows through transparent parts."""
    corners = view.picture.rgb[[2, 2, -3, -3], [2, -3, 2, -3]]
    red, green, blue = (float(v) for v in np.median(corners, axis=0))
    return red, green, blue


def _compactness(own: np.ndarray) -> float:
    """4 pi area / perimeter^2 of all pieces, weighted by their area."""
    contours, _ = cv2.findContours(own.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    total, rated = 0.0, 0.0
    for contour in contours:
        area, around = cv2.contourArea(contour), cv2.arcLength(contour, True)
        if around > 0 and area > 0:
            total += area
            rated += area * min(1.0, 4 * np.pi * area / around**2)
    return rated / total if total else 0.0
