"""Plans the brick models of the demo source: which parts go where, step by step; no drawing.

A model grows on *decks*: free rectangles of studs. A *move* takes a deck, puts one kind of part on
it and leaves new decks, so parts are supported and never intersect by construction. A step is one
to three moves, tried on a small canvas and kept only when every new part can be seen.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from builder.sources.demo import bricks
from builder.sources.demo.brick_parts import BOUNDARY_COLOURS, COLOURS, KINDS, RGB, Kind, Part

MIN_VISIBLE = 0.42  # on the small trial canvas; leaves room for its rounding above 0.35
TRIAL_SIZE_WH, TRIAL_PX_PER_MM = (190, 200), 0.75
TRIES_A_STEP = 40
MAX_PARTS = 60

Spot = tuple[int, int, int, int]  # x, y, z, turn


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
class Deck:
    """A rectangle of free studs at height z: cells x0 <= x < x1, y0 <= y < y1.

    `span` says what a part here must bridge whole: "x", "y", "xy" (posts below) or "" (solid).
    """

    x0: int
    y0: int
    x1: int
    y1: int
    z: int
    span: str = ""

    @property
    def size_wd(self) -> tuple[int, int]:
        """Studs along x and along y."""
        return self.x1 - self.x0, self.y1 - self.y0


@dataclass(frozen=True)
class Model:
    """An archetype: base sizes, how likely each move is, and how high it may grow in plates."""

    sizes_wd: tuple[tuple[int, int], ...]
    moves: dict[str, int]
    max_z: int


@dataclass(frozen=True)
class Move:
    """A kind put on some spots, and the decks it leaves."""

    kind: Kind
    spots: tuple[Spot, ...]
    decks: tuple[Deck, ...]


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


def find_kind(family: str, w: int, d: int) -> tuple[Kind, int] | None:
    """The kind of a family that covers w x d studs, and its turn; None when there is none."""
    kind = KINDS.get(f"{family} {min(w, d)}x{max(w, d)}")
    return None if kind is None else (kind, 0 if w >= d else 1)


def _tiling(
    rng: random.Random, deck: Deck, families: list[str], most: int = 3
) -> tuple[Kind, tuple[Spot, ...]] | None:
    """Cover a deck exactly with 1..most equal parts, laid along x or along y."""
    w, d = deck.size_wd
    ways: list[tuple[str, int, int]] = []
    for family in families:
        for n in range(1, most + 1):
            weight = 4 if n == 1 else 2 if n == 2 else 1
            ways += [(family, n, 1)] * weight + [(family, 1, n)] * (weight * (n > 1))
    ways = [
        (family, nx, ny)
        for family, nx, ny in ways
        if w % nx == 0 and d % ny == 0 and find_kind(family, w // nx, d // ny)
        # over posts each part must reach from post to post
        if ("x" not in deck.span or nx == 1) and ("y" not in deck.span or ny == 1)
    ]
    if not ways:
        return None
    family, nx, ny = rng.choice(ways)
    found = find_kind(family, w // nx, d // ny)
    assert found is not None
    kind, turn = found
    pw, pd = w // nx, d // ny
    spots = [
        (deck.x0 + i * pw, deck.y0 + j * pd, deck.z, turn) for j in range(ny) for i in range(nx)
    ]
    return kind, tuple(spots)


def _cover(rng: random.Random, deck: Deck) -> Move | None:
    tiling = _tiling(rng, deck, rng.choice([["brick"], ["brick", "plate"], ["plate"]]))
    if tiling is None:
        return None
    kind, spots = tiling
    return Move(kind, spots, (Deck(deck.x0, deck.y0, deck.x1, deck.y1, deck.z + kind.h),))


def _finish(rng: random.Random, deck: Deck) -> Move | None:
    tiling = _tiling(rng, deck, ["flat tile"])
    return None if tiling is None or deck.span else Move(*tiling, ())


def _inset(rng: random.Random, deck: Deck) -> Move | None:
    w, d = deck.size_wd
    if deck.span or w * d < 3:
        return None
    pw, pd = rng.randint(max(1, w // 3), w), rng.randint(max(1, d // 3), d)
    found = find_kind(rng.choice(["brick", "brick", "plate"]), pw, pd)
    if (pw, pd) == (w, d) or found is None:
        return None
    at_x = rng.choice([0, w - pw] + [(w - pw) // 2] * 2 * ((w - pw) % 2 == 0))
    at_y = rng.choice([d - pd] + [(d - pd) // 2] * 2 * ((d - pd) % 2 == 0))
    x, y = deck.x0 + at_x, deck.y0 + at_y
    kind, turn = found
    left = [
        Deck(x, y, x + pw, y + pd, deck.z + kind.h),
        Deck(deck.x0, deck.y0, x, deck.y1, deck.z),
        Deck(x + pw, deck.y0, deck.x1, deck.y1, deck.z),
        Deck(x, deck.y0, x + pw, y, deck.z),
    ]
    return Move(kind, ((x, y, deck.z, turn),), tuple(left))


def _ends(rng: random.Random, deck: Deck) -> Move | None:
    """Two equal parts, left and right or front and back; sometimes posts for a bridge."""
    w, d = deck.size_wd
    along_x = rng.random() < 0.7
    long, deep = (w, d) if along_x else (d, w)
    if deck.span or long < 3:
        return None
    thick = rng.choice([1, 1, 2]) if long >= 6 else 1
    families = ["brick", "brick", "plate", "flat tile"]
    if thick == deep <= 2:
        families += ["round brick", "round plate"]
    size = (thick, deep) if along_x else (deep, thick)
    found = find_kind(rng.choice(families), *size)
    if found is None:
        return None
    kind, turn = found
    far_x, far_y = (deck.x1 - thick, deck.y0) if along_x else (deck.x0, deck.y1 - thick)
    spots = ((deck.x0, deck.y0, deck.z, turn), (far_x, far_y, deck.z, turn))
    if kind.h == 3 and kind.shape == "box" and rng.random() < 0.6:
        bridge = Deck(deck.x0, deck.y0, deck.x1, deck.y1, deck.z + 3, "x" if along_x else "y")
        return Move(kind, spots, (bridge,))
    dx, dy = (thick, 0) if along_x else (0, thick)
    return Move(
        kind, spots, (Deck(deck.x0 + dx, deck.y0 + dy, deck.x1 - dx, deck.y1 - dy, deck.z),)
    )


def _corners(rng: random.Random, deck: Deck) -> Move | None:
    w, d = deck.size_wd
    if deck.span or w < 3 or d < 3:
        return None
    label = rng.choice(["brick 1x1", "round brick 1x1", "round brick 1x1", "round plate 1x1"])
    kind = KINDS[label if w < 6 or d < 6 else rng.choice([label, "brick 2x2", "round brick 2x2"])]
    k = kind.w
    spots = tuple((x, y, deck.z, 0) for y in (deck.y0, deck.y1 - k) for x in (deck.x0, deck.x1 - k))
    if kind.h == 3 and rng.random() < 0.6:
        return Move(kind, spots, (Deck(deck.x0, deck.y0, deck.x1, deck.y1, deck.z + 3, "xy"),))
    return Move(kind, spots, (Deck(deck.x0 + k, deck.y0, deck.x1 - k, deck.y1, deck.z),))


def _edge(rng: random.Random, deck: Deck) -> Move | None:
    """A row of parts along one side of the deck; roof tiles fall outward."""
    w, d = deck.size_wd
    side = rng.choice(["front", "front", "back", "left", "right"])
    if deck.span or (d if side in ("front", "back") else w) < 2:
        return None
    strip, rest = {
        "front": (
            Deck(deck.x0, deck.y0, deck.x1, deck.y0 + 1, deck.z),
            Deck(deck.x0, deck.y0 + 1, deck.x1, deck.y1, deck.z),
        ),
        "back": (
            Deck(deck.x0, deck.y1 - 1, deck.x1, deck.y1, deck.z),
            Deck(deck.x0, deck.y0, deck.x1, deck.y1 - 1, deck.z),
        ),
        "left": (
            Deck(deck.x0, deck.y0, deck.x0 + 1, deck.y1, deck.z),
            Deck(deck.x0 + 1, deck.y0, deck.x1, deck.y1, deck.z),
        ),
        "right": (
            Deck(deck.x1 - 1, deck.y0, deck.x1, deck.y1, deck.z),
            Deck(deck.x0, deck.y0, deck.x1 - 1, deck.y1, deck.z),
        ),
    }[side]
    if side != "back" and rng.random() < 0.35:
        return _slope_row(strip, rest, side)
    tiling = _tiling(rng, strip, ["brick", "plate", "flat tile", "flat tile"], most=4)
    if tiling is None:
        return None
    kind, spots = tiling
    return Move(kind, spots, (rest,))


def _slope_row(strip: Deck, rest: Deck, side: str) -> Move | None:
    w, d = strip.size_wd
    along_x = side == "front"
    long, turn = (w, 0) if along_x else (d, 1 if side == "right" else 3)
    kind = KINDS["roof tile 1x2x⅔"] if long % 2 == 0 else KINDS["roof tile 1x1x⅔"]
    if not 1 <= long // kind.w <= 4:
        return None
    spots = [
        (strip.x0 + i, strip.y0, strip.z, turn)
        if along_x
        else (strip.x0, strip.y0 + i, strip.z, turn)
        for i in range(0, long, kind.w)
    ]
    return Move(kind, tuple(spots), (rest,))


def _roof(rng: random.Random, deck: Deck) -> Move | None:
    """Roof tiles on the left and on the right that fall outward and leave the ridge free."""
    w, d = deck.size_wd
    if deck.span or w < 4:
        return None
    sizes = {1: ["1x2"], 2: ["2x2", "1x2x⅔"], 3: ["2x3"], 4: ["2x4"]}
    labels = [f"roof tile {size}" for size in sizes.get(d, [])]
    if not labels:
        return None
    kind = KINDS[rng.choice(labels)]
    spots = ((deck.x0, deck.y0, deck.z, 3), (deck.x1 - kind.d, deck.y0, deck.z, 1))
    if kind.stud_rows and w == 4:
        return Move(kind, spots, (Deck(deck.x0 + 1, deck.y0, deck.x1 - 1, deck.y1, deck.z + 3),))
    return Move(kind, spots, (Deck(deck.x0 + kind.d, deck.y0, deck.x1 - kind.d, deck.y1, deck.z),))


def _top(rng: random.Random, deck: Deck) -> Move | None:
    """One small part in the exact middle of the deck."""
    w, d = deck.size_wd
    if deck.span:
        return None
    labels = ["round brick 1x1", "round plate 1x1", "brick 1x1", "round brick 2x2", "brick 2x2"]
    labels += ["round plate 2x2", "flat tile 1x2", "plate 1x2", "brick 1x2"]
    fits = [
        k
        for k in map(KINDS.__getitem__, labels)
        if k.w <= w and k.d <= d and (w - k.w) % 2 == 0 and (d - k.d) % 2 == 0
    ]
    if not fits:
        return None
    kind = rng.choice(fits)
    x, y = deck.x0 + (w - kind.w) // 2, deck.y0 + (d - kind.d) // 2
    left = (
        Deck(deck.x0, deck.y0, x, deck.y1, deck.z),
        Deck(x + kind.w, deck.y0, deck.x1, deck.y1, deck.z),
    )
    above = () if kind.stud_rows == 0 else (Deck(x, y, x + kind.w, y + kind.d, deck.z + kind.h),)
    return Move(kind, ((x, y, deck.z, 0),), (*above, *left))


MOVES: dict[str, Callable[[random.Random, Deck], Move | None]] = {
    "cover": _cover,
    "finish": _finish,
    "inset": _inset,
    "ends": _ends,
    "corners": _corners,
    "edge": _edge,
    "roof": _roof,
    "top": _top,
}


def _paint(rng: random.Random, kind: Kind, colours: list[str], avoid: set[str]) -> str:
    small = kind.w * kind.d == 1 and kind.shape == "round"
    choices = [c for c in colours if small or not c.startswith("transparent")]
    fresh = [c for c in choices if c not in avoid]
    return rng.choice(fresh if fresh and rng.random() < 0.75 else choices)


def _propose(
    rng: random.Random, model: Model, decks: list[Deck], colours: list[str], last: set[str]
) -> tuple[Step, list[Deck]] | None:
    """One to three moves as a step, with the decks that are left; None when the luck was bad."""
    names, weights = list(model.moves), list(model.moves.values())
    groups: list[Group] = []
    decks = list(decks)
    for _ in range(rng.choices([1, 2, 3], [40, 36, 24])[0]):
        if not decks:
            break
        deck = rng.choices(decks, [deck.size_wd[0] * deck.size_wd[1] + 1 for deck in decks])[0]
        move = MOVES[rng.choices(names, weights)[0]](rng, deck)
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


class _Trial:
    """A small canvas that says whether new parts would be seen."""

    def __init__(
        self, azimuth_deg: float, elevation_deg: float, extent: Part | None = None
    ) -> None:
        cam = bricks.camera(azimuth_deg, elevation_deg, TRIAL_PX_PER_MM)
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
    tiling = _tiling(rng, deck, families, most=2)
    if tiling is None:
        tiling = _tiling(rng, deck, ["brick", "plate"], most=4)
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
    shades = np.concatenate([bricks.palette(c)[140:256] for c in colours]).astype(float)

    def apart(colour: RGB) -> float:
        return float(np.linalg.norm(shades - colour, axis=1).min())

    clear = [c for c in BOUNDARY_COLOURS if apart(c) >= 150]
    return rng.choice(clear) if clear else max(BOUNDARY_COLOURS, key=apart)
