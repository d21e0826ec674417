"""A model taken apart: its parts at their places, and the sub-files that are built on their own."""

import functools
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from builder.sources.ldraw.camera import Array
from builder.sources.ldraw.colours import Colour, colour_of
from builder.sources.ldraw.mesh import MAIN, BrokenPart, Mesh, Meshes, split_matrix
from builder.sources.ldraw.names import Name, name_of
from builder.sources.ldraw.products import product
from builder.sources.ldraw.reader import LdrFile, Reference

MOST_PARTS = 5_000  # of a model, each copy of a sub-file counted
MOST_DEEP = 50  # sub-files within each other
LONELY_PARTS = 4  # a sub-file without steps that has fewer is no session of its own


class ModelError(Exception):
    """A model that no manual can be made of; `reason` is the drop's."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True, eq=False)
class Piece:
    """A part at its place in its session: `turn` (3, 3) and `shift` (3,) in LDraw's axes."""

    file: str
    name: Name
    mesh: Mesh
    colour: Colour
    turn: Array
    shift: Array

    @functools.cached_property
    def kind(self) -> tuple[str, str]:
        """What texts tell it from others by: label and colour."""
        return self.name.label(), self.colour.name


@dataclass(frozen=True, eq=False)
class Unit:
    """What is put in one go: a part, or a sub-assembly by its title."""

    pieces: tuple[Piece, ...]
    assembly: str | None = None

    @functools.cached_property
    def kind(self) -> tuple[str, str]:
        """What texts tell it from others by: label and colour."""
        return (self.assembly, "") if self.assembly else self.pieces[0].kind


@dataclass(frozen=True)
class Lost:
    """A part that can't be drawn, and where it is used."""

    file: str
    step: int
    reason: str
    name: str


@dataclass(frozen=True)
class RawSession:
    """A sub-file to be built, its units by step as the file has them; `has_steps` says whether
    the order is the file's own. `uses` counts how often it is needed."""

    title: str
    steps: tuple[tuple[Unit, ...], ...]
    has_steps: bool
    uses: int = 1


@dataclass
class _Taker:
    """A model while it is taken apart."""

    files: dict[str, LdrFile]
    meshes: Meshes
    config: dict[int, Colour]
    lost: dict[tuple[str, int, str], Lost] = field(default_factory=dict)
    sessions: dict[str, RawSession] = field(default_factory=dict)
    titles: set[str] = field(default_factory=set)
    names: dict[str, Name | None] = field(default_factory=dict)


def take_apart(
    files: dict[str, LdrFile], meshes: Meshes, config: dict[int, Colour]
) -> tuple[list[RawSession], list[Lost]]:
    """Sessions in building order, the model itself last, and the parts that can't be drawn.

    Raises `ModelError` for cycles, and for what is empty or too large.
    """
    main = next(iter(files))
    counts = part_counts(files)
    if counts[main] > MOST_PARTS:
        raise ModelError("too_many_parts", f"{counts[main]:,} parts; {MOST_PARTS:,} are taken")
    if not counts[main]:
        raise ModelError("no_parts", "no parts in it")
    taker = _Taker(files, meshes, config)
    own = _session_steps(taker, files[main], MAIN, counts)
    uses = Counter(session_uses(files, main))
    sessions = [
        RawSession(s.title, s.steps, s.has_steps, uses[key]) for key, s in taker.sessions.items()
    ]
    units = [unit for step in own for unit in step]
    if not (len(units) == 1 and units[0].assembly):  # else the file only names another one
        title = _title(taker, files[main], "model")
        sessions.append(RawSession(title, own, files[main].step_lines > 0))
    return [s for s in sessions if any(s.steps)], list(taker.lost.values())


