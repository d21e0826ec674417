"""The annotator that needs no model: parts found against the picture's plain background.

Parts are separated by connectedness and named by solving one assignment: colour name against
colour, written size against pixels, and the order of the text against reading order. Copies of a
kind look alike; a picture may show fewer copies than the text counts (often at most three).
"""

from collections.abc import Sequence

import numpy as np

from core.boxtext import box_answer
from core.colors import color_lab
from core.matching import assign
from core.part_names import part_labels, phrases, size_of
from core.pictures.media import Picture
from core.records import Annotation, Instruction, LabelBox, PartLabel
from core.scenes import ManualScene
from synthesis import foreground
from synthesis.boxes import px_to_norm100, union
from synthesis.printed import printed_marks

NAME = "foreground"
# Weights of the naming costs, each about 1 for a plain mismatch.
COLOR_WEIGHT = 1.0
SIZE_WEIGHT = 0.5
ORDER_WEIGHT = 0.35
# CIE Lab distances: lightness varies with shading, so it counts less than hue and chroma.
LIGHTNESS_SCALE, CHROMA_SCALE = 30.0, 25.0
# Height in studs by the kind of part, for the expected size in a picture (1 stud = 8 mm).
HEIGHTS = (
    ("plate", 0.4), ("tile", 0.4), ("roof tile", 1.2), ("brick", 1.2), ("wall", 1.2),
    ("bracket", 0.8), ("wing", 0.4), ("dish", 0.6), ("cone", 1.2), ("wheel", 1.0),
)  # fmt: skip
# Drawings look down at about this elevation, whatever their azimuth.
SIN_ELEVATION, COS_ELEVATION = 0.55, 0.83


def annotate(
    picture: Picture,
    image_sha256: str,
    instruction: Instruction,
    scene: ManualScene | None = None,
) -> Annotation:
    """Boxes for every label of one eop row; `error` says why there are none. The picture is all
    that is looked at, whether there is a scene or not.
    """
    labels = part_labels(instruction)
    base = Annotation(image_sha256, NAME, picture.size_wh, [], "", 0.0)
    if not labels:
        return _failed(base, "no_label_in_text")
    mask, core = foreground.find_foreground(
        picture.rgb,
        picture.alpha,
        foreground.LOSSY_DIFFERENCE_MIN if picture.lossy else foreground.DIFFERENCE_MIN,
    )
    mask &= ~printed_marks(picture.rgb, mask)  # how often a part is needed, "4x", is no part
    share = float(mask.mean())
    if not 1e-5 < share < 0.9:
        return _failed(base, "no_part_found" if share <= 1e-5 else "no_plain_background")
    total = sum(label.number for label in labels)
    parts = foreground.components(mask, picture.rgb, total, core)
    if len(parts) < len(labels):
        return _failed(base, "fewer_parts_than_labels")
    slots = _slots(labels, len(parts))
    cost = _costs(parts, [labels[slot] for slot in slots], _background_rgb(picture, mask))
    rows, columns = assign(-(cost + ORDER_WEIGHT * _order_cost(len(parts), len(slots))))
    return _annotation(
        base,
        labels,
        parts,
        [(int(r), slots[c]) for r, c in zip(rows, columns, strict=True)],
        cost[rows, columns],
    )


def _failed(base: Annotation, error: str) -> Annotation:
    return Annotation(base.image_sha256, NAME, base.size_wh, [], "", 0.0, error)


def _annotation(
    base: Annotation,
    labels: Sequence[PartLabel],
    parts: Sequence[foreground.Component],
    pairs: list[tuple[int, int]],
    costs: np.ndarray,
) -> Annotation:
    """Gather the named parts; confidence falls with naming cost and with a wrong number."""
    found: list[LabelBox] = []
    for index, label in enumerate(labels):
        mine = [k for k, (_, owner) in enumerate(pairs) if owner == index]
        cost = float(np.mean(costs[mine])) if len(labels) > 1 else 0.0
        complete = (
            1.0 if len(mine) == label.number else 0.9 if len(mine) == min(label.number, 3) else 0.6
        )
        boxes = [parts[pairs[k][0]].box_px for k in mine]
        found.append(LabelBox(label.text, label.number, boxes, round(complete / (1 + cost), 3)))
    answer = box_answer(
        [
            (phrase, px_to_norm100(union(label.instances_px), base.size_wh))
            for phrase, label in zip(phrases(list(labels)), found, strict=True)
        ]
    )
    confidence = min(label.confidence for label in found)
    if len(parts) > len(pairs):  # something in the picture has no name
        confidence = round(confidence * 0.5, 3)
    return Annotation(base.image_sha256, NAME, base.size_wh, found, answer, confidence)


