"""Moves of the demo's models: a kind of part put on a deck, and the decks that this leaves.

A *deck* is a free rectangle of studs. What a move puts there is supported and intersects nothing,
by construction.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from builder.sources.demo.brick_parts import KINDS, Kind

Spot = tuple[int, int, int, int]  # x, y, z, turn


@dataclass(frozen=True)
class Deck:
    """A rectangle of free studs at height z: cells x0 <= x < x1, y0 <= y < y1.

    `span` says what a part here must bridge whole: "x", "y", "xy" (posts below) or "" (solid).
    `only` is the one move that can be made here: "cover" posts, "fill" a frame's hole, which is
    `room` plates deep, "tuck" something low between two posts, whether they carry a bridge already
    or not, put something "beside" what was put down "alone".
    """

    x0: int
    y0: int
    x1: int
    y1: int
    z: int
    span: str = ""
    only: str = ""
    room: int = 0

    @property
    def size_wd(self) -> tuple[int, int]:
        """Studs along x and along y."""
        return self.x1 - self.x0, self.y1 - self.y0


@dataclass(frozen=True)
class Move:
    """A kind put on some spots, and the decks it leaves."""

    kind: Kind
    spots: tuple[Spot, ...]
    decks: tuple[Deck, ...]


def find_kind(family: str, w: int, d: int) -> tuple[Kind, int] | None:
    """The kind of a family that covers w x d studs, and its turn; None when there is none."""
    kind = KINDS.get(f"{family} {min(w, d)}x{max(w, d)}")
    return None if kind is None else (kind, 0 if w >= d else 1)


def tiling_of(
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
    tiling = tiling_of(rng, deck, rng.choice([["brick"], ["brick", "plate"], ["plate"]]))
    if tiling is None:
        return None
    kind, spots = tiling
    return Move(kind, spots, (Deck(deck.x0, deck.y0, deck.x1, deck.y1, deck.z + kind.h),))


def _finish(rng: random.Random, deck: Deck) -> Move | None:
    tiling = tiling_of(rng, deck, ["flat tile"])
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
        Deck(x, y + pd, x + pw, deck.y1, deck.z),
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
        bridge = Deck(
            deck.x0, deck.y0, deck.x1, deck.y1, deck.z + 3, "x" if along_x else "y", "cover"
        )
        # what lies between posts at the front and at the back could not be seen
        below = Deck(deck.x0 + thick, deck.y0, deck.x1 - thick, deck.y1, deck.z, only="tuck")
        return Move(kind, spots, (bridge, below) if along_x else (bridge,))
    dx, dy = (thick, 0) if along_x else (0, thick)
    return Move(
        kind, spots, (Deck(deck.x0 + dx, deck.y0 + dy, deck.x1 - dx, deck.y1 - dy, deck.z),)
    )


def _posts(rng: random.Random, deck: Deck) -> Move | None:
    """Two bricks left and right, for a bridge over what may lie between them."""
    w, d = deck.size_wd
    found = find_kind("brick", 1, d)
    if deck.span or w < 3 or found is None:
        return None
    kind, turn = found
    spots = ((deck.x0, deck.y0, deck.z, turn), (deck.x1 - 1, deck.y0, deck.z, turn))
    bridge = Deck(deck.x0, deck.y0, deck.x1, deck.y1, deck.z + 3, "x", "cover")
    below = Deck(deck.x0 + 1, deck.y0, deck.x1 - 1, deck.y1, deck.z, only="tuck")
    return Move(kind, spots, (bridge, below))


def _corners(rng: random.Random, deck: Deck) -> Move | None:
    w, d = deck.size_wd
    if deck.span or w < 3 or d < 3:
        return None
    label = rng.choice(["brick 1x1", "round brick 1x1", "round brick 1x1", "round plate 1x1"])
    kind = KINDS[label if w < 6 or d < 6 else rng.choice([label, "brick 2x2", "round brick 2x2"])]
    k = kind.w
    spots = tuple((x, y, deck.z, 0) for y in (deck.y0, deck.y1 - k) for x in (deck.x0, deck.x1 - k))
    if kind.h == 3 and rng.random() < 0.6:
        bridge = Deck(deck.x0, deck.y0, deck.x1, deck.y1, deck.z + 3, "xy", "cover")
        below = Deck(deck.x0 + k, deck.y0, deck.x1 - k, deck.y0 + 1, deck.z, only="tuck")
        return Move(kind, spots, (bridge, below))
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
    tiling = tiling_of(rng, strip, ["brick", "plate", "flat tile", "flat tile"], most=4)
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


def _frame(rng: random.Random, deck: Deck) -> Move | None:
    """A frame, which something can be set into."""
    w, d = deck.size_wd
    sizes = [(fw, fd) for fw in (4, 6, 8) for fd in (4, 6, 8) if fw <= w and fd <= d]
    family = rng.choice(["flat frame", "flat frame", "frame"])
    fits = [size for size in sizes if find_kind(family, *size)]
    if deck.span or not fits:
        return None
    pw, pd = rng.choice(fits)
    found = find_kind(family, pw, pd)
    assert found is not None
    kind, turn = found
    x = deck.x0 + rng.choice([0, w - pw, (w - pw) // 2])
    y = deck.y0 + rng.choice([0, d - pd, (d - pd) // 2])
    top = deck.z + kind.h
    left = (
        Deck(x + 1, y + 1, x + pw - 1, y + pd - 1, deck.z, only="fill", room=kind.h),
        Deck(x, y + pd - 1, x + pw, y + pd, top),
        Deck(x, y, x + 1, y + pd - 1, top),
        Deck(x + pw - 1, y, x + pw, y + pd - 1, top),
        Deck(deck.x0, deck.y0, x, deck.y1, deck.z),
        Deck(x + pw, deck.y0, deck.x1, deck.y1, deck.z),
    )
    return Move(kind, ((x, y, deck.z, turn),), left)


def _fill(rng: random.Random, deck: Deck) -> Move | None:
    """A frame's hole filled, or a part of it: what juts out is not in the frame."""
    w, d = deck.size_wd
    sizes = [(w, d), (w, d), (w, d), (w, 1), (1, d), (w // 2, d), (1, 1)]
    families = ("plate", "flat tile", "round plate") if deck.room == 1 else ("brick", "round brick")
    pw, pd, (kind, turn) = _one_that_is_there(rng, families, sizes)
    x, y = deck.x0 + rng.choice([0, w - pw]), deck.y0 + rng.choice([0, d - pd])
    above = Deck(x, y, x + pw, y + pd, deck.z + kind.h)
    return Move(kind, ((x, y, deck.z, turn),), () if kind.stud_rows == 0 else (above,))


def _one_that_is_there(
    rng: random.Random, families: Sequence[str], sizes_wd: Sequence[tuple[int, int]]
) -> tuple[int, int, tuple[Kind, int]]:
    """A size, and the kind of it with its turn, of those that there are."""
    every = [(w, d, find_kind(family, w, d)) for family in families for w, d in sizes_wd]
    return rng.choice([(w, d, found) for w, d, found in every if found is not None])


def _alone(rng: random.Random, deck: Deck) -> Move | None:
    """Something flat at the front, over which what comes behind it can be seen, or something at
    the back with room before it."""
    w, d = deck.size_wd
    if deck.span or w < 2 or d < 2:
        return None
    at_back = rng.random() < 0.5
    families = ("brick", "round brick") if at_back else ("plate", "flat tile", "round plate")
    sizes = [(n, 1) for n in range(1, w + 1)]
    pw, _, (kind, turn) = _one_that_is_there(rng, families, sizes)
    x, y = deck.x0 + rng.choice([0, w - pw, (w - pw) // 2]), deck.y1 - 1 if at_back else deck.y0
    front, back = (deck.y0, y) if at_back else (y + 1, deck.y1)
    left = (
        Deck(x, front, x + pw, back, deck.z, only="beside"),
        Deck(deck.x0, deck.y0, x, deck.y1, deck.z),
        Deck(x + pw, deck.y0, deck.x1, deck.y1, deck.z),
    )
    return Move(kind, ((x, y, deck.z, turn),), left)


def _beside(rng: random.Random, deck: Deck) -> Move | None:
    """Something behind or in front of what was put down alone."""
    w, d = deck.size_wd
    sizes = [(n, m) for n in range(1, w + 1) for m in range(1, min(d, 2) + 1)]
    families = ("brick", "brick", "plate", "round brick", "flat tile")
    pw, pd, (kind, turn) = _one_that_is_there(rng, families, sizes)
    x, y = deck.x0 + rng.choice([0, w - pw]), deck.y0 + rng.choice([0, d - pd])
    above = Deck(x, y, x + pw, y + pd, deck.z + kind.h)
    return Move(kind, ((x, y, deck.z, turn),), () if kind.stud_rows == 0 else (above,))


def _tuck(rng: random.Random, deck: Deck) -> Move | None:
    """Something low at the front between two posts: under their bridge, or to be bridged."""
    w, _ = deck.size_wd
    families, sizes = ("plate", "flat tile", "round plate"), [(n, 1) for n in range(1, w + 1)]
    pw, _, (kind, turn) = _one_that_is_there(rng, families, sizes)
    x = deck.x0 + rng.choice([0, w - pw, (w - pw) // 2])
    return Move(kind, ((x, deck.y0, deck.z, turn),), ())


MOVES: dict[str, Callable[[random.Random, Deck], Move | None]] = {
    "cover": _cover,
    "finish": _finish,
    "inset": _inset,
    "ends": _ends,
    "corners": _corners,
    "edge": _edge,
    "roof": _roof,
    "top": _top,
    "posts": _posts,
    "frame": _frame,
    "fill": _fill,
    "tuck": _tuck,
    "alone": _alone,
    "beside": _beside,
}
