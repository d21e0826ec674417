"""Draws the manual of a model: its page, its pictures and the scene, session by session.

A model is drawn from its file, the library, the seed and the options alone, so any number of
workers can draw in any order.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from builder.sources.demo.brick_parts import BACKGROUNDS, BOUNDARY_COLOURS
from builder.sources.drawn import pages
from builder.sources.drawn.lines import TURN_LINE, Line
from builder.sources.drawn.marks import RGB, SIZE_WH, Array, write_png
from builder.sources.drawn.scene_book import SceneBook
from builder.sources.ldraw import text
from builder.sources.ldraw.camera import FINE, View
from builder.sources.ldraw.canvas import Canvas, palette
from builder.sources.ldraw.colours import Colour
from builder.sources.ldraw.drawing import covered, draw_found, draw_step
from builder.sources.ldraw.facts import Facts, read_facts
from builder.sources.ldraw.pieces import Unit
from builder.sources.ldraw.scene_record import add_part, add_picture, camera_of, stated_groups
from builder.sources.ldraw.solids import Body, Solid, bodies_of
from builder.sources.ldraw.steps import Session, Step
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
from core.store import write_bytes

IMAGE_FOLDER = "wp-content/themes/mtt-wordpress-theme/assets/manual/manual-images"
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

    def __post_init__(self) -> None:
        self.book = SceneBook(self.root / "site" / self.manual_id / scenes.FOLDER, self.manual_id)
        self.back: RGB = random.Random(f"{self.seed}:{self.manual_id}").choice(BACKGROUNDS)

    def drop(self, item: str, reason: str, detail: str) -> None:
        """Record what could not be used."""
        self.drops.append(Drop(self.manual_id, "crawl", item, reason, detail))


def draw_sessions(manual: Manual, sessions: Sequence[Session]) -> None:
    """Draw a manual's sessions and write its page and its scene."""
    rows: list[Row] = []
    for order, session in enumerate(sessions, 1):
        drawn = list(_draw_session(manual, session, order))
        if drawn and len(sessions) > 1:
            rows.append((None, _intro(session, order == len(sessions))))
        rows += drawn
    page = pages.manual_page(f"LEGO {manual.title}", rows, manual.credit)
    manual.book.write()
    write_bytes(manual.root / "site" / manual.manual_id / "index.html", page.encode())


def _intro(session: Session, is_last: bool) -> list[Line]:
    what = f"the {session.title}"
    lines: list[Line] = [[("", f"Now you build {what}"), ("suffix", ".")]]
    if is_last:
        lines = [[("", f"At last you build {what}"), ("suffix", ".")]]
    if session.uses > 1:
        lines.append([("", f"You need it {session.uses} times"), ("suffix", ".")])
    return lines


@dataclass
class _Standing:
    """A session as it grows under one look: its canvas, and the bodies of every step."""

    canvas: Canvas
    bodies: list[list[Body]]
    taken: Array
    numbers: list[list[list[int]]] = field(default_factory=list)  # by step and unit


def _stand(manual: Manual, session: Session, look: Look) -> _Standing:
    camera = session_camera(session, look)
    bodies = [bodies_of(step, look.quarter_turns) for step in session.steps]
    every = [solid for step in bodies for body in step for solid in body.solids]
    canvas = Canvas(camera, SIZE_WH, manual.back)
    return _Standing(canvas, bodies, covered(every, camera))


def _draw_session(manual: Manual, session: Session, order: int) -> Iterator[Row]:
    looks = choose_looks(session, manual.colours).looks
    rng = random.Random(f"{manual.seed}:{manual.manual_id}:{session.sign}")
    boundary = _boundary(rng, session)
    home = next((look for look in looks if look), None)
    standing: dict[Look, _Standing] = {}
    part_ids: list[int] = []
    now = home
    for i, (step, look) in enumerate(zip(session.steps, looks, strict=True)):
        ids = _note_parts(manual, session, i, home)
        part_ids += [part_id for unit in ids for part_id in unit]
        if look is None or now is None or home is None:
            kinds = ", ".join(" ".join(reversed(unit.kind)).strip() for unit in step)
            manual.drop(f"{session.sign}, step {i + 1}", "new_parts_hidden", kinds)
            continue
        shown = standing.setdefault(look, _stand(manual, session, look))
        _catch_up(manual, shown, i)
        turned, now = look != now, look
        yield from _draw_one(
            manual, session, order, i, shown, boundary, turned, look != home, part_ids, ids, rng
        )


def _note_parts(
    manual: Manual, session: Session, number: int, home: Look | None
) -> list[list[int]]:
    """Note a step's parts in the scene, as the session stood at first; ids by unit."""
    bodies = bodies_of(session.steps[number], home.quarter_turns if home else 0)
    return [
        [add_part(manual.book, s.piece, s.turn, s.shift, session.sign, number)
         for s in body.solids]
        for body in bodies
    ]  # fmt: skip


def _catch_up(manual: Manual, shown: _Standing, number: int) -> None:
    """Add the parts of all steps up to this one."""
    for bodies in shown.bodies[len(shown.numbers) : number + 1]:
        shown.numbers.append(
            [[shown.canvas.add(part) for part in placed(b, manual.colours)] for b in bodies]
        )