def part_counts(files: dict[str, LdrFile]) -> dict[str, int]:
    """Parts of every sub-file, those of its own sub-files too. Raises `ModelError` for cycles."""
    counts: dict[str, int] = {}

    def count(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            chain = " -> ".join([*above[above.index(name) :], name])
            raise ModelError("cyclic_references", chain)
        if len(above) > MOST_DEEP:
            raise ModelError("cyclic_references", f"sub-files more than {MOST_DEEP} deep")
        if name not in counts:
            counts[name] = sum(
                count(r.name, (*above, name)) if _is_model(files, r.name) else 1
                for r in files[name].references
            )
        return counts[name]

    for name, file in files.items():
        if not file.is_part:
            count(name, ())
    return {name: counts.get(name, 1) for name in files}


def session_uses(files: dict[str, LdrFile], main: str) -> dict[str, int]:
    """How often each sub-file is needed in all."""
    uses: Counter[str] = Counter()
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            for r in files[name].references:
                if _is_model(files, r.name):
                    visit(r.name)
            order.append(name)

    visit(main)
    uses[main] = 1
    for name in reversed(order):
        for r in files[name].references:
            if _is_model(files, r.name):
                uses[r.name] += uses[name]
    return uses


def _is_model(files: dict[str, LdrFile], name: str) -> bool:
    return name in files and not files[name].is_part


def _session_steps(
    taker: _Taker, file: LdrFile, colour: int, counts: dict[str, int]
) -> tuple[tuple[Unit, ...], ...]:
    steps = []
    for number, step in enumerate(file.steps):
        units: list[Unit] = []
        for reference in step:
            units += _units_of(taker, file, number, reference, colour, counts)
        steps.append(tuple(units))
    return tuple(steps)


def _units_of(
    taker: _Taker, file: LdrFile, step: int, reference: Reference, colour: int,
    counts: dict[str, int],
) -> list[Unit]:  # fmt: skip
    """A part as it is; a sub-file as one unit, or part by part where it is no session."""
    used = colour if reference.colour == MAIN else reference.colour
    turn, shift = split_matrix(reference.matrix)
    if not _is_model(taker.files, reference.name):
        piece = _piece(taker, file, step, reference.name, used, turn, shift)
        return [Unit((piece,))] if piece else []
    sub = taker.files[reference.name]
    if counts[reference.name] > 1 and (
        sub.step_lines or counts[reference.name] >= LONELY_PARTS or _has_sessions(taker, sub)
    ):
        if reference.name not in taker.sessions:
            steps = _session_steps(taker, sub, used, counts)
            title = _title(taker, sub, f"sub-assembly {len(taker.sessions) + 1}")
            taker.sessions[reference.name] = RawSession(title, steps, sub.step_lines > 0)
        pieces = _flat(taker, sub, used, turn, shift)
        return [Unit(tuple(pieces), taker.sessions[reference.name].title)] if pieces else []
    return [Unit((piece,)) for piece in _flat(taker, sub, used, turn, shift)]


def _has_sessions(taker: _Taker, file: LdrFile) -> bool:
    return any(
        taker.files[r.name].step_lines > 0 or _has_sessions(taker, taker.files[r.name])
        for r in file.references
        if _is_model(taker.files, r.name)
    )


def _flat(taker: _Taker, file: LdrFile, colour: int, turn: Array, shift: Array) -> list[Piece]:
    """All parts of a sub-file at a place."""
    pieces: list[Piece] = []
    for number, step in enumerate(file.steps):
        for reference in step:
            used = colour if reference.colour == MAIN else reference.colour
            own_turn, own_shift = split_matrix(reference.matrix)
            at_turn, at_shift = product(turn, own_turn), product(turn, own_shift, shift)
            if _is_model(taker.files, reference.name):
                pieces += _flat(taker, taker.files[reference.name], used, at_turn, at_shift)
            else:
                piece = _piece(taker, file, number, reference.name, used, at_turn, at_shift)
                pieces += [piece] if piece else []
    return pieces


def _piece(
    taker: _Taker, file: LdrFile, step: int, name: str, colour: int, turn: Array, shift: Array
) -> Piece | None:
    if name not in taker.names:
        taker.names[name] = name_of(taker.meshes.title(name))
    try:
        mesh = taker.meshes.mesh(name)
        reason = "" if taker.names[name] else "nameless_part"
    except BrokenPart as broken:
        reason = "missing_part" if broken.reason == "missing" else f"{broken.reason}_part"
    words = taker.names[name]
    if reason or words is None:
        taker.lost.setdefault((file.name, step, name), Lost(file.name, step, reason, name))
        return None
    return Piece(name, words, mesh, colour_of(colour, taker.config), turn, shift)


_FOUND: Callable[[str], list[str]] = re.compile(r"[^\W\d_]{3,}").findall


def _title(taker: _Taker, file: LdrFile, otherwise: str) -> str:
    """What a sub-assembly is called; each by another title."""
    stem = re.sub(r"\.(ldr|mpd|dat)$", "", file.title or file.name, flags=re.IGNORECASE)
    stem = re.sub(r"^[\d-]+\s+-\s+", "", stem.strip().lstrip("~=_"))
    stem = re.sub(r"\bminifig\b", "minifigure", re.sub(r"_| - ", " ", stem).lower())
    stem = re.sub(r"^(the|an?) ", "", " ".join(stem.split()))
    plain = otherwise if not _FOUND(stem) or re.match(r"step\b|step\d|main\b", stem) else stem
    title, number = plain[:48].strip(), 2
    while title in taker.titles:
        title, number = f"{plain[:44]} {number}", number + 1
    taker.titles.add(title)
    return title


def corners_of(pieces: tuple[Piece, ...], body: bool = True) -> Array:
    """(n, 3) corners of parts in their session, LDraw's axes; with studs where not `body` only."""
    return np.concatenate(
        [product(p.mesh.body if body else p.mesh.corners, p.turn.T, p.shift) for p in pieces]
    )
