"""The boundary colour: which saturated colour outlines the newly placed part in a session (T12).

As in the thesis (4.4): K-means (k = 5) over a session's pixels gives candidate colours, a hue and
saturation filter keeps the vivid ones, and the steps vote. A step votes for a candidate by what
makes an outline one: it is thin, it encloses something, it was not there a step before and is gone
a step later. Brick faces fail one of these; so a session without outlines gets no colour.

Pure: pictures in (H, W, 3) uint8 RGB of one size, colours out as (r, g, b).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from synthesis.pixels import difference

Rgb = tuple[int, int, int]

THUMBNAIL_WIDTH_PX = 480
CLUSTERS = 5
MODES_PER_CLUSTER = 2
# HSV filter (0-255): duller or darker pixels are no highlight.
SATURATION_MIN, VALUE_MIN = 140, 90
# What a lossy picture leaves of an outline: hues apart (of 180), saturation and brightness.
HUES, INK_HUE_MAX, INK_SATURATION_MIN, INK_VALUE_MIN = 180, 9, 100, 80
SAMPLES_PER_STEP = 800
# Channel distance within which a pixel has the colour; chroma subsampling blurs lossy pictures.
TOLERANCE, LOSSY_TOLERANCE = 24, 50
# An outline is about 6 px wide in a 960 px picture; an opening of this size removes it.
OUTLINE_OPENING_PX_AT_960 = 11
STEP_SCORE_MIN = 0.45
VOTE_SHARE_MIN = 0.34
# One step alone may show a thin new thing of any colour.
VOTES_MIN = 2
MIN_PIXELS = 40
CHANGE_MIN = 12


@dataclass(frozen=True)
class Vote:
    """The chosen colour of a session (None: no outline), its vote share and all candidates."""

    color: Rgb | None
    score: float
    candidates: tuple[Rgb, ...]


def color_mask(rgb: np.ndarray, color: Rgb, tolerance: int) -> np.ndarray:
    """(H, W) uint8 0/1: pixels whose every channel is within `tolerance` of the colour."""
    low = np.clip(np.array(color) - tolerance, 0, 255)
    high = np.clip(np.array(color) + tolerance, 0, 255)
    found: np.ndarray = cv2.inRange(rgb, low.astype(float), high.astype(float)) // 255
    return found


def inked(rgb: np.ndarray, color: Rgb) -> np.ndarray:
    """(H, W, 3) uint8: a lossy picture in which what has the outline's hue has its very colour.

    Shade and subsampled chroma take a thin line's colour out of any tolerance that bricks stay out
    of, but not far from its hue.
    """
    hue, saturation, value = cv2.split(cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV))
    wanted = int(cv2.cvtColor(np.array([[color]], np.uint8), cv2.COLOR_RGB2HSV)[0, 0, 0])
    apart = np.abs(hue.astype(np.int16) - wanted)
    near = np.minimum(apart, HUES - apart) <= INK_HUE_MAX
    found = rgb.copy()
    found[near & (saturation >= INK_SATURATION_MIN) & (value >= INK_VALUE_MIN)] = color
    return found


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """Every n-th pixel of (H, W, 3), about 480 wide: an outline stays a thin flat line.

    Averaging would blend a line of one colour with its surroundings; leaving out pixels does not.
    """
    step = max(1, round(picture.shape[1] / THUMBNAIL_WIDTH_PX))
    return np.ascontiguousarray(picture[::step, ::step])


def vote(pictures: Sequence[np.ndarray | None], tolerance: int = TOLERANCE) -> Vote:
    """Find the boundary colour of a session from the thumbnails of its step pictures in order.

    None stands for a picture that could not be read; a picture of another size than its
    neighbour is compared with nothing.
    """
    present = [picture for picture in pictures if picture is not None]
    candidates = _candidates(pictures)
    if not candidates:
        return Vote(None, 0.0, ())
    votes = Counter(
        winner
        for index in range(len(pictures))
        if (winner := _winner(pictures, index, candidates, tolerance)) is not None
    )
    if not votes:
        return Vote(None, 0.0, tuple(candidates))
    # Ties go to the candidate that came first, the more frequent one: deterministic.
    best = max(votes, key=lambda color: (votes[color], -candidates.index(color)))
    share = votes[best] / len(present)
    enough = share >= VOTE_SHARE_MIN and votes[best] >= min(VOTES_MIN, len(present))
    return Vote(best if enough else None, round(share, 4), tuple(candidates))


def _comparable(
    pictures: Sequence[np.ndarray | None], index: int, shape: tuple[Any, ...]
) -> np.ndarray | None:
    """The picture at `index` if there is one of that shape."""
    picture = pictures[index] if 0 <= index < len(pictures) else None
    return picture if picture is not None and picture.shape == shape else None


def _candidates(pictures: Sequence[np.ndarray | None]) -> list[Rgb]:
    """Dominant vivid colours among what is new in each step, most frequent first."""
    samples = []
    for index, picture in enumerate(pictures):
        if picture is None:
            continue
        hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL)
        vivid = (hsv[..., 1] >= SATURATION_MIN) & (hsv[..., 2] >= VALUE_MIN)
        before = _comparable(pictures, index - 1, picture.shape)
        if before is not None:
            vivid &= difference(picture, before) >= CHANGE_MIN
        pixels = picture[vivid]
        samples.append(pixels[:: max(1, len(pixels) // SAMPLES_PER_STEP)])
    pixels = np.concatenate(samples) if samples else np.zeros((0, 3), np.uint8)
    if len(pixels) < MIN_PIXELS:
        return []
    return _cluster_modes(pixels)


def _cluster_modes(pixels: np.ndarray) -> list[Rgb]:
    """K-means in the hue circle, then the most frequent flat colours of every cluster.

    A cluster's mean mixes the outline with shaded bricks of its hue; an outline is drawn in one
    flat colour, so it is a mode.
    """
    hsv = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2HSV_FULL)[0].astype(float) / 255
    angle = hsv[:, 0] * 2 * np.pi
    features = np.stack(
        [np.cos(angle) * hsv[:, 1], np.sin(angle) * hsv[:, 1], 0.5 * hsv[:, 2]], axis=1
    )
    k = min(CLUSTERS, len(np.unique(features.round(3), axis=0)))
    from sklearn.cluster import KMeans  # half a second to import, and only workers need it

    owner = KMeans(n_clusters=k, n_init=1, random_state=0).fit_predict(features)
    modes: list[tuple[int, Rgb]] = []
    for cluster in range(k):
        members = pixels[owner == cluster]
        _, inverse, counts = np.unique(
            members // 8, axis=0, return_inverse=True, return_counts=True
        )
        for bin_index in np.argsort(-counts, kind="stable")[:MODES_PER_CLUSTER]:
            middle = np.median(members[inverse.ravel() == bin_index], axis=0)
            red, green, blue = (int(v) for v in middle)
            modes.append((int(counts[bin_index]), (red, green, blue)))
    modes.sort(key=lambda mode: (-mode[0], mode[1]))
    return _distinct([color for _, color in modes])


def _distinct(colors: Sequence[Rgb]) -> list[Rgb]:
    """Leave out colours nearly equal to one that came before."""
    kept: list[Rgb] = []
    for color in colors:
        if all(max(abs(a - b) for a, b in zip(color, other, strict=True)) > 16 for other in kept):
            kept.append(color)
    return kept


def _winner(
    pictures: Sequence[np.ndarray | None], index: int, candidates: Sequence[Rgb], tolerance: int
) -> Rgb | None:
    """The candidate that looks most like an outline in this step, if any does."""
    picture = pictures[index]
    if picture is None:
        return None
    before = _comparable(pictures, index - 1, picture.shape)
    after = _comparable(pictures, index + 1, picture.shape)
    scores = [outline_score(picture, color, tolerance, before, after) for color in candidates]
    best = int(np.argmax(scores))
    return candidates[best] if scores[best] >= STEP_SCORE_MIN else None


def outline_score(
    picture: np.ndarray,
    color: Rgb,
    tolerance: int,
    before: np.ndarray | None,
    after: np.ndarray | None,
) -> float:
    """How much the pixels of this colour look like a highlight outline, 0-1.

    The product of four shares: thin pixels, new pixels, pixels gone a step later, and 1 if the
    colour encloses anything (0.3 if not: tiny parts are all outline).
    """
    mask = color_mask(picture, color, tolerance)
    total = cv2.countNonZero(mask)
    scale = picture.shape[1] / THUMBNAIL_WIDTH_PX
    if total < MIN_PIXELS * scale:
        return 0.0
    score = 1.0
    for other in (before, after):
        if other is not None:
            score *= 1 - cv2.countNonZero(mask & color_mask(other, color, tolerance)) / total
    if score < STEP_SCORE_MIN:
        return 0.0
    size = max(3, round(OUTLINE_OPENING_PX_AT_960 / 2 * scale)) | 1
    thick = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    score *= 1 - cv2.countNonZero(thick) / total
    if score < STEP_SCORE_MIN:  # it can't win, and looking for holes is the costly part
        return 0.0
    return score * (1.0 if _encloses(mask) else 0.3)


def _encloses(mask: np.ndarray) -> bool:
    """Whether the mask shuts anything in: some non-mask pixels can't reach the border."""
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    padded = cv2.copyMakeBorder(closed, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    outside = cv2.floodFill(padded, None, (0, 0), 1)[0]
    inner = padded.size - cv2.countNonZero(closed) - outside
    return bool(inner >= 0.1 * cv2.countNonZero(mask))
