"""Draws a manual of the demo: its page, its pictures, and the truth about every picture.

`draw_manual` makes manual number `index` from (seed, index) alone, so any number of workers can
draw in any order. Nothing here needs a network, a data file or a GPU. Layout under `root`: `site/`
is what a crawler may see, `truth/` holds a JSON a manual, `truth-masks/` the new parts' pixels of
every step.
"""

import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from builder.sources.demo import bricks, pictures, text
from builder.sources.demo.alternative_pictures import View, draw_alternatives, finish_picture
from builder.sources.demo.alternatives import Situation, say_enough
from builder.sources.demo.brick_parts import RGB, Part
from builder.sources.demo.bricks import Canvas
from builder.sources.demo.builds import Step
from builder.sources.demo.plan import ManualPlan, SessionPlan, SetPlan, manual_id_of, plan_manual
from builder.sources.demo.scene_record import add_part, camera_of, off_mm, statement
from builder.sources.demo.stating import say
from builder.sources.drawn import pages
from builder.sources.drawn.lines import TURN_LINE, Line, plain
from builder.sources.drawn.marks import SIZE_WH, Array, box_xyxy_px, write_png
from builder.sources.drawn.scene_book import SceneBook
from core import code, scenes
from core.store import one_at_a_time, write_bytes

IMAGE_FOLDER = "wp-content/themes/mtt-wordpress-theme/assets/manual/manual-images"
BRAILLE_FOLDER = "wp-content/uploads/braille"


def draw_manual(root: Path, index: int, seed: int) -> str:
    """Draw manual `index` under `root` and return its id; does nothing if it is there already.

    `root/truth/<id>.json` is written last: when it exists the manual is whole.
    """
    manual_id = manual_id_of(index, seed)
    done = root / "truth" / f"{manual_id}.json"
    with one_at_a_time(done):  # or this attempt takes away what another one has just finished
        if _is_drawn(done, index, seed):
            return manual_id
        done.unlink(missing_ok=True)
    plan = plan_manual(index, seed)
    book = SceneBook(root / "site" / manual_id / scenes.FOLDER, manual_id)
    rows: list[dict[str, Any]] = []
    lines: list[list[Line]] = []
    for row, row_lines in _draw_rows(root, plan, book):
        rows.append({"row": len(rows), **row, **_words(row_lines)})
        lines.append(row_lines)
    page = pages.manual_page(
        f"LEGO {plan.set_plan.number} {plan.set_plan.manual_title(plan.part)}",
        [(row["src"], row_lines) for row, row_lines in zip(rows, lines, strict=True)],
    )
    write_bytes(root / "site" / manual_id / "index.html", page.encode())
    braille = "\n".join(line for row in rows for line in row["lines"]) + "\n"
    write_bytes(root / "site" / braille_path(plan.set_plan, plan.part), braille.encode())
    book.write()
    record = {"seed": seed, "index": index, "code": code.of(__name__)}
    with one_at_a_time(done):
        write_bytes(done, msgspec.json.encode({**record, "manual": _truth(plan, rows)}) + b"\n")
    return manual_id


def _is_drawn(done: Path, index: int, seed: int) -> bool:
    try:
        record = msgspec.json.decode(done.read_bytes())
    except (OSError, msgspec.DecodeError):
        return False
    found = record.get("seed"), record.get("index"), record.get("code")
    return bool(found == (seed, index, code.of(__name__)))


def _words(lines: list[Line]) -> dict[str, Any]:
    texts = [plain(line) for line in lines]
    return {"text": " ".join(texts), "lines": texts}


def _hex(colour: RGB) -> str:
    return "#{:02X}{:02X}{:02X}".format(*colour)


def braille_path(set_plan: SetPlan, part: int) -> str:
    """Where a manual's text for braille readers lies under the site."""
    return f"{BRAILLE_FOLDER}/{set_plan.number}{set_plan.letters[part]}.txt"


def _truth(plan: ManualPlan, rows: list[dict[str, Any]]) -> dict[str, Any]:
    sessions = [
        {
            "sign": s.sign,
            "title": s.title,
            "highlight": _hex(s.boundary) if s.boundary else None,
            "azimuth": s.angles_deg[0],
            "elevation": s.angles_deg[1],
            "eop": len(s.steps),
            "step": len(s.steps),
        }
        for s in plan.sessions
    ]
    return {
        "id": plan.manual_id,
        "set": plan.set_plan.number,
        "title": plan.set_plan.manual_title(plan.part),
        "set_page": plan.set_plan.page,
        "manual_page": f"{plan.manual_id}/",
        "page_style": "div",
        "image_format": "PNG RGB",
        "image_size": list(SIZE_WH),
        "background": _hex(plan.background),
        "has_highlights": plan.has_highlights,
        "sessions": sessions,
        "rows": rows,
    }


Row = tuple[dict[str, Any], list[Line]]


