"""Stage 4 of an imported dataset: a manual's texts and pictures as rows (R18).

Collages and wrong states are taken as they are, nothing is drawn anew; pictures go through this
project's encoder, so that all are alike but for their pixels. What the layout does not know stays
null: where parts are in states, what stands in the other cells.
"""

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

from builder.sources.language import ENGLISH, language_of, reason_of
from builder.sources.released.layout import FAKE, PAGE, ROOTS, Page, Step, Told, other_name
from core.answers import parse_boxes, parse_yes_no
from core.boxtext import box_answer
from core.frames import Seen, infer_frame, to_norm100
from core.image_names import file_name, parse_image_name
from core.names import opaque_id
from core.parquet import write_piece
from core.pictures.containers import ImageError
from core.pictures.media import read_picture
from core.records import CrawledImage, CrawledManual, Drop, Manual, ManualStats, dump, load
from core.store import COLORS_FILE
from evaluation.prompts import LEGO_R1_DIRECTIVE
from synthesis.boxes import as_box, clip, norm100_to_px
from tasks import TASKS
from tasks.context import EncodedImage
from tasks.prompts import OBJECT_DIRECTIVE
from tasks.queries import read
from tasks.state.text import NO, YES

ANNOTATOR = "legacy"
# The layout gives none. Steps and their texts stand in the manual, so scenes are sure.
CONFIDENCE = {"scene": 1.0, "object": 0.5, "state": 0.5}
_NEGATIVES = 3


def write_rows(folder: Path, image_format: str, target: Path) -> None:
    """Stage 4 of one imported manual: from its crawl folder to a folder of rows."""
    crawled = load(folder / "crawl.json", CrawledManual)
    page = load(folder / PAGE, Page)
    manual = _Manual(crawled, page, folder, image_format)
    rows = manual.rows()
    index = {
        config: write_piece(target / f"{config}.parquet", config, rows.get(config, []))
        for config in TASKS
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

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Rows by config; state groups together, each in the order of opaque ids."""
        made: dict[str, list[dict[str, Any]]] = {config: [] for config in ROOTS}
        if (code := language_of(text := self._text())) != ENGLISH:
            reason = reason_of("manual", code)
            self.drops.append(Drop(self.manual_id, "parse", "manual", reason, text))
            return made
        usable = [(t, image) for t in self.page.rows if (image := self._usable(t))]
        frame = _frame([(t, image) for t, image in usable if t.config == "object"])
        groups: dict[str, list[tuple[Told, dict[str, Any]]]] = defaultdict(list)
        for one, image in usable:
            row = self._row(one, image, frame)
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

    def _text(self) -> str:
        """What tells the language: the manual's own text, else what its steps are answered with."""
        answers = [told.answer for told in self.page.rows if told.config == "scene"]
        return " ".join([step.text for step in self.page.steps] or answers)

    def _drop(self, told: Told, reason: str, detail: str = "") -> None:
        self.drops.append(Drop(self.manual_id, told.config, told.image, reason, detail))

    def _usable(self, told: Told) -> CrawledImage | None:
        """A row's picture; None for a row that is dropped."""
        known = [self.images.get(name) for name in (told.image, other_name(told.image))]
        image = next((i for i in known if i is not None and i.file), None)
        if image is None:
            reason = next((i.error for i in known if i is not None and i.error), "missing_file")
            self._drop(told, reason)
        elif "ImageContent" in told.answer:  # an echo of the annotator's own prompt (T9)
            self._drop(told, "junk_answer", told.answer)
            return None
        elif told.config == "state" and parse_yes_no(told.answer).value is _is_fake(told):
            self._drop(told, "answer_contradicts_name", told.answer)
            return None
        return image

    def _row(self, told: Told, image: CrawledImage, frame: str) -> dict[str, Any] | None:
        stem = Path(file_name(told.image)).stem
        bare = FAKE.sub("", stem)
        number = self._step_number(bare)
        step = self.page.steps[number] if number is not None else None
        name = parse_image_name(bare)
        try:
            picture = read_picture(self.folder / (image.file or ""))
            encoded = EncodedImage.of(picture.rgb, self.image_format)
        except ImageError as error:
            self._drop(told, error.reason, error.detail)
            return None
        session = (step.session if step else None) or name.id_sign or "unnamed"
        # Collages of one object name its own picture, so that they are one group.
        own = {"path": f"lego/{self.manual_id}/images/{step.stem if step else bare}.png",
               "sha256": None}  # fmt: skip
        row: dict[str, Any] = {
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
            return row | self._state(bare, not _is_fake(told), step)
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
        self,
        told: Told,
        row: dict[str, Any],
        own: dict[str, Any],
        frame: str,
        size_wh: tuple[int, int],
    ) -> dict[str, Any] | None:
        """Boxes, and the cell that holds them; null for what else stands in the collage."""
        targets, phrases = [], []
        answer = parse_boxes(told.answer)
        for box in answer.boxes:
            try:
                exact = to_norm100(as_box(box.box), answer.frame or frame, size_wh)
                inside = clip(exact, (100, 100))
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
        cells = {int(x0 + x1 >= 100) + 2 * int(y0 + y1 >= 100) for _, (x0, y0, x1, y1) in phrases}
        if len(cells) != 1:
            reason = "boxes_in_several_cells" if cells else "boxes_not_readable"
            self._drop(told, reason, told.answer)
            return None
        (cell,) = cells
        unknown = {"path": None, "sha256": None}
        sources = [own if index == cell else unknown for index in range(4)]
        return {
            **row,
            "query": told.query.replace(LEGO_R1_DIRECTIVE, OBJECT_DIRECTIVE),
            "answer": box_answer(phrases),
            "provenance": {"source_images": sources, "annotator": ANNOTATOR},
            "cell": cell,
            "targets": targets,
            "distractors": [],
        }

    def _state(self, bare: str, right: bool, step: Step | None) -> dict[str, Any]:
        return {
            "answer": YES if right else NO,
            "label": int(right),
            "group_id": opaque_id("group", self.manual_id, bare),
            "negative_kind": None if right else "shift",
            "correction": None,
            "false_facts": [],
            "shift_fraction": None,
            "difficulty": None,
            "part_box_px": None,
            "correct_box_px": None,
            "boundary_color": step.color if step else None,
        }


def _frame(told: list[tuple[Told, CrawledImage]]) -> str:
    """Of a manual's boxes, told by their range: the layout does not say, but some forms do."""
    answers = [(parse_boxes(one.answer), image) for one, image in told]
    return infer_frame(
        Seen([box.box for box in answer.boxes], image.size_wh)
        for answer, image in answers
        if answer.frame is None
    )


def _is_fake(told: Told) -> bool:
    """Whether a state's picture is named as a wrong one."""
    return FAKE.search(Path(file_name(told.image)).stem) is not None


def _asked(told: Told) -> str:
    """An instruction as the row itself tells it, for pictures that no manual names."""
    if told.config == "scene":
        return told.answer
    if known := read(told.query, told.config):
        return known["wanted" if told.config == "object" else "done"]
    start = {"object": "positions of ", "state": "correctly for "}[told.config]
    text = told.query.split(start, 1)[-1]
    return re.split(r"\s+(?:Providing the positions|Just tell me)", text)[0] or told.query
