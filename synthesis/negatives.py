"""Wrong states from right ones (T14, B5): the highlighted part moved, changed, left out, doubled.

All pictures of a step, the right one too, are one canvas (the step before without its outline) with
one cut-out mixed in, so they differ in nothing but what was done wrong. Pure: pixels and masks in
and out; randomness comes from the given generator.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from synthesis import segmentation
from synthesis.boundary import Rgb, color_mask
from synthesis.boxes import Box, of_mask
from synthesis.cutout import Cutout, cut, lift, mirrored, put_down, recolored, turned
from synthesis.pixels import difference, grown
from synthesis.placement import SHIFT_FRACTION_MIN, Place, shift_fraction, wrong_places
from synthesis.restoration import RIM_PX, Line, Sight, bare, uncovered
from synthesis.segmentation import Segment

NEGATIVES_PER_STEP = 3
KINDS = ("shift", "rotate", "mirror", "wrong_color", "wrong_part", "missing", "extra")
# A pixel has changed when a channel differs by this much; more such pixels than this share of the
# new part's own, or of what was built before, away from the part and the outlines, mean that the
# view changed. (With a fixed view: at most 0.0007 of what was built, in 121 steps of real models.)
VIEW_CHANGE_MIN, VIEW_CHANGED_SHARE, VIEW_CHANGED_OF_ASSEMBLY = 40, 0.5, 0.05
# Screening. A person sees a change in pixels that differ by so much ...
VISIBLE_DIFFERENCE_MIN = 32
# ... where they make up this share of the part's area; the same share for turned and mirrored parts
# says that they are not symmetric.
CHANGED_SHARE_MIN = 0.15
# Of a part that shows less than this many pixels in a 960 px wide picture nobody can tell.
PART_PX_MIN_AT_960 = 60
# Colours nearer than this (CIE Lab) are called the same; masks alike above this IoU too.
COLOR_DISTANCE_MIN, SAME_SHAPE_IOU = 30.0, 0.8
# A piece farther than this from what was built stands on nothing.
NEAR_PX = 3


@dataclass(frozen=True)
class Scene:
    """One step, ready to be done right or wrong.

    `canvas` (H, W, 3) shows the step before (without its outline, when matched), `right` the step
    done right, `before` the step before with its outline; `assembly` (H, W) bool is what was built
    before and `background_px` its box; `line` is how borders of parts are drawn, where it is known.
    """

    canvas: np.ndarray
    right: np.ndarray
    before: np.ndarray
    cutout: Cutout
    assembly: np.ndarray
    background_px: Box
    lossy: bool = False
    line: Line | None = None


@dataclass(frozen=True)
class Earlier:
    """What the step before added: `outline` (H, W) bool around it in that step's picture, `part`
    (H, W) bool its own pixels there, `sight` how all looked before it; None where nothing tells."""

    outline: np.ndarray
    part: np.ndarray
    sight: Sight | None = None


@dataclass(frozen=True)
class Wrong:
    """One wrong state. `part_box_px` is where the part in question is, None when it is missing;
    `shift_xy_px` how far it lies from its right place, `turn` what was done to it in place: quarter
    turns counterclockwise."""

    kind: str
    rgb: np.ndarray
    part_box_px: Box | None
    shift_xy_px: tuple[int, int] = (0, 0)
    shift_fraction: float = 0.0
    turn: int = 0


@dataclass
class Supply:
    """What wrong states can be made from besides the scene, and what screening has turned down.

    `others` gives cut-outs of other parts of the session, `colors` other colours (r, g, b).
    """

    others: Callable[[], Sequence[Cutout]] = lambda: ()
    colors: Sequence[tuple[int, int, int]] = ()
    screened: Counter[Any] = field(default_factory=Counter[str])


def view_changed(
    picture: np.ndarray,
    before: np.ndarray,
    segment: Segment,
    expected: np.ndarray,
    assembly: np.ndarray,
) -> bool:
    """Whether the camera or the model moved between T-2 and T.

    With a fixed view nothing differs but the new part, its outline and what is `expected` (H, W)
    bool to: the old outline, printed numbers. A part pasted from another view would lie wrong even
    at zero shift. `assembly` (H, W) bool is what was built before.
    """
    explained = cv2.dilate(
        (segment.part | segment.outline | expected).astype(np.uint8), np.ones((11, 11), np.uint8)
    ).astype(bool)
    changed = int(((difference(picture, before) >= VIEW_CHANGE_MIN) & ~explained).sum())
    return changed > min(
        VIEW_CHANGED_SHARE * max(1, int(segment.part.sum())),
        VIEW_CHANGED_OF_ASSEMBLY * max(1, int(assembly.sum())),
    )


def earlier_step(
    before: np.ndarray,
    outline: np.ndarray,
    two_before: np.ndarray | None,
    color: Rgb,
    tolerance: int,
) -> Earlier:
    """What the step of the picture `before` (H, W, 3) added, whose `outline` (H, W) bool is known;
    `two_before` shows what it was added to, None where there is no such picture."""
    same_size = two_before is not None and two_before.shape == before.shape
    own = segmentation.segment(before, two_before if same_size else None, color, tolerance)
    if own is None:
        return Earlier(outline, np.zeros_like(outline))
    if two_before is None or not same_size:
        return Earlier(outline, own.part)
    hidden = grown(color_mask(two_before, color, tolerance), RIM_PX)
    return Earlier(outline, own.part, Sight(two_before, hidden))


def make_scene(
    picture: np.ndarray,
    before: np.ndarray,
    segment: Segment,
    earlier: Earlier,
    assembly: np.ndarray,
    lossy: bool = False,
    matched: bool = True,
) -> Scene | None:
    """Everything a step's pictures are made from; None when nothing was built before (A17).

    All pictures of the step have one canvas: what of it the step's own picture shows, what that of
    two steps before does, and what is made up are the same in the right one and the wrong ones. Not
    `matched` is as published: the right picture is the manual's, and the part is cut and pasted
    as it is on the picture of the step before, outline and all.
    """
    background = of_mask(assembly)
    if background is None:
        return None
    if not matched:
        cutout = cut(picture, segment)
        return Scene(before, picture, before, cutout, assembly, background, lossy)
    sight = Sight(picture, grown(segment.part | segment.outline, RIM_PX))
    canvas, line = uncovered(before, earlier.outline, earlier.part, sight, earlier.sight)
    cutout = lift(picture, canvas, segment, lossy)
    right = put_down(canvas, cutout, (0, 0))
    if earlier.outline.any():
        ring = lift(before, canvas, Segment(earlier.outline, earlier.outline, cutout.box_px), lossy)
        before = put_down(canvas, ring, (0, 0))
    return Scene(canvas, right, before, cutout, assembly, background, lossy, line)


def too_small(cutout: Cutout, picture_width_px: int) -> bool:
    """Screening of a step: a part of which hardly anything shows can't be judged."""
    scale = picture_width_px / 960
    return int((cutout.part & ~cutout.outline).sum()) < PART_PX_MIN_AT_960 * scale**2


