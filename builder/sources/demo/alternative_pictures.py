"""Pictures of the other ends of a step: drawn as the step itself is, in all that can be seen."""

import collections
import random
from collections.abc import Sequence
from dataclasses import dataclass

from builder.sources.demo import alternatives, bricks, builds, pictures
from builder.sources.demo.alternatives import Ending, Situation
from builder.sources.demo.brick_parts import RGB, Part
from builder.sources.demo.bricks import Canvas
from builder.sources.demo.scene_record import add_part, camera_of, statement
from builder.sources.drawn.marks import Array, outline, write_png
from builder.sources.drawn.scene_book import SceneBook
from core import scenes


@dataclass(frozen=True)
class View:
    """How the pictures of a step are drawn: on what, with which outline and number.

    `canvas` shows what stands before the step, `part_ids` are its parts in order; `finished` is
    the whole model, which the number keeps clear of.
    """

    canvas: Canvas
    part_ids: Sequence[int]
    boundary: RGB | None
    number: int
    finished: Sequence[Part]
    session: str
    turned: bool


def finish_picture(view: View, new_ids: Sequence[int]) -> tuple[Array, Array, Array]:
    """The canvas as a picture with the new parts outlined: RGB, part IDs, outline's alpha."""
    rgb, ids = bricks.render(view.canvas)
    # No shadow: a part cut out with its own and put elsewhere could be told by it (seam probe).
    mask = ids >= min(new_ids)
    if view.boundary:
        alpha = outline(rgb, mask, view.boundary)
    else:
        alpha = mask * 0.0
    pictures.print_number(rgb, view.number, view.finished, view.canvas)
    return rgb, ids, alpha


def draw_alternatives(
    book: SceneBook, rng: random.Random, at: Situation, view: View
) -> tuple[list[scenes.Alternative], dict[str, int]]:
    """Choose and draw the alternatives of a step; and what was turned down, by reason."""
    turned_down: collections.Counter[str] = collections.Counter()

    def can_be_seen(ending: Ending) -> bool:
        parts = [part for group in ending.step for part in group.parts]
        if any(bricks.window_of(view.canvas, part) is None for part in parts):
            return False
        with bricks.added(view.canvas, parts) as ids:
            shares = [bricks.visible_fraction(view.canvas, i) for i in ids]
        return min(shares) >= builds.MIN_VISIBLE

    found = alternatives.endings(rng, at, can_be_seen, turned_down)
    drawn = [_draw(book, ending, i, view) for i, ending in enumerate(found)]
    return drawn, dict(sorted(turned_down.items()))


def _draw(book: SceneBook, ending: Ending, index: int, view: View) -> scenes.Alternative:
    parts = [part for group in ending.step for part in group.parts]
    part_ids: list[list[int]] = []
    for group in ending.step:
        part_ids.append(
            [add_part(book, part, view.session, view.number - 1, view.turned)
             for part in group.parts]
        )  # fmt: skip
    flat = [part_id for ids in part_ids for part_id in ids]
    with bricks.added(view.canvas, parts) as new_ids:
        rgb, ids, _ = finish_picture(view, new_ids)
    name = f"{view.session}-{view.number}-alternative-{index}"
    sha256 = write_png(book.folder / f"{name}.png", rgb)
    picture = book.picture(
        name, sha256, camera_of(view.canvas, view.turned), view.canvas.background, ids,
        [*view.part_ids, *flat], view.boundary, f"{name}.png",
    )  # fmt: skip
    changed = set(ending.changed)
    return scenes.Alternative(
        kind=ending.kind,
        picture=picture,
        says=statement(ending.said, part_ids),
        false_facts=ending.false_facts,
        correction=ending.correction,
        exchanged=ending.exchanged,
        distance_studs=round(ending.distance_studs, 3),
        changed=[i for i, part in zip(flat, parts, strict=True) if part in changed],
    )
