"""The folder layout of the originally released dataset (R18), for code written for it.

    json_data/M.json                        the manual's rows, as in the thesis' Table 4.1
    thesis_data/{scene,object,state}.json   its rows, as in Table 4.2; ids are `M-12`
    qwen_data/{grounding_qwen,object_qwen_new,state_qwen}.jsonl     one JSON array a line
    lego/M/images/F.png                     scene pictures and right states
    object_dataset/lego/M/images/F_1.png    collages
    step_dataset/lego/M/images/F_fake1.png  wrong states

State labels stand in the file names here: that is the layout, and how its readers know them. Right
states are not listed: readers add the picture without `_fakeN`. A right state that is not the
manual's own picture is called `F_state.png`, so that it does not take the scene's place. The split
of rows is lost.
"""

import json
import re
from collections import Counter, defaultdict
from typing import Any, NamedTuple
from urllib.parse import quote

from builder.export.chat import said
from builder.export.job import Dropped, Job, Part
from builder.export.units import Row, Unit, every_unit
from core import store
from core.answers import parse_boxes
from core.boxtext import box_answer
from core.image_names import parse_image_name
from core.pictures.containers import ImageError, take_apart
from core.pictures.media import decode, encode
from core.storage import parquet
from evaluation.prompts import Setting

CONFIGS = ("scene", "object", "state")
EXAMPLES = ("none",)
MERGES = False
SETTING = Setting(examples="none", boxes="lego-r1")
FILES = {"scene": "grounding_qwen.jsonl", "object": "object_qwen_new.jsonl",
         "state": "state_qwen.jsonl"}  # fmt: skip
# The same rows as the thesis has them, for code written for it: one list a task, no split.
THESIS = "thesis_data/{}.json"
# Table 4.1 has all of them in every row, and "None" for what is not known.
VLM_KEYS = ("img_path", "parts_img_path", "id_sign", "step_num", "step_class", "other_sign",
            "background_rect", "color_list", "bound_color", "task_label", "query",
            "MiniGPTv2_output")  # fmt: skip
FOLDERS = {"scene": "lego", "object": "object_dataset/lego", "state": "step_dataset/lego"}
# What the layout's readers ask of a name, or they stop.
_NUMBERED = {"scene": r"[_-]\d{1,4}_step", "object": r"[_-]\d{1,4}.*?eop",
             "state": r"[_-]\d{1,4}_step"}  # fmt: skip
PICTURES = "PNG, as the layout has it; WebP is converted, pixel by pixel the same"
LEAKS = "State labels stand in the file names (`_fake1`): that is how this layout says them."
README = """\
The layout of the originally released dataset: copy or link this folder as `ARTA_LEGO`. It knows no
split; export `--split train` and `--split test` apart. `thesis_data/` has the same rows in the
thesis' form, one list a task (its Table 4.2; pictures by name alone).

```bash
ln -s "$PWD"/{folder} ARTA_LEGO
lego-arta build --source legacy:{folder} --no-probe   # back into a build
```
"""
_COLUMNS = ["id", "manual_id", "session_id", "step_num", "provenance", "instruction",
            "previous_instruction", "entities"]  # fmt: skip


class Entry(NamedTuple):
    """One instruction of a manual's JSON, gathered from the rows that speak of it."""

    session: int
    step_num: int
    is_eop: bool
    image: str | None
    text: str
    entities: list[dict[str, str]]
    color: str | None
    boxes: str | None = None


class Named(NamedTuple):
    """A unit and, for each of its rows, the picture's name (no suffix) or why it has none, and its
    number among its manual's rows."""

    unit: Unit
    names: tuple[str | Dropped, ...]
    numbers: tuple[int, ...]


