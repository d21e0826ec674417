"""A parts library of a dozen lines in the LDraw format, and models of it: nothing is copied."""

from itertools import pairwise
from pathlib import Path

CONFIG = """0 LDraw.org Configuration File
0 // LEGOID  26 - Black
0 !COLOUR Black CODE 0 VALUE #1B2A34 EDGE #808080
0 // LEGOID  23 - Bright Blue
0 !COLOUR Blue CODE 1 VALUE #1E5AA8 EDGE #333333
0 // LEGOID  21 - Bright Red
0 !COLOUR Red CODE 4 VALUE #B40000 EDGE #333333
0 // LEGOID  1 - White
0 !COLOUR White CODE 15 VALUE #F4F4F4 EDGE #333333
0 !COLOUR Trans_Red CODE 36 VALUE #C91A09 EDGE #880000 ALPHA 128
"""
HEAD = "0 Author: Ann [ann]\n0 !LICENSE Licensed under CC BY 4.0 : see CAreadme.txt\n"
SQUARE = "1 0 0 0 1 0 0 0 1"  # not turned


def box(x: float, height: float, z: float, colour: int = 16) -> str:
    """Faces and edges of a box around the origin whose top is at 0: half sides, height."""
    corners = [(sx * x, y, sz * z) for y in (0, height) for sx, sz in
               ((-1, -1), (1, -1), (1, 1), (-1, 1))]  # fmt: skip
    faces = [(0, 1, 2, 3), (4, 5, 6, 7), *((i, (i + 1) % 4, (i + 1) % 4 + 4, i + 4)
                                           for i in range(4))]  # fmt: skip
    lines = [f"4 {colour} " + " ".join(_point(corners[i]) for i in face) for face in faces]
    edges = [(i, (i + 1) % 4) for i in range(4)]
    edges += [(a + 4, b + 4) for a, b in edges] + [(i, i + 4) for i in range(4)]
    lines += [f"2 24 {_point(corners[a])} {_point(corners[b])}" for a, b in edges]
    return "\n".join(lines)


def _point(xyz: tuple[float, float, float]) -> str:
    return " ".join(f"{value:g}" for value in xyz)


def plate(title: str, studs_x: int, studs_z: int, height: float = 8) -> str:
    """A part with studs on top; its origin is the middle of its top, as in the real library."""
    lines = [f"0 {title}", "0 !LDRAW_ORG Part", HEAD, box(10 * studs_x, height, 10 * studs_z)]
    for i in range(studs_x):
        for j in range(studs_z):
            at = f"{20 * i - 10 * (studs_x - 1)} 0 {20 * j - 10 * (studs_z - 1)}"
            lines.append(f"1 16 {at} {SQUARE} stud.dat")
    return "\n".join(lines) + "\n"


def slope(title: str) -> str:
    """A roof tile 1x1 that falls towards -z: the front of LDraw's frame."""
    return "\n".join([
        f"0 {title}", "0 !LDRAW_ORG Part", HEAD,
        "4 16 -10 0 10 10 0 10 10 16 -10 -10 16 -10",
        "4 16 -10 0 10 10 0 10 10 16 10 -10 16 10",
        "4 16 -10 16 -10 10 16 -10 10 16 10 -10 16 10",
        "3 16 -10 0 10 -10 16 10 -10 16 -10",
        "3 16 10 0 10 10 16 10 10 16 -10",
    ]) + "\n"  # fmt: skip


def wing(title: str, hand: int) -> str:
    """A wing 2x3: a plate that grows narrow to the back on one side (1 right, -1 left)."""
    way = [(-20, -30), (20, -30), (20, -10), (0, 30), (-20, 30)]
    plan = [(hand * x, z) for x, z in way]
    lines = [f"0 {title}", "0 !LDRAW_ORG Part", HEAD]
    for y in (0, 8):
        for a, b in pairwise(plan[1:]):
            lines.append(f"3 16 {plan[0][0]} {y} {plan[0][1]} {a[0]} {y} {a[1]} {b[0]} {y} {b[1]}")
    for a, b in pairwise([*plan, plan[0]]):
        ends = [f"{x} {y} {z}" for (x, z), y in ((a, 0), (b, 0), (b, 8), (a, 8))]
        lines += [f"4 16 {' '.join(ends)}", f"2 24 {ends[0]} {ends[1]}"]
    at = [(-10, -20), (10, -20), (-10, 0), (-10, 20)]
    lines += [f"1 16 {hand * x} 0 {z} {SQUARE} stud.dat" for x, z in at]
    return "\n".join(lines) + "\n"