def wrong_states(
    scene: Scene, typed: bool, rng: random.Random, supply: Supply, number: int = NEGATIVES_PER_STEP
) -> list[Wrong]:
    """Up to `number` different wrong states.

    As in the paper all are shifts; `typed` draws a different kind for each as far as they can be
    made, and fills up with shifts.
    """
    if not typed:
        return _shifted(scene, rng, supply, number)
    found: list[Wrong] = []
    for kind in rng.sample(KINDS, len(KINDS)):
        if len(found) == number:
            break
        if kind == "shift":
            found += _shifted(scene, rng, supply, 1)
        elif (made := _MAKERS[kind](scene, rng, supply)) is not None:
            found.append(made)
    if len(found) < number:  # short of kinds: more shifts, away from the one there may be
        shifts = [w.shift_xy_px for w in found if w.kind == "shift"]
        for wrong in _shifted(scene, rng, supply, number + len(shifts)):
            dx, dy = wrong.shift_xy_px
            apart = [shift_fraction((dx - x, dy - y), scene.background_px) for x, y in shifts]
            if len(found) < number and min(apart, default=1) >= SHIFT_FRACTION_MIN:
                found.append(wrong)
    return found


def _seen(scene: Scene, wrong: Wrong, supply: Supply, reason: str = "change_too_small") -> bool:
    """Screening of one wrong state: does it visibly differ from the right one?

    The outline alone does not count: where it runs, both pictures are left out of account.
    """
    where = np.nonzero(difference(scene.right, wrong.rgb) >= VISIBLE_DIFFERENCE_MIN)
    color = np.median(scene.cutout.rgb[scene.cutout.outline], axis=0).astype(np.int16)
    seen = np.ones(len(where[0]), bool)
    for picture in (scene.right, wrong.rgb):
        seen &= np.abs(picture[where] - color).max(axis=1) > VISIBLE_DIFFERENCE_MIN
    if seen.sum() >= CHANGED_SHARE_MIN * scene.cutout.part.sum():
        return True
    supply.screened[f"{wrong.kind}: {reason}"] += 1
    return False


