"""Plans the brick models of the demo source: which parts go where, step by step; no drawing.

A model grows by moves (`moves.py`). A step is one to three of them, tried on a small canvas and
kept only when every new part can be seen.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from builder.sources.demo import bricks
from builder.sources.demo.brick_parts import BOUNDARY_COLOURS, COLOURS, RGB, Kind, Part
from builder.sources.demo.moves import MOVES, Deck, tiling_of
from builder.sources.demo.sprites import camera, palette

MIN_VISIBLE = 0.42  # on the small trial canvas; leaves room for its rounding above 0.35
TRIAL_SIZE_WH, TRIAL_PX_PER_MM = (190, 200), 0.75
TRIES_A_STEP = 40
MAX_PARTS = 60
# Of decks for one move alone, which would be rare else. A bridge before what is under it as often
# as after; not every bridge that is tried is a part that there is.
ONLY_WEIGHTS = {"cover": 300, "tuck": 45, "fill": 120, "beside": 120}


@dataclass(frozen=True)
class Group:
    """Equal parts (one kind, one colour) placed in one step."""

    parts: tuple[Part, ...]

    @property
    def turned_round(self) -> "Group":
        """The same when the model has been turned round."""
        return Group(tuple(part.turned_round for part in self.parts))

    @property
    def kind(self) -> Kind:
        """The kind all parts share."""
        return self.parts[0].kind

    @property
    def colour(self) -> str:
        """The colour all parts share."""
        return self.parts[0].colour


Step = tuple[Group, ...]


@dataclass(frozen=True)
class Model:
    """An archetype: base sizes, how likely each move is, and how high it may grow in plates."""

    sizes_wd: tuple[tuple[int, int], ...]
    moves: dict[str, int]
    max_z: int


MODELS: dict[str, Model] = {
    "tower": Model(
        ((4, 4), (4, 2), (3, 4), (4, 3)),
        {"cover": 5, "ends": 2, "corners": 3, "inset": 1, "top": 1},
        15,
    ),
    "wall": Model(
        ((6, 2), (8, 2), (8, 1), (6, 1)),
        {"cover": 5, "ends": 4, "inset": 2, "edge": 1, "finish": 1, "top": 1},
        11,
    ),
    "stairs": Model(
        ((6, 2), (8, 2), (6, 4), (8, 4)), {"inset": 6, "edge": 2, "finish": 1, "cover": 1}, 13
    ),
    "house": Model(
        ((6, 4), (8, 4), (4, 4), (6, 6)),
        {"ends": 4, "cover": 3, "roof": 4, "corners": 2, "edge": 2, "top": 1},
        13,
    ),
    "park": Model(
        ((6, 6), (8, 6), (8, 4), (6, 4)),
        {"edge": 5, "corners": 3, "inset": 4, "ends": 3, "top": 3, "finish": 1},
        9,
    ),
    "monument": Model(
        ((6, 6), (6, 4), (8, 4), (4, 4)),
        {"inset": 5, "corners": 3, "ends": 2, "cover": 2, "top": 2, "roof": 1},
        13,
    ),
}
# What every model tries besides, so that parts come to stand in, under, above and behind others.
SETTINGS = {"frame": 8, "posts": 6, "alone": 3}


def _paint(rng: random.Random, kind: Kind, colours: list[str], avoid: set[str]) -> str:
    small = kind.w * kind.d == 1 and kind.shape == "round"
    choices = [c for c in colours if small or not c.startswith("transparent")]
    fresh = [c for c in choices if c not in avoid]
    return rng.choice(fresh if fresh and rng.random() < 0.75 else choices)


def _propose(
    rng: random.Random, model: Model, decks: list[Deck], colours: list[str], last: set[str]
) -> tuple[Step, list[Deck]] | None:
    """One to three moves as a step, with the decks that are left; None when the luck was bad."""
    moves = {**model.moves, **SETTINGS}
    names, weights = list(moves), list(moves.values())
    groups: list[Group] = []
    decks = list(decks)
    for _ in range(rng.choices([1, 2, 3], [40, 36, 24])[0]):
        if not decks:
            break
        deck = rng.choices(decks, [_weight(deck) for deck in decks])[0]
        move = MOVES[deck.only or rng.choices(names, weights)[0]](rng, deck)
        if move is None or deck.z + move.kind.h > model.max_z:
            continue
        colour = _paint(rng, move.kind, colours, last)
        parts = tuple(Part(move.kind, colour, *spot) for spot in move.spots)
        if any(g.kind == move.kind for g in groups):
            continue  # a step speaks of each kind once
        groups.append(Group(parts))
        decks.remove(deck)
        decks += [new for new in move.decks if min(new.size_wd) > 0]
    return (tuple(groups), decks) if groups else None


def _weight(deck: Deck) -> int:
    """How soon a deck is built on."""
    w, d = deck.size_wd
    return w * d + 1 + ONLY_WEIGHTS.get(deck.only, 0)


class _Trial:
    """A small canvas that says whether new parts would be seen."""

    def __init__(
        self, azimuth_deg: float, elevation_deg: float, extent: Part | None = None
    ) -> None:
        cam = camera(azimuth_deg, elevation_deg, TRIAL_PX_PER_MM)
        u0, v0, u1, v1 = bricks.bounds_uv([extent or _EXTENT], cam)
        size_wh = ((u1 - u0) // 2 + 8, (v1 - v0) // 2 + 8)
        self.canvas = bricks.Canvas(cam, size_wh, (255, 255, 255), (8 - u0, 8 - v0))

    def accepts(self, step: Step) -> bool:
        """Draw the step's parts; when one is too hidden, take all of them back."""
        canvas = self.canvas
        before = canvas.distance.copy(), canvas.ids.copy(), canvas.count
        new = self.add(step)
        if all(bricks.visible_fraction(canvas, i) >= MIN_VISIBLE for i in new):
            return True
        canvas.distance, canvas.ids, canvas.count = before
        del canvas.areas_px[canvas.count + 1 :], canvas.windows[canvas.count + 1 :]
        return False

    def add(self, step: Step) -> list[int]:
        """Draw the step's parts, seen or not; their IDs."""
        return [bricks.add(self.canvas, part) for group in step for part in group.parts]


