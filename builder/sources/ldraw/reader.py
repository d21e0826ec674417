"""Reads .ldr and .mpd models: references by step, headers, what can't be read; no library.

A model file may hold many: `0 FILE name` opens one, `0 NOFILE` closes it; the first is the model.
Lengths are in LDU (0.4 mm); x to the right, y down, z away.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

MOST_LDU = 1e6  # of a coordinate: 400 m, and far less than what arithmetic can't do
_END = re.compile(r"\r\n?|\n")
_FIELDS = {"1": 15, "2": 8, "3": 11, "4": 14, "5": 14}  # fields at least, with the type
_PART = re.compile(
    r"(Unofficial_)?(Part|Subpart|Primitive|8_Primitive|48_Primitive|Shortcut)\b", re.IGNORECASE
)

Matrix = tuple[float, ...]  # x y z a b c d e f g h i: translation, then the rows of a 3x3


@dataclass(frozen=True)
class Reference:
    """A line of type 1: a part or sub-file at its place. `name` is in lower case, with slashes."""

    colour: int
    matrix: Matrix
    name: str
    line: int


@dataclass(frozen=True)
class LdrFile:
    """A file in a model. `steps` are its references between STEP lines (`step_lines` of them);
    `body` are its lines where it is a part itself, else none."""

    name: str
    title: str
    author: str
    licence: str
    steps: tuple[tuple[Reference, ...], ...]
    step_lines: int
    is_part: bool
    body: tuple[str, ...] = ()
    nonsense: tuple[int, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def references(self) -> Iterator[Reference]:
        """All references in order."""
        return (reference for step in self.steps for reference in step)


@dataclass
class _Open:
    """A file while its lines are read."""

    name: str
    title: str = ""
    author: str = ""
    licence: str = ""
    placed: list[tuple[int, Reference]] = field(default_factory=list)  # (step, reference)
    step: int = 0
    is_part: bool = False
    lines: list[str] = field(default_factory=list)
    nonsense: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    stored: dict[str, int] = field(default_factory=dict)  # BUFEXCH letters -> len(placed)
    has_geometry: bool = False


def decode(data: bytes) -> str:
    """Text of a file: UTF-8 with or without a mark, UTF-16 with one, else what Windows wrote."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def read_model(data: bytes, name: str) -> dict[str, LdrFile]:
    """The files of a model by `plain_name`, the model itself first; empty when nothing is there.

    Of two files with one name the first counts, as viewers have it.
    """
    found: dict[str, LdrFile] = {}
    current: _Open | None = _Open(name)
    begun = False  # whether a FILE line has been seen
    for number, line in enumerate(_END.split(decode(data)), 1):
        words = line.split(None, 2)
        if len(words) >= 2 and words[0] == "0" and words[1].upper() in ("FILE", "NOFILE"):
            if current and (begun or current.lines):
                _close(current, found)
            opened = words[1].upper() == "FILE"
            current = _Open(words[2].strip() if len(words) > 2 else name) if opened else None
            begun = True
        elif current is not None and words:
            _read_line(current, line.strip(), number)
    if current is not None:
        _close(current, found)
    return {key: file for key, file in found.items() if file.title or file.steps != ((),)}


def plain_name(name: str) -> str:
    """A name as files are looked up by: lower case, slashes, single spaces."""
    return " ".join(name.replace("\\", "/").lower().split())


def is_outside(name: str) -> bool:
    """Whether a reference leads out of the library: an absolute path, or one with `..`."""
    path = name.replace("\\", "/").strip()
    return path.startswith("/") or bool(re.match(r"[A-Za-z]:", path)) or ".." in path.split("/")


def _close(one: _Open, found: dict[str, LdrFile]) -> None:
    steps = [[r for s, r in one.placed if s == step] for step in range(one.step + 1)]
    while len(steps) > 1 and not steps[-1]:  # a STEP line at the end opens nothing
        steps.pop()
    is_part = one.is_part or one.has_geometry or one.name.lower().endswith(".dat")
    found.setdefault(
        plain_name(one.name),
        LdrFile(
            one.name, one.title, one.author, one.licence, tuple(map(tuple, steps)), one.step,
            is_part, tuple(one.lines) if is_part else (), tuple(one.nonsense), tuple(one.refused),
        ),
    )  # fmt: skip


def _read_line(one: _Open, line: str, number: int) -> None:
    kind = line.split(None, 1)[0]
    if kind == "0":
        _read_comment(one, line)
    elif not is_sound(line):
        one.nonsense.append(number)
        return
    elif kind == "1":
        _read_reference(one, line, number)
    else:
        one.has_geometry = True
    one.lines.append(line)


def is_sound(line: str) -> bool:
    """Whether a line of types 1 to 5 has the numbers that its type asks for."""
    words = line.split()
    wanted = _FIELDS.get(words[0], 0)
    if not wanted or len(words) < wanted or colour_number(words[1]) is None:
        return False
    numbers = words[2 : wanted - 1] if words[0] == "1" else words[2:wanted]
    try:
        return all(abs(float(word)) <= MOST_LDU for word in numbers)  # which "nan" is not either
    except ValueError:
        return False


def colour_number(word: str) -> int | None:
    """A colour's code; direct colours (0x2RRGGBB, #2RRGGBB) as that number."""
    try:
        return int(word.replace("#", "0x"), 0) if not word.isdigit() else int(word)
    except ValueError:
        return None


def _read_reference(one: _Open, line: str, number: int) -> None:
    words = line.split(None, 14)
    name = words[14].strip()
    if is_outside(name):
        one.refused.append(name)
        return
    matrix = tuple(float(word) for word in words[2:14])
    reference = Reference(colour_number(words[1]) or 0, matrix, plain_name(name), number)
    one.placed.append((one.step, reference))


def _read_comment(one: _Open, line: str) -> None:
    words = line.split(None, 2)
    meta = words[1].upper() if len(words) > 1 else ""
    rest = words[2].strip() if len(words) > 2 else ""
    if meta in ("STEP", "ROTSTEP"):
        one.step += 1
    elif meta == "AUTHOR:":
        one.author = one.author or rest
    elif meta == "!LICENSE":
        one.licence = one.licence or rest
    elif meta in ("!LDRAW_ORG", "LDRAW_ORG"):
        one.is_part = one.is_part or bool(_PART.match(rest))
    elif meta == "!LDCAD" and rest.upper().startswith("GENERATED"):
        one.is_part = True  # a hose or a spring, in many pieces
    elif meta == "BUFEXCH":
        _exchange(one, rest.upper().split())
    elif not one.title and not one.lines and meta:
        one.title = line.split(None, 1)[1].strip()


def _exchange(one: _Open, words: list[str]) -> None:
    """BUFEXCH: what is placed between STORE and RETRIEVE was for a picture only, and goes."""
    letter, what = (*words, "", "")[:2]
    if what == "STORE":
        one.stored[letter] = len(one.placed)
    elif what == "RETRIEVE" and letter in one.stored:
        del one.placed[one.stored[letter] :]