def _draw_rows(root: Path, plan: ManualPlan, book: SceneBook) -> Iterator[Row]:
    """Draw and write the pictures of a manual, row by row in page order."""
    if plan.intro:
        parts = "parts" if len(plan.sessions) > 1 else "part"
        words = f"This manual has {len(plan.sessions)} {parts}."
        lines: list[Line] = [[("", words)], [("", "Build on a flat table.")]]
        yield _row(None, None, None, "text", None), lines
    if plan.start:
        yield _draw_start(root, plan)
    rng = random.Random(f"{plan.seed}:{plan.index}:text")
    for session in plan.sessions:
        yield from _draw_session(root, plan, session, rng, book)


def _row(
    image: str | None, session: str | None, number: int | None, step_class: str, light: RGB | None
) -> dict[str, Any]:
    return {
        "image": image,
        "src": "/" + quote(image) if image else None,
        "session": session,
        "number": number,
        "class": step_class,
        "highlight": _hex(light) if light else None,
        "oddities": [],
    }


def _draw_start(root: Path, plan: ManualPlan) -> Row:
    parts = pictures.side_by_side([s.steps for s in plan.sessions])
    canvas = pictures.session_canvas(parts, plan.sessions[0].angles_deg, plan.background)
    for part in parts:
        bricks.add(canvas, part)
    rgb, ids = bricks.render(canvas)
    bricks.cast_shadow(rgb, canvas)
    image = f"{IMAGE_FOLDER}/{plan.set_plan.number}/Start.png"
    write_png(root / "site" / image, rgb)
    row = _row(image, None, None, "start", None)
    row["assembly_box"] = box_xyxy_px(ids > 0)
    words = "This is what you will build." if len(plan.sessions) > 1 else "This is the model."
    return row, [[("", words)], [("", "Let us start!")]]


def _draw_session(
    root: Path, plan: ManualPlan, session: SessionPlan, rng: random.Random, book: SceneBook
) -> Iterator[Row]:
    part_ids: list[int] = []  # of what stands before a step, in the scene
    for i, turned, steps, before, canvas in _stands(plan, session):
        said_by = rng.getstate()
        found = _draw_eop(root, plan, session, 2 * i, steps[i], book)
        yield found, text.find_lines(rng, steps[i])
        text.put_lines(rng, steps[i], before)  # its choices are those of `at.said`
        at = Situation(
            say(said_by, steps[i], before),
            said_by,
            before,
            sorted({group.colour for step in session.steps for group in step}),
            steps[i + 1] if i + 1 < len(steps) and i + 1 != session.turned_at else None,
        )
        at, determines_place = say_enough(at) if before else (at, None)
        is_turned = session.turned_at is not None and i >= session.turned_at
        view = View(
            canvas, part_ids, session.boundary, i + 1, _parts_of(steps), session.sign, is_turned
        )
        row, part_ids = _draw_step(root, plan, session, at, view, book, determines_place)
        row["step"] |= {"pair_eop": found["image"], "turned_round": turned}
        yield row, [TURN_LINE] * turned + at.said.put_lines


def _stands(
    plan: ManualPlan, session: SessionPlan
) -> Iterator[tuple[int, bool, Sequence[Step], list[Part], Canvas]]:
    """Every step by its number from 0: whether the model is turned round before it, all steps as
    they lie then, the parts of those before, and a canvas that shows these.

    Who is given the canvas adds the parts of the step to it.
    """
    steps, canvas = session.steps, _empty_canvas(plan, session, session.steps)
    before: list[Part] = []
    for i in range(len(steps)):
        turned = i == session.turned_at
        if turned:
            steps = tuple(tuple(group.turned_round for group in step) for step in steps)
            before = [part.turned_round for part in before]
            canvas = _empty_canvas(plan, session, steps)
            for part in before:
                bricks.add(canvas, part)
        yield i, turned, steps, before, canvas
        before = [*before, *_parts_of(steps[i : i + 1])]


def steps_without_outline(index: int, seed: int) -> Iterator[tuple[str, int, Array]]:
    """The pictures of a manual's steps as they would be without outlines: session, number in the
    names of files, RGB."""
    plan = plan_manual(index, seed)
    for session in plan.sessions:
        for i, _, steps, _, canvas in _stands(plan, session):
            for part in _parts_of(steps[i : i + 1]):
                bricks.add(canvas, part)
            rgb, _ = bricks.render(canvas)
            pictures.print_number(rgb, i + 1, _parts_of(steps), canvas)
            yield session.sign, 2 * i + 1, rgb


def _empty_canvas(plan: ManualPlan, session: SessionPlan, steps: Sequence[Step]) -> Canvas:
    """A canvas that shows the whole session when it is finished."""
    return pictures.session_canvas(_parts_of(steps), session.angles_deg, plan.background)


def _parts_of(steps: Sequence[Step]) -> list[Part]:
    return [part for step in steps for group in step for part in group.parts]


