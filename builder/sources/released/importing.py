"""The originally released dataset, or a folder in its layout (R18), brought into crawl folders.

    json_data/**/*.json     manuals      qwen_data/**/*.jsonl, *.json     rows
    lego/M/images/          scenes and right states      object_dataset/lego/M/images/    collages
    step_dataset/lego/M/images/F_fakeN.png               wrong states

This is stage 1; `legacy_rows` makes rows of what is left here. A row's task is that of its own
token (`[state]`), else of its file's name (scene or grounding, object, state). A row of a wrong
state stands for the right one too: the picture of that name without `_fakeN`. What is not taken is
a drop.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from builder.engine import Engine
from builder.sources.audio import saved, web
from builder.sources.audio.crawl_store import finish_manual, writable
from builder.sources.released.layout import (
    FAKE,
    PAGE,
    PREFIX,
    ROOTS,
    Page,
    Step,
    Told,
    is_released,
    other_name,
)
from builder.sources.source import Manuals
from core import store
from core.errors import UserError
from core.image_names import EOP_CLASSES, file_name, parse_image_name
from core.records import CrawledManual, Drop, dump, split_slug
from tasks.state.text import YES

# What tells a row's task: its token, or a word in the name of its file or folder.
TASKS = {"grounding": "scene", "scene": "scene", "object": "object", "state": "state"}


class Found(NamedTuple):
    """The manuals of a folder, and what in its lists was left out."""

    pages: list[Page]
    drops: list[Drop]


def import_all(source: str, crawl_dir: Path, limit: int | None, engine: Engine) -> Manuals:
    """Stage 1 for all manuals of `legacy:DIR`: their ids, and what was left out."""
    root = Path(source.removeprefix(PREFIX))
    pages, drops = read_pages(root)
    left = {page.manual_id for page in pages} - {page.manual_id for page in pages[:limit]}
    calls = [(root, page, crawl_dir) for page in pages[:limit]]
    ids = engine.map("manuals", import_manual, calls)
    return Manuals(ids, [drop for drop in drops if drop.manual_id not in left])


def read_pages(root: Path) -> Found:
    """All manuals of a folder, sorted by id; raises `UserError` for another layout."""
    if not is_released(root):
        raise UserError(
            f"--source {PREFIX}{root}: no qwen_data/ and lego/ in it; give the folder that holds "
            "them (ARTA_LEGO in the release)"
        )
    rows: dict[str, dict[tuple[str, str], Told]] = defaultdict(dict)
    right_ones: list[tuple[str, Told]] = []
    drops: list[Drop] = []
    for path in sorted(p for p in (root / "qwen_data").rglob("*") if p.is_file()):
        for told in _rows_in(root, path):
            if isinstance(told, Drop):
                drops.append(told)
                continue
            manual_id = told.image.split("/images/")[0].rsplit("/", 1)[-1]
            own, key = rows[manual_id], (told.config, told.image)
            if key in own:  # one row a picture and task, the first of them
                again = "same_row_again" if own[key] == told else "same_picture_again"
                detail = f"{told.query} {told.answer}"
                drops.append(Drop(manual_id, told.config, told.image, again, detail))
            own.setdefault(key, told)
            if (right := _right_one(told)) is not None:
                right_ones.append((manual_id, right))
    for manual_id, right in right_ones:  # where no row of its own tells it
        rows[manual_id].setdefault((right.config, right.image), right)
    if not rows:
        raise UserError(f"--source {PREFIX}{root}: not one row in qwen_data/*.jsonl")
    steps = {}
    for path in sorted((root / "json_data").rglob("*.json")):
        manual_id, steps[manual_id] = _steps_of(path)
        if manual_id not in rows:
            drops.append(Drop(manual_id, "crawl", _below(root, path), "no_rows"))
    return Found([Page(m, steps.get(m, []), list(rows[m].values())) for m in sorted(rows)], drops)


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _rows_in(root: Path, path: Path) -> Iterator[Told | Drop]:
    """Rows of a file, and a drop for each whose task nothing tells, or for the whole of it."""
    name = _below(root, path)
    if path.suffix.casefold() not in (".jsonl", ".json"):
        yield Drop(path.stem, "crawl", name, "not_a_list_of_rows", "no .jsonl and no .json")
        return
    words = re.split(r"[^a-z]+", _below(root / "qwen_data", path).casefold())
    named = next((TASKS[t] for word in words for t in TASKS if word.startswith(t)), None)
    found = False
    try:
        for message in _messages(path):
            if isinstance(message, str):
                yield Drop(path.stem, "crawl", name, "text_between_rows", message)
                continue
            found = True
            image, query, answer = message
            token = re.match(r"\s*\[(\w+)\]", query)
            config = TASKS.get(token[1].casefold(), named) if token else named
            if config is None:
                yield Drop(path.stem, "crawl", name, "task_not_known", f"{image} {query}")
            else:
                yield Told(config, _picture(root, config, image), query, answer)
    except UserError as error:
        if named:
            raise
        yield Drop(path.stem, "crawl", name, "not_a_list_of_rows", str(error))
        return
    if not found and path.stat().st_size:
        yield Drop(path.stem, "crawl", name, "not_a_list_of_rows", "no row of the layout in it")


def _picture(root: Path, config: str, below: str) -> str:
    """A row's picture, its path below the root; right states lie among the scenes."""
    places = [f"{ROOTS[config]}/{below}"]
    if config == "state" and not FAKE.search(Path(below).stem):
        places.insert(0, f"{ROOTS['scene']}/{below}")
    return next((place for place in places if (root / place).is_file()), places[0])