def write(job: Job) -> list[str]:
    """Write the layout; returns the names of the lists."""
    own_right = job.manifest["options"].get("positives") == "original"
    named, manuals = _named(every_unit(job.request), own_right)
    job.each("rows", _write, named)
    # Readers open all lists and look into all folders, also those of tasks that are not here.
    for folder in ("qwen_data", *FOLDERS.values()):
        (job.folder / folder).mkdir(parents=True, exist_ok=True)
    job.close_lists(THESIS.format(c) for c in job.request.configs)
    for name in FILES.values():
        (job.folder / "qwen_data" / name).touch()
    for manual_id, entries in manuals.items():
        text = json.dumps(_manual(manual_id, entries), indent=1)
        store.write_bytes(job.folder / "json_data" / f"{manual_id}.json", text.encode())
    return list(FILES.values())


def _write(part: Part, named: Named) -> None:
    told = dict(zip(named.unit.rows, zip(named.names, named.numbers, strict=True), strict=True))
    for row in part.rows(named.unit, ("distractors", "entities", "provenance")):
        name, number = told[row.item.place.row]
        try:
            if isinstance(name, Dropped):
                raise name
            _add(part, named.unit, row, name, number)
        except Dropped as dropped:
            part.drop(row.item.id, named.unit, dropped)


