"""A build with small pictures and real texts, written by the project's own Parquet writer."""

import functools
import hashlib
import io
import random
from collections import defaultdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from core.boxtext import box_answer, rounded
from core.parquet import schema
from tasks.prompts import object_query, scene_query, state_query

COLORS = ("red", "dark green", "light stone grey", "transparent blue", "black", "bright yellow")
PARTS = ("plate 1x2", "brick 2x4", "flat tile 1x6", "round brick 1x1", "arch 1x4", "roof tile 2x2")
PLACES = ("on top of the structure", "in front of the previous piece", "on the table, on the left",
          "at the back", "on the rightmost column", "upside down under the plate")  # fmt: skip
COLLAGE_WH = (80, 60)
CARD = (
    "---\nconfigs:\n"
    + "".join(
        f"- config_name: {config}\n  data_files:\n"
        + "".join(
            f"  - {{split: {s}, path: data/{config}/{s}-*.parquet}}\n" for s in ("train", "test")
        )
        for config in ("scene", "object", "state")
    )
    + "---\n"
)


def write_build(
    folder: Path, manuals: int = 6, steps: int = 5, test_manuals: int = 3, by_row: bool = False
) -> Path:
    """Write a build; the last manuals are test, or with `by_row` every third step of each."""
    rows: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for manual in range(manuals):
        for step in range(steps):
            test = step % 3 == 1 if by_row else manual >= manuals - test_manuals
            for config, made in _step_rows(manual, step):
                # Collages and groups may be cut apart by rows; state groups never are.
                index = len(rows[config, "train"]) + len(rows[config, "test"])
                cut = by_row and config == "object" and index % 4 == 3
                rows[config, "test" if test or cut else "train"].append(made)
    for (config, split), several in rows.items():
        if several:
            target = folder / "data" / config / f"{split}-00000-of-00001.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            table = pa.Table.from_pylist(several, schema=schema(config))
            pq.write_table(table, target, row_group_size=7)
    (folder / "README.md").write_text(CARD)
    return folder


def _step_rows(manual: int, step: int):
    rng = random.Random(f"{manual}:{step}")
    names = [(rng.choice(COLORS), rng.choice(PARTS)) for _ in range(1 + step % 2)]
    found, entities = _found_lines(names)
    # Some steps speak of "it": they name no part.
    named = step % 4 != 2
    done = [f"Put {'the ' + names[0][1] if named else 'it'} {rng.choice(PLACES)}."]
    manual_id = f"lego-{1000 + manual}-thing-readscr"
    base = {
        "manual_id": manual_id,
        "session_id": f"{manual_id}/main",
        "step_num": step,
        "confidence": 1.0,
        "sample_weight": 1.0,
    }
    tagged = [{"tag": "theme", "text": names[0][1]}] if named else []
    yield (
        "scene",
        {
            **base,
            **_identity("scene", manual, step, 0),
            "query": scene_query(found),
            "answer": done[0],
            "instruction": done[0],
            "previous_instruction": " ".join(found),
            "entities": tagged,
            "provenance": _provenance(f"{manual}:{step}:step"),
        },
    )
    for cell in range(4):
        yield "object", {**base, **_object_row(manual, step, cell, names, found, entities, rng)}
    for negative in range(4):
        yield (
            "state",
            {
                **base,
                **_identity("state", manual, step, negative),
                "query": state_query(found, done),
                "answer": "No." if negative else "Yes.",
                "instruction": done[0],
                "previous_instruction": " ".join(found),
                "entities": tagged,
                "provenance": _provenance(f"{manual}:{step}:step"),
                "label": int(not negative),
                "group_id": f"group-{manual}-{step}",
                "negative_kind": "shift" if negative else None,
                "shift_fraction": 0.1 * negative,
                "part_box_px": [1.0, 1.0, 5.0, 5.0],
                "correct_box_px": [1.0, 1.0, 5.0, 5.0],
                "boundary_color": "#FF00FF",
            },
        )


def _found_lines(names):
    entities = [
        {"tag": tag, "text": text}
        for color, part in names
        for tag, text in (("colorinfo", color), ("theme", part))
    ]
    if len(names) == 1:
        return [f"Find 1 {names[0][0]} {names[0][1]}."], entities
    pieces = [f"1 {color} {part}" for color, part in names]
    lines = [f"Collect the following {len(names)} pieces:"]
    return [*lines, *(f"{p}{'.' if p is pieces[-1] else ','}" for p in pieces)], entities


def _object_row(manual, step, cell, names, found, entities, rng):
    left, top = 50 * (cell % 2), 50 * (cell // 2)
    boxes = []
    for index in range(len(names)):
        x0, y0 = left + 5 + 20 * index, top + rng.randint(5, 20)
        boxes.append((x0, y0, x0 + rng.randint(8, 18), y0 + rng.randint(10, 25)))
    targets = [
        {
            "label": f"{color} {part}",
            "count": 1,
            "box_norm100": list(map(float, box)),
            "box_px": _px(box),
            "instances_px": [_px(box)],
        }
        for (color, part), box in zip(names, boxes, strict=True)
    ]
    phrases = [f"1 {color} {part.rsplit(' ', 1)[0]}" for color, part in names]
    sources = [f"{manual}:{step + 10 * (other + 1)}:eop" for other in range(4)]
    sources[cell] = f"{manual}:{step}:eop"
    return {
        **_identity("object", manual, step, cell, [rounded(box) for box in boxes]),
        "query": object_query(found),
        "answer": box_answer(list(zip(phrases, boxes, strict=True))),
        "instruction": " ".join(found),
        "previous_instruction": None,
        "entities": entities,
        "provenance": _provenance(*sources),
        "cell": cell,
        "targets": targets,
        "distractors": [],
    }


def _px(box):
    return [value * side / 100 for value, side in zip(box, COLLAGE_WH * 2, strict=True)]


def _provenance(*names):
    return {
        "source_images": [
            {"path": name, "sha256": hashlib.sha256(name.encode()).hexdigest()} for name in names
        ],
        "annotator": None,
    }


def _identity(config, manual, step, index, boxes=()):
    name = hashlib.sha256(f"{config}:{manual}:{step}:{index}".encode()).hexdigest()[:20]
    return {"id": name, "image": {"bytes": _png(name, tuple(boxes)), "path": f"{name}.png"}}


@functools.lru_cache(4096)
def _png(seed: str, boxes: tuple) -> bytes:
    """A flat colour with a rectangle for every box (percent)."""
    rng = random.Random(seed)
    image = Image.new("RGB", COLLAGE_WH, tuple(rng.randint(150, 255) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for box in boxes:
        x0, y0, x1, y1 = _px(box)
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), fill=tuple(rng.randint(0, 120) for _ in range(3)))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