def _shifted(scene: Scene, rng: random.Random, supply: Supply, number: int) -> list[Wrong]:
    places = wrong_places(
        scene.cutout, scene.canvas, scene.assembly, scene.background_px, rng, number, scene.lossy
    )
    made = [_at(scene, place, "shift", scene.canvas) for place in places]
    return [wrong for wrong in made if _seen(scene, wrong, supply)]


def _at(scene: Scene, place: Place, kind: str, canvas: np.ndarray) -> Wrong:
    rgb = put_down(canvas, scene.cutout, place.shift_xy_px)
    return Wrong(kind, rgb, place.box_px, place.shift_xy_px, place.shift_fraction)


def _in_place(
    scene: Scene, kind: str, cutout: Cutout, supply: Supply, turn: int = 0
) -> Wrong | None:
    """The changed cut-out where the right one belongs; None when it would leave the picture, or a
    piece of it would hang in the air."""
    (x, y), (h, w) = cutout.xy_px, cutout.alpha.shape
    if x < 0 or y < 0 or x + w > scene.canvas.shape[1] or y + h > scene.canvas.shape[0]:
        return None
    if _hovering(scene, cutout) > _hovering(scene, scene.cutout):
        supply.screened[f"{kind}: hovers"] += 1
        return None
    rgb = put_down(scene.canvas, cutout, (0, 0))
    return Wrong(kind, rgb, cutout.box_px, turn=turn)


def _hovering(scene: Scene, cutout: Cutout) -> int:
    """How many pieces of a cut-out have nothing of what was built before beside them."""
    (x, y), (h, w) = cutout.xy_px, cutout.alpha.shape
    solid = cutout.part | cutout.outline
    near = grown(scene.assembly, NEAR_PX)[y : y + h, x : x + w]
    count, pieces = cv2.connectedComponents(solid.astype(np.uint8), connectivity=8)
    standing: int = len(np.unique(pieces[near & solid]))
    return int(count) - 1 - standing


def _rotated(scene: Scene, rng: random.Random, supply: Supply) -> Wrong | None:
    for turn in rng.sample((1, 2, 3), 3):
        wrong = _in_place(scene, "rotate", turned(scene.cutout, turn), supply, turn)
        if wrong is not None and _seen(scene, wrong, supply, "looks_the_same"):
            return wrong
    return None


def _mirrored(scene: Scene, rng: random.Random, supply: Supply) -> Wrong | None:
    wrong = _in_place(scene, "mirror", mirrored(scene.cutout), supply)
    if wrong is None or not _seen(scene, wrong, supply, "looks_the_same"):
        return None
    return wrong