def _draw_one(
    manual: Manual, session: Session, order: int, number: int, shown: _Standing,
    boundary: RGB, turned: bool, is_turned: bool, part_ids: list[int], ids: list[list[int]],
    rng: random.Random,
) -> Iterator[Row]:  # fmt: skip
    """The rows of a step: the parts to find, if there are any, and the picture of the step."""
    step, bodies = session.steps[number], shown.bodies[number]
    first_new = shown.numbers[number][0][0]
    rgb, numbers = draw_step(shown.canvas, first_new, boundary, number + 1, shown.taken)
    seen = np.bincount(numbers.ravel(), minlength=shown.canvas.count + 1)
    areas = [area / FINE**2 for area in shown.canvas.areas_px]
    if not all_seen([u.kind for u in step], shown.numbers[number], areas, seen, MIN_PX / 2):
        kinds = ", ".join(" ".join(reversed(unit.kind)).strip() for unit in step)
        manual.drop(f"{session.sign}, step {number + 1}", "new_parts_hidden", kinds)
        return
    groups = text.grouped(step)
    find_lines, find_sha256 = [], None
    single = [group for group in groups if not group[0].assembly]
    if single:
        find_lines = text.find_lines(rng, single)
        src, find_sha256 = _draw_find(manual, session, order, number, single, shown)
        yield src, find_lines
    before = [s for b in shown.bodies[:number] for body in b for s in body.solids]
    lines, facts = _put_lines(rng, groups, bodies, before)
    src, sha256 = _write(manual, session, order, 2 * number + 1, "step", rgb)
    new_ids = [part_id for unit in ids for part_id in unit]
    add_picture(
        manual.book, f"{session.sign}-{number + 1}", sha256,
        camera_of(shown.canvas.camera, SIZE_WH, is_turned), manual.back, numbers, part_ids,
        new_ids, boundary,
    )  # fmt: skip
    stated = stated_groups(step, ids, groups, facts)
    manual.book.steps.append(
        scenes.StepScene(
            session.sign, number, sha256, find_sha256, new_ids,
            scenes.Statement(find_lines, lines, stated), None,
        )
    )  # fmt: skip
    manual.steps += 1
    yield src, [TURN_LINE] * turned + lines


def _put_lines(
    rng: random.Random, groups: list[list[Unit]], bodies: list[Body], before: list[Solid]
) -> tuple[list[Line], list[Facts]]:
    """A line a kind, and the facts that each states."""
    by_unit = {id(body.unit): body for body in bodies}
    pronoun = len(groups) == 1 and rng.random() < 0.6
    labels = [group[0].kind[0] for group in groups]
    coloured, attach = rng.random() < 0.3, rng.random() < 0.15
    lines, stated, seen = [], [], list(before)
    for group in groups:
        own = [by_unit[id(unit)] for unit in group]
        facts = read_facts(own, seen)
        named = coloured or labels.count(group[0].kind[0]) > 1
        lines.append(text.put_line(group, facts, pronoun, named, attach))
        stated.append(facts)
        seen += [solid for body in own for solid in body.solids]
    return lines, stated


def _draw_find(
    manual: Manual, session: Session, order: int, number: int, groups: list[list[Unit]],
    shown: _Standing,
) -> tuple[str, str]:  # fmt: skip
    view: View = shown.canvas.camera.view
    pieces = [[unit.pieces[0] for unit in group] for group in groups]
    found = draw_found(pieces, view, manual.back, manual.colours)
    src, sha256 = _write(manual, session, order, 2 * number, "eop", found.rgb)
    ids = [
        add_part(manual.book, piece, part.turn, part.shift, session.sign, None)
        for piece, part in zip(found.pieces, found.shown, strict=True)
    ]
    add_picture(
        manual.book, f"{session.sign}-{number + 1}-find", sha256,
        camera_of(found.camera, SIZE_WH), manual.back, found.numbers, ids, ids, None,
    )  # fmt: skip
    return src, sha256


def _write(
    manual: Manual, session: Session, order: int, number: int, step_class: str, rgb: Array
) -> tuple[str, str]:
    """Write a picture as the real site names it; its src and sha256."""
    name = f"sm{order:02d}-{session.sign}-{number}_{step_class}_Step ##{_letters(number)}"
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


def _boundary(rng: random.Random, session: Session) -> RGB:
    """An outline's colour unlike every shade of the session's parts."""
    colours = {piece.colour.rgb for step in session.steps for unit in step for piece in unit.pieces}
    shades = np.concatenate([palette(rgb)[140:256] for rgb in sorted(colours)]).astype(float)

    def apart(colour: RGB) -> float:
        return float(np.linalg.norm(shades - colour, axis=1).min())

    clear = [colour for colour in BOUNDARY_COLOURS if apart(colour) >= CLEAR_OF_BOUNDARY]
    return rng.choice(clear) if clear else max(BOUNDARY_COLOURS, key=apart)


def cut(sessions: Sequence[Session], most: int | None) -> tuple[list[Session], int]:
    """The first steps of a manual, at most so many, and how many are left out."""
    if most is None:
        return list(sessions), 0
    kept: list[Session] = []
    for session in sessions:
        room = most - sum(len(s.steps) for s in kept)
        if room > 0:
            steps: tuple[Step, ...] = session.steps[:room]
            kept.append(Session(session.sign, session.title, steps, session.uses))
    left = sum(len(s.steps) for s in sessions) - sum(len(s.steps) for s in kept)
    return kept, left
