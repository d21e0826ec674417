"""The tutorial of a page: every score with a drawn example (features.md T18-T20).

Bricks are drawn here as SVG, so that the page needs no picture of a manual to explain itself.
"""

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from review.criteria import Rating

# Pixels of one stud along the two ground axes, and of one plate's height (a brick is three).
STEP_X, STEP_Y, PLATE = 11.0, 5.5, 5.0
BRICK = 3
BLUE, YELLOW, RED, GREY, GREEN = "#2f7ed8", "#f2c230", "#d8423a", "#9aa4ad", "#3f9b57"
PALE = "#e9ecef"  # of what a mask leaves out


class Brick(NamedTuple):
    """A brick in studs: corner (i, j, k), k in plates; size along i and j; height in plates."""

    i: float
    j: float
    k: float
    length: int
    width: int
    color: str
    height: int = BRICK


def _shade(color: str, factor: float) -> str:
    values = (int(color[n : n + 2], 16) for n in (1, 3, 5))
    return "#" + "".join(f"{round(min(255, v * factor)):02x}" for v in values)


def _at(i: float, j: float, k: float) -> tuple[float, float]:
    return (i - j) * STEP_X, (i + j) * STEP_Y - k * PLATE


def _polygon(points: Iterable[tuple[float, float]], color: str) -> str:
    text = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{text}" fill="{color}" stroke="#0006" stroke-width=".6"/>'


def _brick(b: Brick) -> str:
    top, i1, j1 = b.k + b.height, b.i + b.length, b.j + b.width
    parts = [
        _polygon([_at(b.i, j1, b.k), _at(i1, j1, b.k), _at(i1, j1, top), _at(b.i, j1, top)],
                 _shade(b.color, 0.82)),
        _polygon([_at(i1, b.j, b.k), _at(i1, j1, b.k), _at(i1, j1, top), _at(i1, b.j, top)],
                 _shade(b.color, 0.62)),
        _polygon([_at(b.i, b.j, top), _at(i1, b.j, top), _at(i1, j1, top), _at(b.i, j1, top)],
                 b.color),
    ]  # fmt: skip
    for i in range(b.length):
        for j in range(b.width):
            x, y = _at(b.i + i + 0.5, b.j + j + 0.5, top)
            for lift, color in ((0.0, _shade(b.color, 0.7)), (1.8, _shade(b.color, 1.12))):
                parts.append(
                    f'<ellipse cx="{x:.1f}" cy="{y - lift:.1f}" rx="5.2" ry="2.7" fill="{color}"/>'
                )
    return "".join(parts)


Box = tuple[float, float, float, float]


def _around(b: Brick, shift: tuple[float, float] = (0, 0)) -> Box:
    """(x, y, width, height) of a brick in the picture, moved by shares of its size."""
    top, i1, j1 = b.k + b.height, b.i + b.length, b.j + b.width
    x0, x1 = _at(b.i, j1, 0)[0] - 2, _at(i1, b.j, 0)[0] + 2
    y0, y1 = _at(b.i, b.j, top)[1] - 3, _at(i1, j1, b.k)[1] + 2
    width, height = x1 - x0, y1 - y0
    return x0 + shift[0] * width, y0 + shift[1] * height, width, height


BOX_COLORS = {1: "#d32f2f", 2: "#e07b00", 3: "#16803c"}


def _svg(
    bricks: Iterable[Brick],
    label: str,
    boxes: Iterable[tuple[Box, str, str]] = (),
    view: Box = (-92, -84, 184, 134),
) -> str:
    """A picture; `boxes` are (x, y, width, height), a name drawn above, a colour."""
    x, y, width, height = view
    drawn = "".join(_brick(brick) for brick in bricks)
    for (bx, by, bw, bh), name, color in boxes:
        drawn += (
            f'<rect x="{bx:.1f}" y="{by:.1f}" width="{bw:.1f}" height="{bh:.1f}" fill="none" '
            f'stroke="{color}" stroke-width="2.4"/><text x="{bx:.1f}" y="{by - 3:.1f}" '
            f'font-size="9.5" font-weight="600" fill="{color}">{escape(name)}</text>'
        )
    return (
        f'<svg viewBox="{x} {y} {width} {height}" role="img" aria-label="{escape(label)}">'
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="#fff"/>{drawn}</svg>'
    )