def frame(title: str) -> str:
    """A frame 4x4 a brick high, without studs: four walls around a hole of two by two studs."""
    walls = [f"1 16 0 0 {z} {SQUARE} s/long.dat" for z in (-30, 30)]
    walls += [f"1 16 {x} 0 0 {SQUARE} s/short.dat" for x in (-30, 30)]
    return "\n".join([f"0 {title}", "0 !LDRAW_ORG Part", HEAD, *walls]) + "\n"


def bracket(title: str) -> str:
    """A plate 2x2 with a wall a brick high that stands along its back: an L, its top at 0."""
    lines = [f"0 {title}", "0 !LDRAW_ORG Part", HEAD, f"1 16 0 16 0 {SQUARE} 3022.dat"]
    return "\n".join([*lines, f"1 16 0 0 18 {SQUARE} s/back.dat"]) + "\n"


def library(folder: Path) -> Path:
    """Write the library; returns its folder."""
    files = {
        "LDConfig.ldr": CONFIG,
        "p/stud.dat": f"0 Stud\n{box(6, -4, 6)}\n",
        "p/stud4.dat": f"0 Stud Tube Solid\n{box(6, 4, 6)}\n",
        "parts/3024.dat": plate("Plate  1 x  1", 1, 1),
        "parts/3023.dat": plate("Plate  1 x  2", 2, 1),
        "parts/3022.dat": plate("Plate  2 x  2", 2, 2),
        "parts/3020.dat": plate("Plate  2 x  4", 4, 2),
        "parts/3001.dat": plate("Brick  2 x  4", 4, 2, 24),
        "parts/3003.dat": plate("Brick  2 x  2", 2, 2, 24),
        "parts/3005.dat": plate("Brick  1 x  1", 1, 1, 24),
        "parts/54200.dat": slope("Slope Brick 31  1 x  1 x  0.667"),
        "parts/2450.dat": wing("Wing  2 x  3 Left", -1),
        "parts/s/long.dat": f"0 ~Wall\n{box(40, 24, 10)}\n",
        "parts/s/short.dat": f"0 ~Wall\n{box(10, 24, 20)}\n",
        "parts/s/back.dat": f"0 ~Wall\n{box(20, 16, 2)}\n",
        "parts/1200.dat": frame("Frame  4 x  4"),
        "parts/1201.dat": bracket("Bracket  2 x  2"),
        "parts/old.dat": f"0 ~Moved to 3022\n1 16 0 0 0 {SQUARE} 3022.dat\n",
        "parts/loop.dat": f"0 Loop\n1 16 0 0 0 {SQUARE} loop.dat\n",
        "parts/half.dat": f"0 Half a part\n1 16 0 0 0 {SQUARE} s/none.dat\n{box(10, 8, 10)}\n",
        "parts/hollow.dat": "0 Nothing in it\n",
        "parts/9999.dat": f"0 9999\n{box(10, 8, 10)}\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def put(part: str, x: float, y: float, z: float, colour: int = 4, turn: str = SQUARE) -> str:
    """A line that places a part: y is how high its top is, negative upwards."""
    return f"1 {colour} {x:g} {y:g} {z:g} {turn} {part}.dat"


def tower(title: str = "Tower", head: str = HEAD) -> str:
    """A model of five steps; front is towards -z."""
    steps = [
        [put("3020", 0, 0, 0)],
        [put("3001", 0, -24, 0, 1)],
        [put("3024", -30, -32, -10, 15), put("3024", 30, -32, -10, 15)],
        [put("3022", 20, -40, 0, 36), put("54200", -30, -48, -10, 4)],
        [put("3005", 10, -64, -10, 0)],
    ]
    lines = "\n0 STEP\n".join("\n".join(step) for step in steps)
    return f"0 {title}\n{head}\n{lines}\n0 STEP\n"