def _messages(path: Path) -> Iterator[tuple[str, str, str] | str]:
    """(picture below lego/, question, answer) of a file of JSON arrays, wherever its lines break,
    and any text that stands between them.

    Raises `UserError` for a row of another layout.
    """
    decoder, at = json.JSONDecoder(), 0
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text in UTF-8; save it as one") from None
    while (start := text.find("[", at)) >= 0:
        if between := text[at:start].strip(" \t\r\n,;"):
            yield between
        try:
            value, at = decoder.raw_decode(text, start)
            rows = value if value and isinstance(value[0], list) else [value]
            # Of a longer conversation every question and its answer.
            pairs = [row[k : k + 2] for row in rows for k in range(0, len(row) or 1, 2)]
            read = [_message(pair) for pair in pairs]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            line = text.count("\n", 0, start) + 1
            raise UserError(
                f"{path}: line {line}: not a row of the released layout ({error!r})"
            ) from None
        yield from read
    if at and (after := text[at:].strip(" \t\r\n,;")):
        yield after


def _message(messages: list[Any]) -> tuple[str, str, str]:
    parts = {part["type"]: part for part in messages[0]["content"]}
    image, question = parts["image"]["image"], parts["text"]["text"]
    answer = messages[1]["content"]
    answer = answer if isinstance(answer, str) else answer[0]["text"]
    return image.split("lego/", 1)[1], question.replace("<image>", ""), answer


def _right_one(told: Told) -> Told | None:
    """The right state that a wrong one's row stands for as well: its name without `_fakeN`."""
    path = Path(told.image)
    if told.config != "state" or not FAKE.search(path.stem):
        return None
    stem = FAKE.sub("", path.stem)
    below = path.with_name(stem + path.suffix).relative_to(ROOTS["state"])
    return Told("state", f"{ROOTS['scene']}/{below.as_posix()}", told.query, YES)


def _steps_of(path: Path) -> tuple[str, list[Step]]:
    try:
        manual = json.loads(path.read_bytes())
        return manual["manual_id"], [_step(entry) for entry in manual["instructions"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a manual of the released layout ({error!r})") from None


def _step(entry: dict[str, Any]) -> Step:
    vlm = entry.get("VLM") or {}
    image = vlm.get("img_path") or entry.get("img") or entry.get("img_url") or ""
    name = parse_image_name(file_name(image))
    text = entry["text"]
    flat = [e for part in entry.get("entities") or [] for e in (part if isinstance(part, list)
                                                                 else [part])]  # fmt: skip
    number = str(vlm.get("step_num"))
    colors = vlm.get("bound_color") or []
    step_class = _known(vlm.get("step_class")) or name.step_class
    return Step(
        stem=Path(file_name(image)).stem,
        text=text if isinstance(text, str) else " ".join(text),
        session=_known(vlm.get("id_sign")) or name.id_sign or "",
        step_num=int(number) if number.isdecimal() else name.step_num,
        is_eop=step_class in EOP_CLASSES,
        entities=[{"tag": str(tag), "text": str(said)} for e in flat for tag, said in e.items()
                  if tag != "this_line"],
        color=_known(colors[0]) if isinstance(colors, list) and colors else None,
    )  # fmt: skip


def _known(value: Any) -> str | None:
    """The thesis wrote "None" for what is not known."""
    return str(value) if value not in (None, "", "None") else None


def import_manual(root: Path, page: Page, crawl_dir: Path) -> str:
    """Bring one manual into its crawl folder; returns its id."""
    manual_id = web.safe_name(page.manual_id)
    folder = crawl_dir / manual_id
    data = dump(page)
    with writable(folder):
        place = saved.SavedPage(root, root / PAGE, "", folder, {})
        images = [
            saved.import_image(place, f"/{name}")
            for name in dict.fromkeys(_file_of(root, row) for row in page.rows)
        ]
        record = CrawledManual(
            manual_id, split_slug(manual_id)[0], manual_id, f"json_data/{manual_id}.json",
            PAGE, store.sha256(data), images,
        )  # fmt: skip
        finish_manual(folder, record, data)
    return manual_id


def _file_of(root: Path, row: Told) -> str:
    other = other_name(row.image)
    return other if not (root / row.image).is_file() and (root / other).is_file() else row.image
