"""Draws a session: its rows, each with lines and a picture, and the scene of them."""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import numpy as np

from builder.sources.demo.brick_parts import BACKGROUNDS, BOUNDARY_COLOURS
from builder.sources.drawn.lines import TURN_LINE, Line
from builder.sources.drawn.marks import RGB, SIZE_WH, Array, write_png
from builder.sources.drawn.scene_book import SceneBook
from builder.sources.ldraw.alternatives import (
    Change,
    Ending,
    Situation,
    Supply,
    endings,
    situation,
)
from builder.sources.ldraw.camera import FINE, world_from_model
from builder.sources.ldraw.canvas import Canvas, palette
from builder.sources.ldraw.colours import Colour
from builder.sources.ldraw.drawing import covered, draw_found, draw_step
from builder.sources.ldraw.products import product
from builder.sources.ldraw.scene_record import (
    add_part,
    camera_of,
    note_put_around,
    note_within,
    picture_of,
    statement,
)
from builder.sources.ldraw.solids import Body, Solid, bodies_of
from builder.sources.ldraw.stating import a_style
from builder.sources.ldraw.steps import Session
from builder.sources.ldraw.views import (
    MIN_PX,
    Look,
    all_seen,
    choose_looks,
    placed,
    session_camera,
)
from core import scenes
from core.records import Drop
from synthesis.pixels import difference

IMAGE_FOLDER = "wp-content/themes/mtt-wordpress-theme/assets/manual/manual-images"
# Families of parts that stand on studs and have room for them beneath.
ON_STUDS = ("brick", "plate", "tile", "wing", "wedge", "arch", "panel", "cone")
# A person sees that a picture is another one where so many pixels differ by so much in a channel.
CHANGE_MIN, CHANGED_PX_MIN = 32, 150
CLEAR_OF_BOUNDARY = 110  # distance in RGB that an outline keeps from every shade of the parts

Row = tuple[str | None, list[Line]]  # src of the picture, lines


@dataclass
class Manual:
    """A manual at work: where it goes, what it is called, what was left out."""

    root: Path
    manual_id: str
    title: str
    credit: str
    colours: dict[int, Colour]
    seed: int
    book: SceneBook = field(init=False)
    drops: list[Drop] = field(default_factory=list)
    steps: int = 0
    pictures: int = 0
    supply: Supply = field(default_factory=Supply)  # what its steps could be done wrong with

    def __post_init__(self) -> None:
        self.book = SceneBook(self.root / "site" / self.manual_id / scenes.FOLDER, self.manual_id)
        self.back: RGB = random.Random(f"{self.seed}:{self.manual_id}").choice(BACKGROUNDS)

    def drop(self, item: str, reason: str, detail: str) -> None:
        """Record what could not be used."""
        self.drops.append(Drop(self.manual_id, "crawl", item, reason, detail))


@dataclass
class _Stand:
    """A session as it grows under one look: its canvas, the bodies of every step, and where the
    finished session is in the picture; `numbers` on the canvas by step and body."""

    look: Look
    canvas: Canvas
    bodies: list[list[Body]]
    taken: Array
    numbers: list[list[list[int]]] = field(default_factory=list)

    def before(self, number: int) -> list[Body]:
        """The bodies of all steps before one."""
        return [body for step in self.bodies[:number] for body in step]


@dataclass
class _Work:
    """A session at work. `home` is the look that it stands in at first: the scene's frame."""

    manual: Manual
    session: Session
    order: int
    boundary: RGB
    home: Look | None
    rng: random.Random
    stands: dict[Look, _Stand] = field(default_factory=dict)
    part_ids: list[int] = field(default_factory=list)  # of all that has been put, in the scene

    def stand(self, look: Look, number: int) -> _Stand:
        """The session under a look, with the parts of all steps before this one."""
        if look not in self.stands:
            camera = session_camera(self.session, look)
            bodies = [bodies_of(step, look.quarter_turns) for step in self.session.steps]
            every = [solid for step in bodies for body in step for solid in body.solids]
            canvas = Canvas(camera, SIZE_WH, self.manual.back)
            self.stands[look] = _Stand(look, canvas, bodies, covered(every, camera))
        found = self.stands[look]
        for bodies_ in found.bodies[len(found.numbers) : number]:
            found.numbers.append(_add(self.manual, found.canvas, bodies_))
        return found

    def note(self, body: Body, look: Look | None, step: int) -> list[int]:
        """Note a body's parts in the scene, in the frame the session stood in at first."""
        back = np.eye(3)
        if self.home and look:
            back = world_from_model(self.home.quarter_turns - look.quarter_turns)
            back = product(back, np.linalg.inv(world_from_model(0)))
        return [
            add_part(
                self.manual.book,
                s.piece,
                product(back, s.turn),
                product(back, s.shift),
                self.session.sign,
                step,
            )
            for s in body.solids
        ]


