"""The scene of a manual of the demo, put down as its pictures are drawn (`core/scenes.py`)."""

from collections.abc import Sequence

import numpy as np

from builder.sources.demo.brick_parts import COLOURS, GridBox, Part
from builder.sources.demo.bricks import Canvas
from builder.sources.demo.sprites import PLATE_MM, STUD_MM
from builder.sources.demo.stating import Said, stated
from builder.sources.drawn.scene_book import SceneBook
from core import scenes


def add_part(
    book: SceneBook,
    part: Part,
    session: str,
    step: int | None,
    turned: bool = False,
    off_mm: tuple[float, float] = (0.0, 0.0),
) -> int:
    """Note a part, in the frame of the model before it is turned round; its id."""
    own = part.turned_round if turned else part
    dx, dy = off_mm
    label, pose_mm = part.kind.label(), _pose_mm(own, dx, dy)
    rgb, hole_mm = COLOURS[part.colour], None
    if own.hole_xyz is not None:
        hole_mm = _box_mm(own.hole_xyz, dx, dy)
    return book.add_part(
        scenes.PartInstance(
            len(book.parts), label, label, part.colour, rgb, pose_mm,
            _box_mm(own.box_xyz, dx, dy), session, step, hole_mm,
        )
    )  # fmt: skip


def _box_mm(box: GridBox, dx: float, dy: float) -> tuple[float, float, float, float, float, float]:
    x0, y0, z0, x1, y1, z1 = box
    return (
        x0 * STUD_MM + dx, y0 * STUD_MM + dy, z0 * PLATE_MM,
        x1 * STUD_MM + dx, y1 * STUD_MM + dy, z1 * PLATE_MM,
    )  # fmt: skip


def statement(said: Said, part_ids: Sequence[Sequence[int]]) -> scenes.Statement:
    """What is said, with the ids of the parts of each group."""
    groups = [
        scenes.StatedGroup(group.kind.label(), group.colour, list(ids), stated(facts))
        for group, ids, facts in zip(said.step, part_ids, said.facts, strict=True)
    ]
    return scenes.Statement(said.find_lines, said.put_lines, groups)


def off_mm(canvas: Canvas, offset_uv: tuple[int, int]) -> tuple[float, float]:
    """Where on the table a part is that was drawn at another offset than the canvas' own."""
    step = np.subtract(offset_uv, canvas.offset_uv)
    axes = np.array([canvas.cam.ex_uv, canvas.cam.ey_uv], float).T
    x, y = np.linalg.solve(axes, step) * STUD_MM
    return float(x), float(y)


def _pose_mm(part: Part, dx: float, dy: float) -> tuple[tuple[float, float, float, float], ...]:
    """The pose of a part whose own frame stands in the middle of its underside."""
    x0, y0, z0, x1, y1, _ = part.box_xyz
    cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[part.turn % 4]
    return (
        (float(cos), float(-sin), 0.0, (x0 + x1) / 2 * STUD_MM + dx),
        (float(sin), float(cos), 0.0, (y0 + y1) / 2 * STUD_MM + dy),
        (0.0, 0.0, 1.0, z0 * PLATE_MM),
    )


def camera_of(canvas: Canvas, turned: bool = False) -> scenes.Camera:
    """The camera in picture pixels and millimetres; a model turned round is a camera turned."""
    cam, way = canvas.cam, -1.0 if turned else 1.0
    sight = np.array(cam.depth_xyz) / (STUD_MM * way, STUD_MM * way, PLATE_MM)
    u, v = (
        (way * cam.ex_uv[i] / 2 / STUD_MM, way * cam.ey_uv[i] / 2 / STUD_MM, up / 2 / PLATE_MM)
        for i, up in ((0, 0.0), (1, float(cam.ez_v)))
    )
    length = float(np.linalg.norm(sight))
    return scenes.Camera(
        (u, v),
        (canvas.offset_uv[0] / 2, canvas.offset_uv[1] / 2),
        (float(sight[0]) / length, float(sight[1]) / length, float(sight[2]) / length),
        canvas.size_wh,
    )