def _recolored(scene: Scene, rng: random.Random, supply: Supply) -> Wrong | None:
    own = main_color(scene.cutout)
    other = [c for c in supply.colors if color_distance(c, own) >= COLOR_DISTANCE_MIN]
    if not other:
        return None
    wrong = _in_place(scene, "wrong_color", recolored(scene.cutout, rng.choice(other)), supply)
    return wrong if wrong is not None and _seen(scene, wrong, supply) else None


def _other_part(scene: Scene, rng: random.Random, supply: Supply) -> Wrong | None:
    """Another part of the session, its middle where the right part's is."""
    others = list(supply.others())
    rng.shuffle(others)
    x0, y0, x1, y1 = scene.cutout.box_px
    for other in others:
        a0, b0, a1, b1 = other.box_px
        dx, dy = round((x0 + x1 - a0 - a1) / 2), round((y0 + y1 - b0 - b1) / 2)
        there = Cutout(
            other.rgb, other.alpha, other.part, other.outline,
            (other.xy_px[0] + dx, other.xy_px[1] + dy),
        )  # fmt: skip
        if _alike(scene.cutout, there):
            supply.screened["wrong_part: looks_the_same"] += 1
            continue
        wrong = _in_place(scene, "wrong_part", there, supply)
        if wrong is not None and _seen(scene, wrong, supply):
            return wrong
    return None


def _alike(one: Cutout, other: Cutout) -> bool:
    """Whether two cut-outs with one middle could be taken for the same part."""
    a, b = one.box_px, other.box_px
    sizes = [(max(1.0, box[2] - box[0]), max(1.0, box[3] - box[1])) for box in (a, b)]
    overlap = min(sizes[0][0], sizes[1][0]) * min(sizes[0][1], sizes[1][1])
    whole = sizes[0][0] * sizes[0][1] + sizes[1][0] * sizes[1][1] - overlap
    same_color = color_distance(main_color(one), main_color(other)) < COLOR_DISTANCE_MIN
    return same_color and overlap / whole > SAME_SHAPE_IOU


def _left_out(scene: Scene, rng: random.Random, supply: Supply) -> Wrong | None:
    """The state of the step before, the part found then still highlighted."""
    wrong = Wrong("missing", scene.before, None)
    return wrong if _seen(scene, wrong, supply) else None


def _doubled(scene: Scene, rng: random.Random, supply: Supply) -> Wrong | None:
    """The part in its right place, no longer highlighted, and a highlighted copy elsewhere."""
    (x, y), (h, w) = scene.cutout.xy_px, scene.cutout.alpha.shape
    outline, part = np.zeros((2, *scene.canvas.shape[:2]), bool)
    outline[y : y + h, x : x + w] = scene.cutout.outline
    part[y : y + h, x : x + w] = scene.cutout.part
    placed = bare(scene.right, outline, part, scene.canvas, scene.line)
    places = wrong_places(
        scene.cutout, placed, scene.assembly, scene.background_px, rng, 1, scene.lossy
    )
    if not places:
        return None
    wrong = _at(scene, places[0], "extra", placed)
    return wrong if _seen(scene, wrong, supply) else None


_MAKERS: dict[str, Callable[[Scene, random.Random, Supply], Wrong | None]] = {
    "rotate": _rotated,
    "mirror": _mirrored,
    "wrong_color": _recolored,
    "wrong_part": _other_part,
    "missing": _left_out,
    "extra": _doubled,
}


def main_color(cutout: Cutout) -> tuple[int, int, int]:
    """Median (r, g, b) of the part inside its outline."""
    inner = cutout.part & ~cutout.outline
    pixels = cutout.rgb[inner if inner.any() else cutout.part]
    red, green, blue = (int(v) for v in np.median(pixels, axis=0))
    return red, green, blue


def color_distance(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Euclidean distance in CIE Lab (L 0-100)."""
    pair = np.array([[one, other]], np.float32) / 255
    lab = cv2.cvtColor(pair, cv2.COLOR_RGB2LAB)[0]
    return float(np.linalg.norm(lab[0] - lab[1]))