def _solids(bodies: Sequence[Body]) -> list[Solid]:
    return [solid for body in bodies for solid in body.solids]


def _add(manual: Manual, canvas: Canvas, bodies: Sequence[Body]) -> list[list[int]]:
    return [[canvas.add(part) for part in placed(body, manual.colours)] for body in bodies]


def draw_session(manual: Manual, session: Session, order: int) -> Iterator[Row]:
    """Draw and write the pictures of a session, row by row."""
    looks = choose_looks(session, manual.colours).looks
    rng = random.Random(f"{manual.seed}:{manual.manual_id}:{session.sign}")
    home = next((look for look in looks if look), None)
    work = _Work(manual, session, order, _boundary(rng, session), home, rng)
    now = home
    for number, look in enumerate(looks):
        if look is None:
            _hidden(work, number)
            if home:
                _note_step(work, work.stand(home, number), number)
            continue
        turned, now = look != now, look
        following = looks[number + 1] if number + 1 < len(looks) else None
        yield from _draw_one(work, number, work.stand(look, number), turned, following == look)


def _note_step(work: _Work, stand: _Stand, number: int) -> dict[int, list[int]]:
    """Note the parts of a step in the scene; their ids, by the `id` of the body."""
    bodies = stand.bodies[number]
    ids = {id(body): work.note(body, stand.look, number) for body in bodies}
    new_ids = [part_id for body in bodies for part_id in ids[id(body)]]
    earlier = _solids(stand.before(number))
    there = dict(zip(work.part_ids, earlier, strict=True))
    new = dict(zip(new_ids, _solids(bodies), strict=True))
    note_within(work.manual.book, new, there | new)
    note_put_around(work.manual.book, there, new)
    work.part_ids += new_ids
    return ids


def _hidden(work: _Work, number: int) -> None:
    kinds = [" ".join(reversed(unit.kind)).strip() for unit in work.session.steps[number]]
    told = ", ".join(dict.fromkeys(kinds))
    work.manual.drop(f"{work.session.sign}, step {number + 1}", "new_parts_hidden", told)


def _draw_one(
    work: _Work, number: int, stand: _Stand, turned: bool, has_next: bool
) -> Iterator[Row]:
    """The rows of a step: the parts to find, if there are any, and the picture of the step."""
    manual, bodies, ids_before = work.manual, stand.bodies[number], list(work.part_ids)
    ids = _note_step(work, stand, number)
    new_ids = [part_id for body in bodies for part_id in ids[id(body)]]
    style = a_style(work.rng)
    earlier = stand.before(number)
    following = stand.bodies[number + 1] if has_next else []
    at, determines_place = situation(style, bodies, earlier, manual.supply, following)
    with stand.canvas.trying():
        rgb, numbers, seen = _picture(work, stand, number, bodies)
    if not seen:
        _hidden(work, number)
        return
    find_sha256 = None
    if at.said.find_lines:
        src, find_sha256 = _draw_find(work, number, at, stand)
        yield src, at.said.find_lines
    others: list[scenes.Alternative] = []
    turned_down: Counter[str] = Counter()
    if earlier:
        own = random.Random(f"{manual.manual_id}:{work.session.sign}:{number}")
        found = endings(own, at, _seer(work, stand, number, bodies), turned_down)
        others = [_alternative(work, stand, number, ids_before, ids, one, i)
                  for i, one in enumerate(found)]  # fmt: skip
    src, sha256 = _write(work, 2 * number + 1, "step", rgb)
    name = f"{work.session.sign}-{number + 1}"
    manual.book.pictures.append(
        picture_of(
            manual.book, name, sha256, _camera(work, stand), manual.back, numbers, work.part_ids,
            new_ids, work.boundary,
        )
    )  # fmt: skip
    manual.book.steps.append(
        scenes.StepScene(
            work.session.sign, number, sha256, find_sha256, new_ids, statement(at.said, ids),
            determines_place, others, dict(sorted(turned_down.items())),
        )
    )  # fmt: skip
    manual.steps += 1
    yield src, [TURN_LINE] * turned + at.said.put_lines


