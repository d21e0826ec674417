"""From where a session is seen: one fixed camera in which its new parts show, or two, where the
model is turned around in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from builder.sources.drawn.marks import SIZE_WH
from builder.sources.ldraw.camera import FINE, Array, Camera, View, fitted, world_from_model
from builder.sources.ldraw.canvas import Canvas, Placed
from builder.sources.ldraw.colours import Colour
from builder.sources.ldraw.pieces import corners_of
from builder.sources.ldraw.products import product
from builder.sources.ldraw.solids import Body, bodies_of
from builder.sources.ldraw.steps import Session

FILL_WH = (0.86, 0.82)  # share of the picture that a finished assembly may take up
MAX_PX_PER_LDU = 5.0  # a lone small part must not look monstrous
AZIMUTH_DEG, ELEVATION_DEG = 30.0, 31.0
# Quarter turns of the model and the side that the reader stands on, likeliest first.
LOOKS = ((0, 1), (0, -1), (2, 1), (2, -1), (1, 1), (3, 1), (1, -1), (3, -1))
TRIAL_WH = (SIZE_WH[0] // 4, SIZE_WH[1] // 4)
MIN_SHARE, MIN_PX = 0.2, 90  # of its own pixels that must be seen of a part; pixels at full size
MIN_SHARE_ASSEMBLY = 0.08  # of the pixels that its parts would have, each alone


@dataclass(frozen=True)
class Look:
    """How a session stands before the reader."""

    quarter_turns: int
    view: View

    @property
    def turned_round(self) -> "Look":
        """The same with the model turned around on the table."""
        return Look((self.quarter_turns + 2) % 4, self.view)


@dataclass(frozen=True)
class Seen:
    """For each step of a session: how it is seen, None where it can't be."""

    looks: tuple[Look | None, ...]


def choose_looks(session: Session, palette: dict[int, Colour]) -> Seen:
    """The look in which most steps can be seen, turned around for those that can't be."""
    best: tuple[int, list[Look | None]] = (-1, [])
    known: dict[Look, list[bool]] = {}
    for quarter_turns, side in LOOKS:
        look = Look(quarter_turns, View(side * AZIMUTH_DEG, ELEVATION_DEG))
        for one in (look, look.turned_round):
            if one not in known and not all(known.get(look, [False])):
                known[one] = steps_seen(session, one, palette)
        looks = _along(look, known[look], known.get(look.turned_round, known[look]))
        # a turn is worth it only where it shows a step more
        turns = sum(a != b for a, b in pairwise(looks))
        score = 4 * sum(found is not None for found in looks) - min(turns, 3)
        if score > best[0]:
            best = (score, looks)
        if all(known[look]):
            break
    return Seen(tuple(best[1]))


def _along(look: Look, seen: Sequence[bool], seen_turned: Sequence[bool]) -> list[Look | None]:
    """The look of each step: as the last one where it can be, else turned around."""
    now, found = look, []
    for as_is, turned in zip(seen, seen_turned, strict=True):
        own, other = (as_is, turned) if now == look else (turned, as_is)
        if not own and other:
            now = now.turned_round
        found.append(now if own or other else None)
    return found


def session_camera(session: Session, look: Look, size_wh: tuple[int, int] = SIZE_WH) -> Camera:
    """The camera that shows the finished session."""
    units = [unit for step in session.steps for unit in step]
    pieces = tuple(piece for unit in units for piece in unit.pieces)
    world = world_from_model(look.quarter_turns)
    most = MAX_PX_PER_LDU * size_wh[0] / SIZE_WH[0]
    return fitted(
        product(corners_of(pieces, body=False), world.T), look.view, size_wh, FILL_WH, most
    )


def placed(body: Body, palette: dict[int, Colour]) -> list[Placed]:
    """The parts of a body as a canvas takes them."""
    return [Placed(s.piece.mesh, s.turn, s.shift, s.piece.colour, palette) for s in body.solids]


def steps_seen(session: Session, look: Look, palette: dict[int, Colour]) -> list[bool]:
    """Whether the new parts of each step show, tried on a small canvas."""
    canvas = Canvas(session_camera(session, look, TRIAL_WH), TRIAL_WH, (255, 255, 255))
    found = []
    for step in session.steps:
        numbers = []
        for body in bodies_of(step, look.quarter_turns):
            numbers.append([canvas.add(part) for part in placed(body, palette)])
        counts = np.bincount(canvas.fine_ids().ravel(), minlength=canvas.count + 1)
        small = (SIZE_WH[0] / TRIAL_WH[0]) ** 2 / FINE**2
        kinds = [unit.kind for unit in step]
        found.append(all_seen(kinds, numbers, canvas.areas_px, counts, MIN_PX / small))
    return found


def all_seen(
    kinds: Sequence[tuple[str, str]], numbers: Sequence[Sequence[int]], areas: Sequence[float],
    counts: Array, least_px: float,
) -> bool:  # fmt: skip
    """Whether of each kind of a step's units at least one is seen well enough.

    `numbers` are those of each unit's parts, `counts` the pixels seen of every number.
    """
    good: dict[tuple[str, str], bool] = dict.fromkeys(kinds, False)
    for kind, own in zip(kinds, numbers, strict=True):
        seen = int(sum(counts[n] for n in own))
        share = seen / max(1, sum(areas[n] for n in own))
        least = MIN_SHARE if len(own) == 1 else MIN_SHARE_ASSEMBLY
        good[kind] = good[kind] or (share >= least and seen >= least_px)
    return all(good.values())