def _add(part: Part, unit: Unit, row: Row, name: str, number: int) -> None:
    """Write a row's picture, its entry in the thesis' form and, unless readers find it by
    themselves, its line."""
    question, answer = said(row.item, part.request.setting, ())
    right = row.item.is_yes is True
    folder = "lego" if right else FOLDERS[unit.config]
    path = f"{folder}/{row.item.manual_id}/images/{name}.png"
    target = part.folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(_png(row))
    turns = [{"from": "human", "value": row.item.query}, {"from": "gpt", "value": row.item.answer}]
    entry = {"id": f"{row.item.manual_id}-{number}", "image": f"{name}.png", "conversations": turns}
    part.records.setdefault(THESIS.format(unit.config), []).append(json.dumps(entry))
    if right:
        part.counts["rows: right states"] += 1
        return
    image = {"type": "image", "image": f"file:///arta/{path}"}
    messages = [
        {"role": "user", "content": [image, {"type": "text", "text": question}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    part.add(f"qwen_data/{FILES[unit.config]}", messages)


def _png(row: Row) -> bytes:
    if row.picture_name.endswith(".png"):
        return bytes(row.picture)
    try:
        return encode(decode(take_apart(bytes(row.picture))).rgb, "png")
    except ImageError as error:
        raise Dropped(error.reason, error.detail) from error


def _named(units: list[Unit], own_right: bool) -> tuple[list[Named], dict[str, list[Entry]]]:
    """Look at all wanted rows but their pictures: how each is called, the manuals' instructions."""
    named: list[Named] = []
    taken: set[tuple[str, str, str]] = set()
    entries: dict[str, dict[tuple[Any, ...], Entry]] = defaultdict(dict)
    sessions: dict[str, int] = {}
    numbers: Counter[Any] = Counter()
    counted: Counter[str] = Counter()
    for unit in units:
        places: list[int] = []
        names: list[str | Dropped] = []
        for row in _looked_at(unit):
            source = row["provenance"]["source_images"][row.get("cell") or 0]
            stem = quote((source["path"] or "").rsplit("/", 1)[-1].rsplit(".", 1)[0])
            name = _name(unit.config, row, stem, numbers, own_right)
            key = (unit.config, row["manual_id"], name)
            if not row["manual_id"].startswith("lego-"):
                names.append(Dropped("manual_is_not_called_lego", row["manual_id"]))
            elif not re.search(_NUMBERED[unit.config], name):
                names.append(Dropped("picture_name_has_no_number", stem))
            elif key in taken:
                names.append(Dropped("two_rows_of_one_picture", stem))
            else:
                names.append(name)
            taken.add(key)
            counted[row["manual_id"]] += 1
            places.append(counted[row["manual_id"]])
            session = sessions.setdefault(row["session_id"], len(sessions))
            _gather(entries[row["manual_id"]], unit.config, row, stem, session)
        named.append(Named(unit, tuple(names), tuple(places)))
    manuals = {manual: sorted(found.values(), key=_order) for manual, found in entries.items()}
    return named, manuals


def _name(
    config: str, row: dict[str, Any], stem: str, numbers: Counter[Any], own_right: bool
) -> str:
    """How a row's picture is called; `numbers` counts those of one stem or one group."""
    if config == "object":
        numbers[row["manual_id"], stem] += 1
        return f"{stem}_{numbers[row['manual_id'], stem]}"
    if config == "scene":
        return stem
    name = stem if own_right else f"{stem}_state"
    if not row["label"]:
        numbers[row["group_id"]] += 1
        name += f"_fake{numbers[row['group_id']]}"
    return name


def _looked_at(unit: Unit) -> list[dict[str, Any]]:
    extra = {
        "scene": [],
        "object": ["cell", "answer", "targets"],
        "state": ["label", "group_id", "boundary_color"],
    }
    with parquet(unit.path) as file:
        columns = [*_COLUMNS, *extra[unit.config]]
        rows = file.read_row_group(unit.row_group, columns=columns).to_pylist()
    return [rows[index] for index in unit.rows]


def _order(entry: Entry) -> tuple[Any, ...]:
    return (entry.session, entry.step_num, not entry.is_eop)


def _gather(
    entries: dict[tuple[Any, ...], Entry], config: str, row: dict[str, Any], stem: str, session: int
) -> None:
    """Note the instruction that a row is about, and the eop that it speaks of."""
    number = row["step_num"] or 0
    is_eop = config == "object"
    key = (session, number, is_eop)
    color = row.get("boundary_color") or (entries[key].color if key in entries else None)
    boxes = _own_boxes(row) if is_eop else None
    entries[key] = Entry(
        session, number, is_eop, stem, row["instruction"], row["entities"], color, boxes
    )
    before = row["previous_instruction"]
    if not is_eop and before and (session, number, "eop") not in entries:
        told = any(e.is_eop and e.text == before and e.session == session for e in entries.values())
        if not told:  # an eop without boxes: its words are known, its picture is not
            entries[session, number, "eop"] = Entry(session, number, True, None, before, [], None)


def _own_boxes(row: dict[str, Any]) -> str:
    """The boxes of an eop's own picture, which fills its cell of the collage."""
    names = [box.label for box in parse_boxes(row["answer"]).boxes]
    left, top = 50 * (row["cell"] % 2), 50 * (row["cell"] // 2)
    boxes = [
        tuple(min(100.0, max(0.0, 2 * (value - corner)))
              for value, corner in zip(target["box_norm100"], (left, top) * 2, strict=True))
        for target in row["targets"]
    ]  # fmt: skip
    return box_answer(list(zip(names, boxes, strict=False)))


def _manual(manual_id: str, entries: list[Entry]) -> dict[str, Any]:
    """Table 4.1's JSON as far as rows know it."""
    instructions: list[dict[str, Any]] = []
    seen: set[tuple[int, str]] = set()
    for entry in entries:
        if entry.image is None and (entry.session, entry.text) in seen:
            continue
        if entry.is_eop:
            seen.add((entry.session, entry.text))
        path = f"lego/{manual_id}/images/{entry.image}.png" if entry.image else None
        name = parse_image_name(entry.image or "")
        known = {
            "img_path": path,
            "id_sign": name.id_sign,
            "step_num": None if entry.image is None else entry.step_num,
            "step_class": name.step_class or ("eop" if entry.is_eop else "step"),
            "other_sign": name.other_sign,
            "color_list": [entry.color] if entry.color else [],
            "bound_color": [entry.color] if entry.color else [],
            "task_label": "object" if entry.is_eop else "scene",
            "query": entry.text if entry.is_eop else None,
            "MiniGPTv2_output": entry.boxes,
        }
        vlm = {key: "None" if known.get(key) is None else known[key] for key in VLM_KEYS}
        instructions.append(
            {
                "instruction_id": len(instructions),
                "text": [entry.text],
                "VLM": vlm,
                "img": path,
                "entities": [{"this_line": entry.text}]
                + [{e["tag"]: e["text"]} for e in entry.entities],
            }
        )
    return {"manual_id": manual_id, "manual_type": "lego", "instructions": instructions}
