"""The originally released dataset, or a folder in its layout (R18), as rows of a build.

    json_data/**/*.json     manuals      qwen_data/**/{grounding,object,state}*.jsonl     rows
    lego/M/images/          scenes and right states      object_dataset/lego/M/images/    collages
    step_dataset/lego/M/images/F_fakeN.png               wrong states

Collages and wrong states are taken as they are, nothing is drawn anew; pictures go through this
project's encoder, so that all are alike but for their pixels. What the layout does not know stays
null: where parts are in states, what stands in the other cells. Two steps, like any source: stage 1
brings a manual's texts and pictures into its crawl folder, stage 4 turns them into rows.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from builder import folders
from builder.annotate.box_text import box_answer
from builder.crawl_store import finish_manual, writable
from builder.export.parquet import write_piece
from builder.fetch import CrawlOptions
from builder.folders import CRAWL, TASKS
from builder.media import encode, pixel_hash, read_picture
from builder.parse import EOP_CLASSES, file_name, parse_image_name
from builder.pipeline import COLORS_FILE, BuildOptions, ManualStats
from builder.records import CrawledManual, Drop, Manual, UserError, dump, load, split_slug
from builder.sources import saved, web
from builder.tasks.context import EncodedImage, opaque_id
from builder.tasks.prompts import NO, OBJECT_DIRECTIVE, YES
from evaluation.answers import parse_boxes
from evaluation.frames import Seen, infer_frame, to_norm100
from evaluation.prompts import JSON_DIRECTIVE
from synthesis.boxes import as_box, clip, norm100_to_px

PREFIX, ANNOTATOR = "legacy:", "legacy"
LISTS = {"grounding": "scene", "object": "object", "state": "state"}
ROOTS = {"scene": "lego", "object": "object_dataset/lego", "state": "step_dataset/lego"}
PAGE = "legacy.json"
# The layout gives none. Steps and their texts stand in the manual, so scenes are sure.
CONFIDENCE = {"scene": 1.0, "object": 0.5, "state": 0.5}
_FAKE = re.compile(r"_?fake\d+$")
_NEGATIVES = 3
_LIMITS = CrawlOptions()


class Told(msgspec.Struct, frozen=True):
    """One row of the lists: its picture by path below the folder, question and answer."""

    config: str
    image: str
    query: str
    answer: str


class Step(msgspec.Struct, frozen=True):
    """An instruction of a manual's JSON, as far as rows need it."""

    stem: str
    text: str
    session: str
    step_num: int | None
    is_eop: bool
    entities: list[dict[str, str]]
    color: str | None


class Page(msgspec.Struct, frozen=True):
    """Everything of one manual: what stage 1 leaves and stage 4 reads."""

    manual_id: str
    steps: list[Step]
    rows: list[Told]


# Stage 1 -----------------------------------------------------------------------------------------