class Example(NamedTuple):
    """Pictures with the score they get and why."""

    label: str
    why: str
    pictures: tuple[str, ...]


_BLUE_BRICK, _YELLOW_BRICK = Brick(-6, -2, 0, 4, 2, BLUE), Brick(3, 1, 0, 2, 2, YELLOW)
_PARTS = (_BLUE_BRICK, _YELLOW_BRICK)
# How far the box of the example of each precision is off, in shares of its size.
_SHIFTS = ((1.05, -0.15), (0.26, 0.28), (0.0, 0.0))


def _precision(label: str, why: str, score: int) -> Example:
    box = _around(_BLUE_BRICK, _SHIFTS[score - 1])
    said = f"A box called blue brick 2x4: {label.lower()}"
    return Example(label, why, (_svg(_PARTS, said, [(box, "blue brick 2x4", BOX_COLORS[score])]),))


def _clearness(label: str, why: str, names: tuple[str, str]) -> Example:
    boxes = (
        (_around(_BLUE_BRICK), names[0], "#0b62c4"),
        (_around(_YELLOW_BRICK), names[1], "#a3278f"),
    )
    return Example(label, why, (_svg(_PARTS, f"Boxes called {names[0]} and {names[1]}", boxes),))


_CAR = (
    Brick(-4, -2, 0, 8, 3, GREY, 1),
    Brick(-4, -2, 1, 3, 3, RED),
    Brick(-1, -2, 1, 5, 3, BLUE),
)
_NEW = Brick(1, -1, 4, 2, 1, YELLOW)
_MOVED = Brick(-3, -1, 4, 2, 1, YELLOW)
_TREE = (
    Brick(-1, -1, 0, 2, 2, GREEN),
    Brick(-2, -2, 3, 4, 4, GREEN),
    Brick(-1, -1, 6, 2, 2, GREEN),
)


def _pair(label: str, why: str, shown: tuple[Brick, ...], what: str) -> Example:
    return Example(
        label,
        why,
        (
            _svg(shown, f"Evaluating image: {what}"),
            _svg((*_CAR, _NEW), "Reference image: a car with a yellow brick on its roof"),
        ),
    )


_FLOOR = Brick(-4, -2, 0, 8, 3, GREY, 1)
_ON_FLOOR = Brick(0, -1, 1, 2, 2, YELLOW)
_LEFT, _RIGHT = Brick(-2.2, 0.2, 0, 2, 2, RED), Brick(0.2, -2.2, 0, 2, 2, BLUE)


def _two(
    label: str, why: str, shown: tuple[Brick, ...], one: tuple[str, Box], other: tuple[str, Box]
) -> Example:
    """A picture with the two boxes of a pair, in the colours of the page."""
    called = (f"2: {other[0].split()[0]}", f"1: {one[0].split()[0]}")  # there is little room
    boxes = [(other[1], called[0], "#a3186f"), (one[1], called[1], "#0b5cad")]
    told = f"Box 1 called {one[0]}, box 2 called {other[0]}: {label}"
    return Example(label, why, (_svg(shown, told, boxes),))


def _pairs() -> list[Example]:
    floor, on_floor = ("grey plate", _around(_FLOOR)), ("yellow brick", _around(_ON_FLOOR))
    left, right = ("red brick", _around(_LEFT)), ("blue brick", _around(_RIGHT))
    return [
        _two("on", "The yellow brick rests on the grey plate.", (_FLOOR, _ON_FLOOR),
             on_floor, floor),
        _two("next to and to the left of", "Both are true, so tick both.", (_RIGHT, _LEFT),
             left, right),
        _two("None fits", "Box 1 is not around a yellow brick.", (_RIGHT, _LEFT),
             ("yellow brick", _around(_LEFT)), right),
    ]  # fmt: skip


