"""The originally released dataset, or a folder in its layout (R18), brought into crawl folders.

    json_data/**/*.json     manuals      qwen_data/**/{grounding,object,state}*.jsonl     rows
    lego/M/images/          scenes and right states      object_dataset/lego/M/images/    collages
    step_dataset/lego/M/images/F_fakeN.png               wrong states

This is stage 1; `legacy_rows` makes rows of what is left here. A line of state_qwen.jsonl stands
for the right state too: the picture of that name without `_fakeN`.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from builder import folders
from builder.crawl_store import finish_manual, writable
from builder.image_names import EOP_CLASSES, file_name, parse_image_name
from builder.parallel import run_parallel
from builder.records import CrawledManual, UserError, dump, split_slug
from builder.sources import saved, web
from builder.sources.legacy_layout import FAKE, PAGE, ROOTS, Page, Step, Told, other_name
from builder.sources.terms import Terms, unknown
from builder.tasks.prompts import YES

PREFIX = "legacy:"
LISTS = {"grounding": "scene", "object": "object", "state": "state"}


def is_source(source: str) -> bool:
    """Whether --source names a folder to import."""
    return source.startswith(PREFIX)


def terms(source: str) -> Terms:
    """Nothing: the layout holds no licence, and other manuals than LEGO's may lie in it."""
    return unknown("the originally released dataset, or a folder in its layout")


def is_legacy(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return (folder / "qwen_data").is_dir() and (folder / "lego").is_dir()


def import_all(source: str, crawl_dir: Path, limit: int | None, workers: int) -> list[str]:
    """Stage 1 for all manuals of `legacy:DIR`; returns their ids."""
    root = Path(source.removeprefix(PREFIX))
    calls = [(root, page, crawl_dir) for page in read_pages(root)[:limit]]
    return run_parallel("manuals", import_manual, calls, workers)


def read_pages(root: Path) -> list[Page]:
    """All manuals of a folder, sorted by id; raises `UserError` for another layout."""
    if not is_legacy(root):
        raise UserError(
            f"--source {PREFIX}{root}: no qwen_data/ and lego/ in it; give the folder that holds "
            "them (ARTA_LEGO in the release)"
        )
    rows: dict[str, dict[tuple[str, str], Told]] = defaultdict(dict)
    for path in sorted((root / "qwen_data").rglob("*.jsonl")):
        config = next((LISTS[name] for name in LISTS if path.name.startswith(name)), None)
        for told in _rows_of(path, config) if config else ():
            manual_id = told.image.split("/images/")[0].rsplit("/", 1)[-1]
            for one in (told, _right_one(told)):  # one row a picture and task, the first of them
                if one is not None:
                    rows[manual_id].setdefault((one.config, one.image), one)
    if not rows:
        raise UserError(f"--source {PREFIX}{root}: not one row in qwen_data/*.jsonl")
    steps = {manual_id: found for path in sorted((root / "json_data").rglob("*.json"))
             for manual_id, found in [_steps_of(path)]}  # fmt: skip
    return [Page(m, steps.get(m, []), list(rows[m].values())) for m in sorted(rows)]


def _rows_of(path: Path, config: str) -> Iterator[Told]:
    """Rows of a file of JSON arrays one after another, wherever its lines break."""
    decoder, at = json.JSONDecoder(), 0
    text = path.read_text(encoding="utf-8")
    while (start := text.find("[", at)) >= 0:
        try:
            messages, at = decoder.raw_decode(text, start)
            parts = {part["type"]: part for part in messages[0]["content"]}
            image, question = parts["image"]["image"], parts["text"]["text"]
            answer = messages[1]["content"]
            answer = answer if isinstance(answer, str) else answer[0]["text"]
            below = image.split("lego/", 1)[1]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            line = text.count("\n", 0, start) + 1
            raise UserError(
                f"{path}: line {line}: not a row of the released layout ({error!r})"
            ) from None
        yield Told(config, f"{ROOTS[config]}/{below}", question.replace("<image>", ""), answer)


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
    number = str(vlm.get("step_num") or "")
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
            PAGE, folders.sha256(data), images,
        )  # fmt: skip
        finish_manual(folder, record, data)
    return manual_id


def _file_of(root: Path, row: Told) -> str:
    other = other_name(row.image)
    return other if not (root / row.image).is_file() and (root / other).is_file() else row.image