def is_legacy(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return (folder / "qwen_data").is_dir() and (folder / "lego").is_dir()


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
    if told.config != "state" or not _FAKE.search(path.stem):
        return None
    stem = _FAKE.sub("", path.stem)
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
        folder.mkdir(parents=True, exist_ok=True)
        text = folder / f".{PAGE}"
        folders.write_bytes(text, data)
        images = [
            saved.import_image(
                root, root / PAGE, f"/{name}", folder, {}, _LIMITS.max_bytes, _LIMITS.max_pixels
            )
            for name in dict.fromkeys(_files(root, row) for row in page.rows)
        ]
        record = CrawledManual(
            manual_id, split_slug(manual_id)[0], manual_id, f"json_data/{manual_id}.json",
            PAGE, folders.sha256(data), images,
        )  # fmt: skip
        finish_manual(folder, record, text)
        text.unlink()
    return manual_id


def _files(root: Path, row: Told) -> str:
    """A row's picture; `fake1` is also looked for as `_fake1`, as the layout's readers do."""
    if not (root / row.image).is_file():
        other = re.sub(r"(?<!_)fake(\d+)(?=\.\w+$)", r"_fake\1", row.image)
        if (root / other).is_file():
            return other
    return row.image


# Stage 4 -----------------------------------------------------------------------------------------


def build_manual(manual_id: str, options: BuildOptions) -> tuple[str, bool]:
    """Bring a manual's rows up to date; returns its id and whether anything was done."""
    folder = options.work / CRAWL / manual_id
    record = (folder / "crawl.json").read_bytes()
    print_ = folders.fingerprint("legacy", options.tasks.image_format, folders.sha256(record))
    target = options.work / TASKS / manual_id
    return manual_id, folders.stage(target, print_, lambda made: _build(folder, options, made))


def _build(folder: Path, options: BuildOptions, target: Path) -> None:
    crawled = load(folder / "crawl.json", CrawledManual)
    page = load(folder / PAGE, Page)
    manual = _Manual(crawled, page, folder, options.tasks.image_format)
    rows = manual.rows()
    index = {
        config: write_piece(target / f"{config}.parquet", config, rows[config])
        for config in ROOTS
    }
    sessions = {row["session_id"] for several in rows.values() for row in several}
    colored = {row["session_id"] for row in rows["state"] if row["boundary_color"]}
    stats = ManualStats(
        manual_id=crawled.manual_id,
        set_number=crawled.set_number,
        object_finding_steps=sum(step.is_eop for step in page.steps),
        assembly_steps=sum(not step.is_eop for step in page.steps),
        sessions=len(sessions),
        colored_sessions=len(colored),
        drops=manual.drops,
    )
    empty = Manual(crawled.manual_id, crawled.set_number, crawled.title, crawled.url, [])
    (target / COLORS_FILE).write_bytes(dump({}))
    (target / "index.json").write_bytes(msgspec.json.encode(index))
    (target / "manual.json").write_bytes(dump(empty))
    (target / "stats.json").write_bytes(dump(stats))


class _Manual:
    """One manual at work: its texts by picture, and what could not be used."""

    def __init__(self, crawled: CrawledManual, page: Page, folder: Path, image_format: str):
        self.manual_id, self.page = crawled.manual_id, page
        self.folder, self.image_format = folder, image_format
        self.images = {image.src.lstrip("/"): image for image in crawled.images}
        self.order = {step.stem: number for number, step in enumerate(page.steps)}
        self.drops: list[Drop] = []

    def rows(self) -> dict[str, list[dict]]:
        """Rows by config; state groups together, each in the order of opaque ids."""
        made: dict[str, list[dict]] = {config: [] for config in ROOTS}
        told = [t for t in self.page.rows if self._usable(t)]
        frame = self._frame([t for t in told if t.config == "object"])
        groups: dict[str, list[tuple[Told, dict]]] = defaultdict(list)
        for one in told:
            row = self._row(one, frame)
            if row is None:
                continue
            if one.config == "state":
                groups[row["group_id"]].append((one, row))
            else:
                made[one.config].append(row)
        for several in groups.values():
            labels = sorted(row["label"] for _, row in several)
            if labels == [0] * _NEGATIVES + [1]:
                made["state"] += sorted((row for _, row in several), key=lambda row: row["id"])
            else:
                for one, _ in several:
                    self._drop(one, "group_not_whole", f"{sum(labels)} right of {len(labels)}")
        return made

    def _drop(self, told: Told, reason: str, detail: str = "") -> None:
        self.drops.append(Drop(self.manual_id, told.config, told.image, reason, detail[:200]))

    def _image(self, told: Told):
        """The crawled image of a row, None when it is not there or no image."""
        by_other_name = re.sub(r"(?<!_)fake(\d+)(?=\.\w+$)", r"_fake\1", told.image)
        for name in (told.image, by_other_name):
            image = self.images.get(name)
            if image is not None and image.file:
                return image
        return None

    def _usable(self, told: Told) -> bool:
        if self._image(told) is None:
            known = self.images.get(told.image)
            self._drop(told, known.error if known and known.error else "missing_file")
        elif "ImageContent" in told.answer:
            self._drop(told, "junk_answer", told.answer)
        else:
            return True
        return False

    def _frame(self, told: list[Told]) -> str:
        """Of the manual's boxes, told by their range: the layout does not say."""
        return infer_frame(
            Seen([b.box for b in parse_boxes(t.answer).boxes], self._image(t).size_wh)
            for t in told
        )

    def _row(self, told: Told, frame: str) -> dict | None:
        image, stem = self._image(told), Path(file_name(told.image)).stem
        bare = _FAKE.sub("", stem)
        number = self._step_number(bare)
        step = self.page.steps[number] if number is not None else None
        name = parse_image_name(bare)
        picture = read_picture(self.folder / image.file)
        encoded = EncodedImage(
            encode(picture.rgb, self.image_format), pixel_hash(picture.rgb),
            picture.size_wh, self.image_format,
        )  # fmt: skip
        session = (step.session if step else None) or name.id_sign or "unnamed"
        # Collages of one object name its own picture, so that they are one group.
        own = {"path": f"lego/{self.manual_id}/images/{step.stem if step else bare}.png",
               "sha256": None}  # fmt: skip
        row = {
            "id": opaque_id(told.config, self.manual_id, bare, encoded.pixels_hash),
            "manual_id": self.manual_id,
            "session_id": f"{self.manual_id}/{session}",
            "step_num": step.step_num if step else name.step_num,
            "image": encoded.column,
            "query": told.query,
            "answer": told.answer,
            "instruction": (step.text if step else "") or _asked(told),
            "previous_instruction": self._before(number),
            "entities": step.entities if step else [],
            "provenance": {"source_images": [own], "annotator": ANNOTATOR},
            "confidence": CONFIDENCE[told.config],
            "sample_weight": CONFIDENCE[told.config],
        }
        if told.config == "object":
            return self._object(told, row, own, frame, encoded.size_wh)
        if told.config == "state":
            return row | self._state(bare, not _FAKE.search(stem), step)
        row["provenance"]["annotator"] = None
        return row

    def _step_number(self, stem: str) -> int | None:
        """Which instruction a picture belongs to: of its name, or of the longest that begins it."""
        if stem in self.order:
            return self.order[stem]
        starts = [s for s in self.order if s and re.match(re.escape(s) + r"[_-]", stem)]
        return self.order[max(starts, key=len)] if starts else None

    def _before(self, number: int | None) -> str | None:
        """Of a step the latest eop before it in its session, of an eop the row before (A4)."""
        if number is None:
            return None
        steps, own = self.page.steps, self.page.steps[number]
        earlier = [s for s in steps[:number] if s.session in (own.session, "")]
        if not own.is_eop:
            earlier = [s for s in earlier if s.is_eop] or earlier
        else:
            earlier = [s for s in earlier[-1:] if not s.is_eop]
        return earlier[-1].text or None if earlier else None

    def _object(
        self, told: Told, row: dict, own: dict, frame: str, size_wh: tuple[int, int]
    ) -> dict | None:
        """Boxes, and the cell that holds them; null for what else stands in the collage."""
        targets, phrases = [], []
        for box in parse_boxes(told.answer).boxes:
            try:
                inside = clip(to_norm100(as_box(box.box), frame, size_wh), (100, 100))
            except ValueError:
                self._drop(told, "box_without_area", told.answer)
                return None
            count = re.match(r"(\d+)\s+(.*)", box.label)
            box_px = list(norm100_to_px(inside, size_wh))
            targets.append(
                {
                    "label": count[2] if count else box.label,
                    "count": int(count[1]) if count else 1,
                    "box_norm100": list(inside),
                    "box_px": box_px,
                    "instances_px": [box_px],
                }
            )
            phrases.append((box.label, inside))
        cells = {
            int(x0 + x1 >= 100) + 2 * int(y0 + y1 >= 100)
            for x0, y0, x1, y1 in (target["box_norm100"] for target in targets)
        }
        if len(cells) != 1:
            reason = "boxes_in_several_cells" if cells else "boxes_not_readable"
            self._drop(told, reason, told.answer)
            return None
        (cell,) = cells
        unknown = {"path": None, "sha256": None}
        sources = [own if index == cell else unknown for index in range(4)]
        return {
            **row,
            "query": told.query.replace(JSON_DIRECTIVE, OBJECT_DIRECTIVE),
            "answer": box_answer(phrases),
            "provenance": {"source_images": sources, "annotator": ANNOTATOR},
            "cell": cell,
            "targets": targets,
            "distractors": [],
        }

    def _state(self, bare: str, right: bool, step: Step | None) -> dict:
        return {
            "answer": YES if right else NO,
            "label": int(right),
            "group_id": opaque_id("group", self.manual_id, bare),
            "negative_kind": None if right else "shift",
            "correction": None,
            "shift_fraction": None,
            "part_box_px": None,
            "correct_box_px": None,
            "boundary_color": step.color if step else None,
        }


def _asked(told: Told) -> str:
    """An instruction as the row itself tells it, for pictures that no manual names."""
    if told.config == "scene":
        return told.answer
    start = {"object": "positions of ", "state": "correctly for "}[told.config]
    text = told.query.split(start, 1)[-1]
    return re.split(r"\s+(?:Providing the positions|Just tell me)", text)[0] or told.query
