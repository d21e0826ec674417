"""What a part looks like: its triangles, edge lines and studs, from a library; no pictures.

Faces are seen from both sides, so that winding need not be known (many parts do not certify it),
and a mirrored or scaled part needs nothing of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from builder.sources.ldraw.library import Library, read_lines, title_of
from builder.sources.ldraw.products import product
from builder.sources.ldraw.reader import (
    LdrFile,
    Matrix,
    colour_number,
    is_outside,
    is_sound,
    plain_name,
)

Array = NDArray[Any]
MAIN, EDGE = 16, 24  # "the colour of who uses this", and its edge
MOST_TRIANGLES = 400_000  # of a part; no part of the library has a tenth of it


class BrokenPart(Exception):
    """A part that can't be drawn: `missing`, `cyclic`, `too_large` or `empty`, and which file."""

    def __init__(self, reason: str, name: str) -> None:
        super().__init__(f"{reason}: {name}")
        self.reason, self.name = reason, name


@dataclass(frozen=True, eq=False)
class Mesh:
    """A part in its own frame (LDU): `triangles` (n, 3, 3) with `colours` (n,), lines (m, 2, 3),
    conditional lines (k, 4, 3), studs on top (s, 2, 3) as (foot, foot + up).

    `body` (b, 3) are corners of all but studs on top, `corners` (c, 3) of everything.
    """

    triangles: Array
    colours: Array
    lines: Array
    conditionals: Array
    studs: Array
    body: Array
    corners: Array


@dataclass
class _Pieces:
    """Arrays of a mesh while it is put together."""

    triangles: list[Array] = field(default_factory=list)
    colours: list[Array] = field(default_factory=list)
    on_top: list[Array] = field(default_factory=list)  # whether of a stud
    lines: list[Array] = field(default_factory=list)
    conditionals: list[Array] = field(default_factory=list)
    studs: list[Array] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Shape:
    """A library file with all that it refers to: as `Mesh`, `on_top` saying what is a stud."""

    triangles: Array
    colours: Array
    on_top: Array
    lines: Array
    conditionals: Array
    studs: Array


@dataclass(eq=False)
class Meshes:
    """Meshes by name, of a library and of the parts that a model brings itself; each made once."""

    library: Library
    own: dict[str, LdrFile] = field(default_factory=dict)
    shapes: dict[str, _Shape] = field(default_factory=dict)
    meshes: dict[str, Mesh] = field(default_factory=dict)

    def mesh(self, name: str) -> Mesh:
        """The mesh of a part by `plain_name`; raises `BrokenPart`."""
        if name not in self.meshes:
            self.meshes[name] = _finished(self._shape(name, ()), name)
        return self.meshes[name]

    def title(self, name: str) -> str:
        """The description of a part, following what was moved; empty when there is none."""
        for _ in range(8):
            lines = self._lines(name)
            title = title_of(lines) if lines is not None else ""
            if not title.lower().startswith("~moved to"):
                return title
            moved = plain_name(title[len("~moved to") :])
            name = moved if moved.endswith(".dat") else f"{moved}.dat"
        return ""

    def is_there(self, name: str) -> bool:
        """Whether the part itself is there; what it refers to may be missing."""
        return self._lines(name) is not None

    def _lines(self, name: str) -> tuple[str, ...] | None:
        if name in self.own:
            file = self.own[name]
            return file.body
        path = self.library.find(name)
        return None if path is None else read_lines(path)

    def _shape(self, name: str, above: tuple[str, ...]) -> _Shape:
        if name in self.shapes:
            return self.shapes[name]
        if name in above:
            raise BrokenPart("cyclic", name)
        lines = self._lines(name)
        if lines is None:
            raise BrokenPart("missing", name)
        shape = _read_shape(lines, lambda used: self._shape(used, (*above, name)), name)
        file = name.rpartition("/")[2]
        # Studs on top of a part; those that are tubes hang beneath it.
        if file.startswith("stud") and "tube" not in title_of(lines).lower():
            stud = np.array([[[0.0, 0.0, 0.0], [0.0, -1.0, 0.0]]])
            shape = _Shape(
                shape.triangles, shape.colours, np.ones(len(shape.triangles), bool),
                shape.lines, shape.conditionals, stud,
            )  # fmt: skip
        self.shapes[name] = shape
        return shape


def split_matrix(matrix: Matrix) -> tuple[Array, Array]:
    """Rotation (3, 3) and translation (3,) of a reference."""
    numbers = np.array(matrix, float)
    return numbers[3:].reshape(3, 3), numbers[:3]


def _read_shape(lines: Sequence[str], used: Callable[[str], _Shape], name: str) -> _Shape:
    pieces = _Pieces()
    faces: list[list[float]] = []
    face_colours: list[int] = []
    edges: list[list[float]] = []
    conditionals: list[list[float]] = []
    for line in lines:
        kind = line[0]
        if kind == "0" or kind not in "12345" or not is_sound(line):
            continue
        words = line.split()
        colour = colour_number(words[1]) or 0
        if kind == "1":
            _use(pieces, line, colour, used)
        elif kind == "2":
            edges.append([float(w) for w in words[2:8]])
        elif kind == "5":
            conditionals.append([float(w) for w in words[2:14]])
        else:
            corners = [float(w) for w in words[2 : 11 if kind == "3" else 14]]
            faces.append(corners[:9])
            face_colours.append(colour)
            if kind == "4":
                faces.append(corners[:3] + corners[6:12])
                face_colours.append(colour)
    pieces.triangles.append(np.array(faces, float).reshape(-1, 3, 3))
    pieces.colours.append(np.array(face_colours, np.int64))
    pieces.on_top.append(np.zeros(len(faces), bool))
    pieces.lines.append(np.array(edges, float).reshape(-1, 2, 3))
    pieces.conditionals.append(np.array(conditionals, float).reshape(-1, 4, 3))
    if sum(map(len, pieces.triangles)) > MOST_TRIANGLES:
        raise BrokenPart("too_large", name)
    return _Shape(
        np.concatenate(pieces.triangles),
        np.concatenate(pieces.colours),
        np.concatenate(pieces.on_top),
        np.concatenate(pieces.lines),
        np.concatenate(pieces.conditionals),
        np.concatenate([*pieces.studs, np.zeros((0, 2, 3))]),
    )


def _use(pieces: _Pieces, line: str, colour: int, used: Callable[[str], _Shape]) -> None:
    """Add what a reference brings. What a part lacks of its own pieces makes it a broken part."""
    words = line.split(None, 14)
    name = plain_name(words[14])
    if is_outside(name):
        raise BrokenPart("missing", name)
    shape = used(name)
    turn, shift = split_matrix(tuple(float(w) for w in words[2:14]))
    pieces.triangles.append(product(shape.triangles, turn.T, shift))
    pieces.colours.append(np.where(shape.colours == MAIN, colour, shape.colours))
    pieces.on_top.append(shape.on_top)
    pieces.lines.append(product(shape.lines, turn.T, shift))
    pieces.conditionals.append(product(shape.conditionals, turn.T, shift))
    pieces.studs.append(product(shape.studs, turn.T, shift))


def _finished(shape: _Shape, name: str) -> Mesh:
    if not len(shape.triangles):
        raise BrokenPart("empty", name)
    body = shape.triangles[~shape.on_top].reshape(-1, 3)
    every = shape.triangles.reshape(-1, 3)
    return Mesh(
        shape.triangles,
        shape.colours,
        shape.lines,
        shape.conditionals,
        shape.studs,
        np.unique((body if len(body) else every).round(3), axis=0),
        np.unique(every.round(3), axis=0),
    )