def _picture(
    work: _Work, stand: _Stand, number: int, bodies: Sequence[Body]
) -> tuple[Array, Array, bool]:
    """(RGB, numbers) of a step with these new parts, and whether they are seen well enough. The
    canvas keeps them."""
    first_new = stand.canvas.count + 1
    new = _add(work.manual, stand.canvas, bodies)
    rgb, numbers = draw_step(stand.canvas, first_new, work.boundary, number + 1, stand.taken)
    return rgb, numbers, _well_seen(stand.canvas, bodies, new, numbers, 1.0)


def _well_seen(
    canvas: Canvas, bodies: Sequence[Body], new: Sequence[Sequence[int]], numbers: Array,
    px_each: float,
) -> bool:  # fmt: skip
    """Whether of each kind of new parts one is seen; `numbers` has `px_each` pixels a pixel."""
    counts = np.bincount(numbers.ravel(), minlength=canvas.count + 1)
    areas = [area * px_each / FINE**2 for area in canvas.areas_px]
    return all_seen([b.unit.kind for b in bodies], new, areas, counts, MIN_PX / 2 * px_each)


def _seer(
    work: _Work, stand: _Stand, number: int, right: Sequence[Body]
) -> Callable[[Change], bool]:
    """Whether the parts of a change can be seen, would be seen to be absent, and make the picture
    differ from the right one."""
    with stand.canvas.trying():
        _add(work.manual, stand.canvas, right)
        as_it_should_be = stand.canvas.render()[0]

    def can_be_seen(change: Change) -> bool:
        with stand.canvas.trying():
            bodies = list(change.bodies)
            new = _add(work.manual, stand.canvas, change.bodies)
            if change.absent is not None:
                bodies.append(change.absent)
                new.append([_place(stand, number, change.absent) + 1])
            fine = stand.canvas.fine_ids()
            if not _well_seen(stand.canvas, bodies, new, fine, FINE**2):
                return False
            differs = difference(stand.canvas.render()[0], as_it_should_be) >= CHANGE_MIN
            return change.absent is not None or int(differs.sum()) >= CHANGED_PX_MIN

    return can_be_seen


def _place(stand: _Stand, number: int, part: Body) -> int:
    """Which of the parts before a step one is, from 0: its number on the canvas less one."""
    earlier = stand.before(number)
    return sum(len(body.solids) for body in earlier[: earlier.index(part)])


def _stand_without(work: _Work, stand: _Stand, number: int, part: Body) -> _Stand:
    """The session before a step as it would be without a part."""
    canvas = Canvas(stand.canvas.camera, SIZE_WH, work.manual.back)
    _add(work.manual, canvas, [body for body in stand.before(number) if body is not part])
    return replace(stand, canvas=canvas)