def _draw_eop(
    root: Path,
    plan: ManualPlan,
    session: SessionPlan,
    number: int,
    step: Step,
    book: SceneBook,
) -> dict[str, Any]:
    groups = pictures.found_parts(step)
    counts = [len(group.parts) for group in step]
    drawn = pictures.draw_found(groups, session.angles_deg, plan.background, counts)
    image = _image_path(plan, session, number, "eop")
    sha256 = write_png(root / "site" / image, drawn.rgb)
    shown = [part for group in groups for part in group]
    part_ids = [
        add_part(book, part, session.sign, None, off_mm=off_mm(drawn.canvas, offset_uv))
        for part, offset_uv in zip(shown, drawn.offsets_uv, strict=True)
    ]
    name = f"{session.sign}-{number // 2 + 1}-find"
    book.pictures.append(
        book.picture(name, sha256, camera_of(drawn.canvas), plan.background, drawn.ids, part_ids)
    )
    row = _row(image, session.sign, number, "eop", None)
    row["eop"], first = [], 1
    for group, shown in zip(step, groups, strict=True):
        ids = range(first, first + len(shown))
        first += len(shown)
        boxes = [box_xyxy_px(drawn.ids == i) for i in ids]
        union = box_xyxy_px((drawn.ids >= ids.start) & (drawn.ids < ids.stop))
        row["eop"].append(
            {
                "label": group.kind.label(len(group.parts)),
                "colour": group.colour,
                "count": len(group.parts),
                "drawn": len(shown),
                "boxes": boxes,
                "union": union,
            }
        )
    return row


def _draw_step(
    root: Path,
    plan: ManualPlan,
    session: SessionPlan,
    at: Situation,
    view: View,
    book: SceneBook,
    determines_place: bool | None,
) -> tuple[dict[str, Any], list[int]]:
    """Add a step's parts to the session's canvas, and write the picture and the new parts' mask.

    Returns the row's truth and the ids in the scene of all parts that stand then.
    """
    step, canvas, number = at.step, view.canvas, 2 * view.number - 1
    other_ends: tuple[list[scenes.Alternative], dict[str, int]] = ([], {})
    if at.before:
        rng = random.Random(f"{plan.manual_id}:{session.sign}:{number}")
        other_ends = draw_alternatives(book, rng, at, view)
    new_ids = [[bricks.add(canvas, part) for part in group.parts] for group in step]
    rgb, ids, outline_alpha = finish_picture(view, new_ids[0])
    mask = ids >= new_ids[0][0]
    covered = (ids > 0) | (outline_alpha >= 0.5)
    image = _image_path(plan, session, number, "step")
    sha256 = write_png(root / "site" / image, rgb)
    mask_path = f"truth-masks/{plan.manual_id}/{session.sign}_{number:04d}.png"
    write_png(root / mask_path, mask)
    scene_ids = [
        [add_part(book, part, view.session, view.number - 1, view.turned) for part in group.parts]
        for group in step
    ]
    standing = [*view.part_ids, *(part_id for ids_ in scene_ids for part_id in ids_)]
    name = f"{session.sign}-{view.number}"
    find_sha256 = book.pictures[-1].sha256
    book.pictures.append(
        book.picture(
            name,
            sha256,
            camera_of(canvas, view.turned),
            plan.background,
            ids,
            standing,
            view.boundary,
        )
    )
    book.steps.append(
        scenes.StepScene(
            session=session.sign,
            step=view.number - 1,
            step_sha256=sha256,
            find_sha256=find_sha256,
            new_ids=standing[len(view.part_ids) :],
            says=statement(at.said, scene_ids),
            determines_place=determines_place,
            alternatives=other_ends[0],
            turned_down=other_ends[1],
        )
    )
    row = _row(image, session.sign, number, "step", session.boundary)
    row["step"] = {
        "mask": mask_path,
        "new_box": box_xyxy_px(mask),
        "new_px": int(mask.sum()),
        "outline_drawn": session.boundary is not None,
        "assembly_box": box_xyxy_px(ids > 0),
        "foreground_box": box_xyxy_px(covered),
        "new_parts": [
            {
                "label": group.kind.label(len(group.parts)),
                "colour": group.colour,
                "count": len(group.parts),
                "instances": [
                    {
                        "box": box_xyxy_px(ids == i),
                        "visible_fraction": round(bricks.visible_fraction(canvas, i), 3),
                    }
                    for i in numbers
                ],
                "facts": vars(facts),
            }
            for group, numbers, facts in zip(step, new_ids, at.said.facts, strict=True)
        ],
    }
    return row, standing


def _image_path(plan: ManualPlan, session: SessionPlan, number: int, step_class: str) -> str:
    """Path under the site, in the manual's style of naming."""
    letters = _letters(number)
    order = plan.sessions.index(session) + 1
    name = {
        "sm": f"sm{order:02d}-{session.sign}-{number}_{step_class}_Step ##{letters}",
        "plain": f"{session.sign.capitalize()}-{number}_{step_class}_{letters}",
        "padded": f"{session.sign}_{number:04d}_{step_class}_{letters}",
    }[plan.file_style]
    return f"{IMAGE_FOLDER}/{plan.set_plan.number}/{name}.png"


def _letters(number: int) -> str:
    """0 -> A, 25 -> Z, 26 -> AA."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