def _masks() -> list[Example]:
    """A car whose newest piece is the yellow brick, on the blue one."""
    words = "“The newest piece, and what it rests on.”"
    shown = (
        ("Misguided target", "Neither is in colour.", (_CAR[0],)),
        ("Missing target", "The yellow brick is the newest, but it rests on the blue one.",
         (_NEW,)),
        ("Insufficient reasoning", "The red brick was there before and carries nothing new.",
         (_CAR[1], _NEW)),
        ("Right", "The yellow brick, and the blue one that it rests on.", (_CAR[2], _NEW)),
    )  # fmt: skip
    return [
        Example(
            label,
            why,
            (
                _svg([b if b in colored else b._replace(color=PALE) for b in (*_CAR, _NEW)],
                     f"What is left in colour, {label.lower()}"),
                _svg((*_CAR, _NEW), f"The picture, asked about with {words}"),
            ),
        )
        for label, why, colored in shown
    ]  # fmt: skip


def examples(task: Rating) -> list[tuple[str, list[Example]]]:
    """(heading, examples) for every criterion of a task, or for all of them together."""
    if task.name == "object":
        precision, clearness = task.criteria
        why = (
            "The blue brick is not in the box.",
            "Most of the blue brick is in the box, but the centre is clearly off.",
            "The box lies closely around the blue brick.",
        )
        names = (
            ("image content", "yellow brick 2x2"),
            ("yellow brick 2x2", "blue brick 2x4"),
            ("blue brick 2x4", "yellow brick 2x2"),
        )
        whys = (
            "“image content” names nothing that the text asks for.",
            "The two names are swapped.",
            "Each name says plainly what is in its box.",
        )
        return [
            (
                precision.title,
                [_precision(label, why[n], n + 1) for n, label in enumerate(precision.labels)],
            ),
            (
                clearness.title,
                [_clearness(label, whys[n], names[n]) for n, label in enumerate(clearness.labels)],
            ),
        ]
    if task.name == "spatial":
        return [("Which words are true", _pairs())]
    if task.name == "mask":
        return [("“The newest piece, and what it rests on.”", _masks())]
    if task.name == "balanced":
        shown = (("Yes", "It is there.", (*_CAR, _NEW)),
                 ("No", "It is on the red brick.", (*_CAR, _MOVED)))  # fmt: skip
        told = "“Find 1 yellow brick. Put it on top of the blue brick.”"
        return [(told, [Example(label, why, (_svg(bricks, f"{label}: {why}"),))
                        for label, why, bricks in shown])]  # fmt: skip
    if task.name == "state":
        return [
            (
                "Relevance and Similarity",
                [
                    _pair("Relevance High, Similarity High",
                          "Almost identical; the yellow brick is in another place.",
                          (*_CAR, _MOVED), "the same car, the yellow brick moved"),
                    _pair("Relevance High, Similarity Low",
                          "The same car, but most of it is missing.",
                          (_CAR[0], _CAR[1]), "the floor and the back of the same car"),
                    _pair("Relevance Low, Similarity Low",
                          "Something else.", _TREE, "a green tree"),
                ],
            )
        ]  # fmt: skip
    return [
        (
            "Keep or drop",
            [
                _pair("Keep", "Somebody could have built it so, and it is wrong.",
                      (*_CAR, _MOVED), "the yellow brick moved along the car"),
                _pair("Drop", "The same as the right one: nothing tells that it is wrong.",
                      (*_CAR, _NEW), "the same picture"),
                _pair("Drop", "Broken: the brick hangs in the air beside the car.",
                      (*_CAR, Brick(2, -5, 8, 2, 1, YELLOW)), "the yellow brick in the air"),
            ],
        )
    ]  # fmt: skip


def section(task: Rating) -> str:
    """The tutorial as HTML."""
    parts = []
    for heading, shown in examples(task):
        cards = "".join(
            f'<figure class="example"><div class="pair">{"".join(example.pictures)}</div>'
            f"<figcaption><strong>{escape(example.label)}</strong> {escape(example.why)}"
            "</figcaption></figure>"
            for example in shown
        )
        parts.append(f'<h3>{escape(heading)}</h3>\n<div class="examples">{cards}</div>')
    return "\n".join(parts)