def _alternative(
    work: _Work, stand: _Stand, number: int, ids_before: Sequence[int],
    right_ids: Mapping[int, list[int]], one: Ending, index: int,
) -> scenes.Alternative:  # fmt: skip
    """Draw an alternative and write it down; what stands as it should keeps its id."""
    bodies = one.change.bodies
    ids = {id(b): right_ids.get(id(b)) or work.note(b, stand.look, number) for b in bodies}
    flat = [part_id for body in bodies for part_id in ids[id(body)]]
    absent = one.change.absent
    if absent is not None:
        gone = _place(stand, number, absent)
        ids_before = [*ids_before[:gone], *ids_before[gone + 1 :]]
        stand = _stand_without(work, stand, number, absent)
    earlier = [body for body in stand.before(number) if body is not absent]
    there = dict(zip([*ids_before, *flat], _solids([*earlier, *bodies]), strict=True))
    kept = {part_id for some in right_ids.values() for part_id in some}
    note_within(work.manual.book, {i: there[i] for i in flat if i not in kept}, there)
    with stand.canvas.trying():
        rgb, numbers, _ = _picture(work, stand, number, bodies)
    book, name = work.manual.book, f"{work.session.sign}-{number + 1}-alternative-{index}"
    sha256 = write_png(book.folder / f"{name}.png", rgb)
    picture = picture_of(
        book, name, sha256, _camera(work, stand), work.manual.back, numbers,
        [*ids_before, *flat], flat, work.boundary, f"{name}.png",
    )  # fmt: skip
    return scenes.Alternative(
        kind=one.kind,
        picture=picture,
        says=statement(one.said, ids),
        false_facts=one.false_facts,
        correction=one.correction,
        exchanged=one.exchanged,
        distance_studs=round(one.distance_studs, 3),
        changed=[part_id for body in one.change.changed for part_id in ids[id(body)]],
    )


def _draw_find(work: _Work, number: int, at: Situation, stand: _Stand) -> tuple[str, str]:
    manual = work.manual
    pieces = [
        [body.solids[0].piece for body in group]
        for group in at.said.groups
        if not group[0].unit.assembly
    ]
    found = draw_found(pieces, stand.look.view, manual.back, manual.colours)
    src, sha256 = _write(work, 2 * number, "eop", found.rgb)
    ids = [
        add_part(manual.book, piece, part.turn, part.shift, work.session.sign, None)
        for piece, part in zip(found.pieces, found.shown, strict=True)
    ]
    manual.book.pictures.append(
        picture_of(
            manual.book, f"{work.session.sign}-{number + 1}-find", sha256,
            camera_of(found.camera, SIZE_WH), manual.back, found.numbers, ids, ids, None,
        )
    )  # fmt: skip
    return src, sha256


def _camera(work: _Work, stand: _Stand) -> scenes.Camera:
    return camera_of(stand.canvas.camera, SIZE_WH, stand.look != work.home)


def _write(work: _Work, number: int, step_class: str, rgb: Array) -> tuple[str, str]:
    """Write a picture as the real site names it; its src and sha256."""
    manual, sign = work.manual, f"sm{work.order:02d}-{work.session.sign}"
    name = f"{sign}-{number}_{step_class}_Step ##{_letters(number)}"
    image = f"{IMAGE_FOLDER}/{manual.manual_id}/{name}.png"
    manual.pictures += 1
    return "/" + quote(image), write_png(manual.root / "site" / image, rgb)


def _letters(number: int) -> str:
    """0 -> A, 25 -> Z, 26 -> AA."""
    letters, number = "", number + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def supply_of(sessions: Sequence[Session]) -> Supply:
    """What can be taken by mistake in building sessions, in an order of its own."""
    found = {
        piece.name.label(): piece
        for session in sessions for step in session.steps for unit in step for piece in unit.pieces
        if piece.name.family.split()[-1] in ON_STUDS
    }  # fmt: skip
    return Supply(colours_of(sessions), [found[label] for label in sorted(found)])


def colours_of(sessions: Sequence[Session]) -> list[Colour]:
    """The colours of sessions, each once, by name."""
    found = {
        piece.colour.name: piece.colour
        for session in sessions for step in session.steps for unit in step for piece in unit.pieces
    }  # fmt: skip
    return [found[name] for name in sorted(found)]


def _boundary(rng: random.Random, session: Session) -> RGB:
    """An outline's colour unlike every shade of the session's parts."""
    shades = np.concatenate(
        [palette(colour.rgb)[140:256] for colour in colours_of([session])]
    ).astype(float)

    def apart(colour: RGB) -> float:
        return float(np.linalg.norm(shades - colour, axis=1).min())

    clear = [colour for colour in BOUNDARY_COLOURS if apart(colour) >= CLEAR_OF_BOUNDARY]
    return rng.choice(clear) if clear else max(BOUNDARY_COLOURS, key=apart)