def _slots(labels: Sequence[PartLabel], n_parts: int) -> list[int]:
    """One entry for each part to be named: the index of its label, in the order of the text.

    Every label gets at least one; further copies are given out evenly, as a picture that shows at
    most so many copies of each kind would.
    """
    if len(labels) == 1:  # whatever there is, is it
        return [0] * n_parts
    given = [1] * len(labels)
    while sum(given) < n_parts:
        open_labels = [i for i, label in enumerate(labels) if given[i] < label.number]
        if not open_labels:
            break
        given[min(open_labels, key=lambda i: given[i])] += 1
    return [index for index, number in enumerate(given) for _ in range(number)]


def _background_rgb(picture: Picture, mask: np.ndarray) -> tuple[float, float, float]:
    outside = picture.rgb[::8, ::8][~mask[::8, ::8]]
    red, green, blue = np.median(outside, axis=0) if len(outside) else (255.0, 255.0, 255.0)
    return (float(red), float(green), float(blue))


def _order_cost(n_parts: int, n_slots: int) -> np.ndarray:
    """(parts, slots): how far a part's rank is from the slot's, 1 for half the list apart."""
    ranks = np.arange(n_parts)[:, None] - np.arange(n_slots)[None, :]
    found: np.ndarray = np.abs(ranks) / max(1.0, n_parts / 2)
    return found


def _costs(
    parts: Sequence[foreground.Component],
    slots: Sequence[PartLabel],
    background_rgb: tuple[float, float, float],
) -> np.ndarray:
    """(parts, slots) cost of colour and size, each part of it 0 where the text says nothing."""
    cost = np.zeros((len(parts), len(slots)))
    for column, label in enumerate(slots):
        lab = color_lab(label.color, background_rgb) if label.color else None
        if lab is None:
            continue
        delta = np.array([part.lab for part in parts]) - lab
        distance = np.hypot(
            delta[:, 0] / LIGHTNESS_SCALE, np.hypot(delta[:, 1], delta[:, 2]) / CHROMA_SCALE
        )
        cost[:, column] += COLOR_WEIGHT * np.minimum(distance, 2.0)
    return cost + SIZE_WEIGHT * _size_costs(parts, slots)


def _size_costs(parts: Sequence[foreground.Component], slots: Sequence[PartLabel]) -> np.ndarray:
    """(parts, slots) |log2| of pixel area over expected area at the scale that fits best."""
    expected = np.array([_expected_area(label.theme) for label in slots])
    known = ~np.isnan(expected)
    cost = np.zeros((len(parts), len(slots)))
    if known.sum() < 2 or len({float(v) for v in expected[known]}) < 2:
        return cost
    log_area = np.log2([part.area_px for part in parts])
    misfit = log_area[:, None] - np.log2(np.where(known, expected, 1.0))[None, :]

    def at_scale(scale: float) -> np.ndarray:
        return np.where(known, np.minimum(np.abs(misfit - scale), 2.0), 0.0)

    def total(scale: float) -> float:
        candidate = at_scale(scale)
        return float(candidate[assign(-candidate)].sum())

    return at_scale(min(sorted(set(misfit[:, known].ravel().round(3))), key=total))


def _expected_area(theme: str) -> float:
    """Area in square studs a part of this theme covers in a drawing, NaN when not known."""
    size = size_of(theme)
    heights = [(name, height) for name, height in HEIGHTS if name in theme.lower()]
    if size is None or len(size) < 2 or not heights:
        return float("nan")
    width, depth = size[0], size[1]
    height = max(heights, key=lambda pair: len(pair[0]))[1] * (size[2] if len(size) > 2 else 1)
    return width * depth * SIN_ELEVATION + 0.65 * (width + depth) * height * COS_ELEVATION
