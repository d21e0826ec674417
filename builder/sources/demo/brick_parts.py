"""What a brick is: colours, the table of part kinds, and a part at its place on the stud grid.

Grid frame: x to the viewer's right in studs, y away from the viewer in studs, z up in plates (a
stud pitch is 8 mm, a plate 3.2 mm, a brick three plates).
"""

from dataclasses import dataclass
from functools import cached_property

from core.scenes import walls_around

RGB = tuple[int, int, int]
GridBox = tuple[int, int, int, int, int, int]  # x0, y0, z0, x1, y1, z1

COLOURS: dict[str, RGB] = {
    "red": (201, 26, 9),
    "bright yellow": (245, 205, 47),
    "bright blue": (13, 85, 180),
    "dark green": (24, 96, 50),
    "bright green": (64, 158, 68),
    "black": (30, 32, 36),
    "white": (244, 244, 242),
    "dark stone grey": (100, 104, 105),
    "light stone grey": (163, 166, 170),
    "reddish brown": (96, 51, 24),
    "bright orange": (254, 132, 22),
    "medium azure": (72, 170, 205),
    "brick yellow": (214, 198, 152),
    "bright reddish violet": (148, 40, 108),
    "medium lavender": (164, 118, 186),
    "transparent red": (214, 60, 52),
    "transparent light blue": (150, 208, 236),
}

BOUNDARY_COLOURS: tuple[RGB, ...] = (
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 0),
    (255, 0, 0),
    (0, 224, 0),
    (255, 128, 0),
    (0, 64, 255),
)
BACKGROUNDS: tuple[RGB, ...] = (
    (255, 255, 255),
    (255, 255, 255),
    (255, 255, 255),
    (242, 247, 252),
    (246, 246, 243),
    (238, 240, 242),
)


@dataclass(frozen=True)
class Kind:
    """A kind of part in its first turn: `w` studs along x, `d` along y, `h` plates high."""

    family: str
    size: str
    w: int
    d: int
    h: int
    # box, round, slope (falls to the front in its first turn), or frame: walls one stud thick
    # around a hole that goes through
    shape: str = "box"
    stud_rows: int = -1  # rows of studs counted from the back; -1: all

    def label(self, count: int = 1) -> str:
        """`brick 2x4` or `bricks 2x4`, as the manuals write it."""
        return f"{self.family}{'s' if count > 1 else ''} {self.size}"


def _kinds() -> dict[str, Kind]:
    def flat(
        family: str, h: int, sizes: str, stud_rows: int = -1, shape: str = "box"
    ) -> list[Kind]:
        return [
            Kind(family, size, int(size[2:]), int(size[0]), h, shape, stud_rows)
            for size in sizes.split()
        ]

    every = [
        *flat("brick", 3, "1x1 1x2 1x3 1x4 1x6 1x8 2x2 2x3 2x4 2x6 2x8"),
        *flat("plate", 1, "1x1 1x2 1x3 1x4 1x6 1x8 2x2 2x3 2x4 2x6 2x8 4x4 4x6 4x8 6x6 6x8"),
        *flat("flat tile", 1, "1x1 1x2 1x3 1x4 1x6 1x8 2x2 2x4", 0),
        *flat("frame", 3, "4x4 4x6 4x8 6x6", shape="frame"),
        *flat("flat frame", 1, "4x4 4x6 4x8 6x6", shape="frame"),
        Kind("roof tile", "1x1x⅔", 1, 1, 2, "slope", 0),
        Kind("roof tile", "1x2x⅔", 2, 1, 2, "slope", 0),
        Kind("roof tile", "1x2", 1, 2, 3, "slope", 1),
        Kind("roof tile", "2x2", 2, 2, 3, "slope", 1),
        Kind("roof tile", "2x3", 3, 2, 3, "slope", 1),
        Kind("roof tile", "2x4", 4, 2, 3, "slope", 1),
        Kind("round brick", "1x1", 1, 1, 3, "round"),
        Kind("round plate", "1x1", 1, 1, 1, "round"),
        Kind("round brick", "2x2", 2, 2, 3, "round"),
        Kind("round plate", "2x2", 2, 2, 1, "round"),
    ]
    return {kind.label(): kind for kind in every}


KINDS = _kinds()


@dataclass(frozen=True)
class Part:
    """A part at grid (x, y, z): its least corner. `turn` counts quarter turns, seen from above
    counter-clockwise: a slope falls to the front, right, back, left."""

    kind: Kind
    colour: str
    x: int
    y: int
    z: int
    turn: int = 0

    @cached_property
    def size_xyz(self) -> tuple[int, int, int]:
        """(studs along x, studs along y, plates) after the turn."""
        w, d = (self.kind.w, self.kind.d) if self.turn % 2 == 0 else (self.kind.d, self.kind.w)
        return w, d, self.kind.h

    @cached_property
    def box_xyz(self) -> GridBox:
        """(x0, y0, z0, x1, y1, z1) on the grid, without the studs' tops."""
        w, d, h = self.size_xyz
        return self.x, self.y, self.z, self.x + w, self.y + d, self.z + h

    @property
    def hole_xyz(self) -> GridBox | None:
        """The opening through a frame, from its underside to its top; None in other parts."""
        if self.kind.shape != "frame":
            return None
        x0, y0, z0, x1, y1, z1 = self.box_xyz
        return x0 + 1, y0 + 1, z0, x1 - 1, y1 - 1, z1

    @property
    def solid_boxes_xyz(self) -> list[GridBox]:
        """Boxes that together take up the part's room: one, or the four walls of a frame."""
        box, hole = self.box_xyz, self.hole_xyz
        if hole is None:
            return [box]
        return walls_around(hole, box)

    @property
    def turned_round(self) -> "Part":
        """The part after the whole model has made half a turn on the table."""
        w, d, _ = self.size_xyz
        x, y, turn = -self.x - w, -self.y - d, (self.turn + 2) % 4
        return Part(self.kind, self.colour, x, y, self.z, turn)

    def stud_cells(self) -> list[tuple[int, int]]:
        """Grid cells (x, y) that carry a stud on this part's top."""
        return [(self.x + i, self.y + j) for i, j in stud_cells(self.kind, self.turn)]


def stud_cells(kind: Kind, turn: int) -> list[tuple[int, int]]:
    """Cells (i, j) from the least corner that carry a stud, after `turn` quarter turns."""
    rows = kind.d if kind.stud_rows < 0 else kind.stud_rows
    cells = [(i, j) for i in range(kind.w) for j in range(kind.d - rows, kind.d)]
    if kind.shape == "frame":
        rim_x, rim_y = (0, kind.w - 1), (0, kind.d - 1)
        cells = [(i, j) for i, j in cells if i in rim_x or j in rim_y]
    w, d = kind.w, kind.d
    for _ in range(turn % 4):  # (i, j) of a w x d part turns to (d - 1 - j, i) of a d x w one
        cells = [(d - 1 - j, i) for i, j in cells]
        w, d = d, w
    return cells
