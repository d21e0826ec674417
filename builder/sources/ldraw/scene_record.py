"""The scene of a manual that is drawn from a model, in millimetres (`core/scenes.py`)."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import structs

from builder.sources.drawn.scene_book import SceneBook
from builder.sources.ldraw.camera import FINE, MM_PER_LDU, Array, Camera
from builder.sources.ldraw.openings import lies_in, may_lie_in, opening_of
from builder.sources.ldraw.pieces import Piece
from builder.sources.ldraw.products import product
from builder.sources.ldraw.solids import Solid
from builder.sources.ldraw.stating import Said
from core import scenes


def add_part(
    book: SceneBook, piece: Piece, turn: Array, shift: Array, session: str, step: int | None
) -> int:
    """Note a part at its place in the world (LDU); its id."""
    corners = product(piece.mesh.body, turn.T, shift) * MM_PER_LDU
    low, high = corners.min(0).round(3).tolist(), corners.max(0).round(3).tolist()
    rows = np.column_stack([turn, shift * MM_PER_LDU]).round(5) + 0.0
    return book.add_part(
        scenes.PartInstance(
            id=len(book.parts),
            label=piece.name.label(),
            kind=piece.file,
            color=piece.colour.name,
            rgb=piece.colour.rgb,
            pose_mm=tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in rows),
            box_mm=(*low, *high),
            session=session,
            step=step,
        )
    )


def note_within(book: SceneBook, parts: Mapping[int, Solid], there: Mapping[int, Solid]) -> None:
    """Note of parts, by id, in whose opening of what is there they lie."""
    ids, solids = list(there), list(there.values())
    boxes = np.array([solid.box for solid in solids]).reshape(-1, 6)
    for part_id, solid in parts.items():
        place = opening_of(solid, solids, boxes)
        if place is not None:
            _put_within(book, part_id, ids[place])


def note_put_around(
    book: SceneBook, earlier: Mapping[int, Solid], new: Mapping[int, Solid]
) -> None:
    """Note which earlier parts, so far in none, lie in an opening of a new one put around them."""
    ids, solids = list(earlier), list(earlier.values())
    boxes = np.array([solid.box for solid in solids]).reshape(-1, 6)
    for new_id, solid in new.items():
        for place in np.flatnonzero(may_lie_in(boxes, solid.box)).tolist():
            is_free = book.parts[ids[place]].within is None
            if is_free and lies_in(solids[place], solid):
                _put_within(book, ids[place], new_id)


def _put_within(book: SceneBook, part_id: int, other_id: int) -> None:
    book.parts[part_id] = structs.replace(book.parts[part_id], within=other_id)


def camera_of(camera: Camera, size_wh: tuple[int, int], turned: bool = False) -> scenes.Camera:
    """The camera in picture pixels and millimetres. A model that was turned around keeps its
    frame: the camera is turned."""
    axes = camera.view.axes
    if turned:
        axes = axes * (-1.0, -1.0, 1.0)
    right, down = (axes[:2] * (camera.px_per_ldu / MM_PER_LDU)).tolist()
    return scenes.Camera(
        matrix_px_per_mm=(tuple(right), tuple(down)),
        offset_px=(camera.offset_uv[0] / FINE, camera.offset_uv[1] / FINE),
        depth_xyz=(float(axes[2][0]), float(axes[2][1]), float(axes[2][2])),
        size_wh=size_wh,
    )


def picture_of(
    book: SceneBook, name: str, sha256: str, camera: scenes.Camera, back: scenes.RGB,
    numbers: Array, part_ids: Sequence[int], new_ids: Sequence[int], boundary: scenes.RGB | None,
    file: str | None = None,
) -> scenes.ScenePicture:  # fmt: skip
    """Write down a picture, which is not yet one of the page's.

    Parts that nothing is seen of are left out, unless they are new: a large model has a thousand.
    """
    seen = np.flatnonzero(np.bincount(numbers.ravel(), minlength=len(part_ids) + 1)[1:])
    new = set(new_ids)
    kept = sorted({*seen.tolist(), *(i for i, part in enumerate(part_ids) if part in new)})
    renumber = np.zeros(len(part_ids) + 1, np.uint8 if len(kept) < 256 else np.uint16)
    renumber[np.array(kept, int) + 1] = np.arange(1, len(kept) + 1)
    ids = [part_ids[i] for i in kept]
    return book.picture(name, sha256, camera, back, renumber[numbers], ids, boundary, file)


def statement(said: Said, ids: Mapping[int, Sequence[int]]) -> scenes.Statement:
    """What is said; `ids` are those of each body's parts, by the body's own `id`."""
    groups = [
        scenes.StatedGroup(
            *group[0].unit.kind, [i for body in group for i in ids[id(body)]], dict(facts)
        )
        for group, facts in zip(said.groups, said.facts, strict=True)
    ]
    return scenes.Statement(said.find_lines, said.put_lines, groups)