_EXTENT = Part(Kind("extent", "", 8, 6, 18), "white", 0, 0, 0)  # room for every model


def seen_turned(steps: Sequence[Step], at: int, angles_deg: tuple[float, float]) -> bool:
    """Whether all parts from step `at` on can be seen as they are put, the model turned round."""
    trial = _Trial(*angles_deg, _EXTENT.turned_round)
    for number, step in enumerate(steps):
        seen = trial.accepts(tuple(group.turned_round for group in step))
        if not seen and number >= at:
            return False
        if not seen:  # hidden parts of before are there all the same
            trial.add(tuple(group.turned_round for group in step))
    return True


def build(
    rng: random.Random,
    model: Model,
    step_count: int,
    colours: list[str],
    angles_deg: tuple[float, float],
) -> tuple[Step, ...]:
    """Steps of one model, `step_count` of them or, when it can't grow, at least four.

    `angles_deg` are the (azimuth, elevation) it will be drawn from.
    """
    while True:
        w, d = rng.choice(model.sizes_wd)
        trial = _Trial(*angles_deg)
        steps, decks = _base(rng, Deck(0, 0, w, d, 0), colours)
        trial.accepts(steps[0])
        while len(steps) < step_count:
            found = _next_step(rng, model, decks, colours, trial, steps)
            if found is None:
                break
            steps.append(found[0])
            decks = found[1]
        if len(steps) >= 4:
            return tuple(steps)


def _base(rng: random.Random, deck: Deck, colours: list[str]) -> tuple[list[Step], list[Deck]]:
    families = ["plate"] if deck.size_wd[1] > 2 else ["brick", "plate"]
    tiling = tiling_of(rng, deck, families, most=2)
    if tiling is None:
        tiling = tiling_of(rng, deck, ["brick", "plate"], most=4)
    assert tiling is not None, deck
    kind, spots = tiling
    group = Group(tuple(Part(kind, _opaque(colours)[0], *spot) for spot in spots))
    return [(group,)], [Deck(deck.x0, deck.y0, deck.x1, deck.y1, kind.h)]


def _opaque(colours: list[str]) -> list[str]:
    return [c for c in colours if not c.startswith("transparent")]


def _next_step(
    rng: random.Random,
    model: Model,
    decks: list[Deck],
    colours: list[str],
    trial: _Trial,
    steps: list[Step],
) -> tuple[Step, list[Deck]] | None:
    last = {group.colour for group in steps[-1]}
    drawn = sum(len(group.parts) for step in steps for group in step)
    for _ in range(TRIES_A_STEP):
        found = _propose(rng, model, decks, colours, last)
        if found is None or drawn + sum(len(g.parts) for g in found[0]) > MAX_PARTS:
            continue
        if trial.accepts(found[0]):
            return found
    return None


def pick_colours(rng: random.Random) -> list[str]:
    """Three or four colours that go together well enough, the base colour first."""
    plain = [c for c in COLOURS if not c.startswith("transparent")]
    clear = [c for c in COLOURS if c.startswith("transparent")]
    chosen = rng.sample(plain, rng.choice([3, 3, 4]))
    return chosen + ([rng.choice(clear)] if rng.random() < 0.35 else [])


def pick_boundary(rng: random.Random, colours: list[str]) -> RGB:
    """A boundary colour unlike every shade of the session's bricks."""
    shades = np.concatenate([palette(c)[140:256] for c in colours]).astype(float)

    def apart(colour: RGB) -> float:
        return float(np.linalg.norm(shades - colour, axis=1).min())

    clear = [c for c in BOUNDARY_COLOURS if apart(c) >= 150]
    return rng.choice(clear) if clear else max(BOUNDARY_COLOURS, key=apart)
