"""Stage 2: a crawled manual page -> the manual JSON of Table 4.1 (T2-T5), validated.

Image and text are paired inside their row, never by counting. Every row of the page is either an
instruction that a task may use or a listed drop, and so is whatever stands around the rows.
"""

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jsonschema
import msgspec

from builder.sources.audio.charset import LOST, decode_html
from builder.sources.audio.lines import Line
from builder.sources.audio.manual_page import CONTAINER, ManualPage, PageRow, Unread, read_page
from builder.sources.audio.pictures import is_data
from builder.sources.language import ENGLISH, language_of, reason_of
from core.errors import UserError
from core.finding import first_find_line, only_asks_to_find
from core.image_names import EOP_CLASSES, ImageName, file_name, parse_image_name
from core.records import CrawledImage, CrawledManual, Drop, Instruction, Manual, Vlm, dump, load

SCHEMA_FILE = Path(__file__).with_name("manual.schema.json")
_NO_NAME = ImageName(None, None, None, None)
_NO_FILE_NAME = (
    "the picture is in the page itself and nothing tells its file name, which says what it shows; "
    "save the page with its pictures as files, or with the addresses that they had"
)

# A reason why something is left out, and its detail.
Reason = tuple[str, str]


def write_manual(crawled_file: Path, target: Path) -> None:
    """Stage 2 of one manual: `manual.json` in the folder `target`."""
    crawled = load(crawled_file, CrawledManual)
    html = (crawled_file.parent / crawled.page_file).read_bytes()
    (target / "manual.json").write_bytes(dump(parse_manual(html, crawled)))


def parse_manual(html: bytes | str, crawled: CrawledManual) -> Manual:
    """Parse one manual page. Raises `UserError` when it holds no manual at all."""
    # Read as the crawler reads it, so that both see the same src in odd bytes.
    page = read_page(decode_html(html, crawled.charset) if isinstance(html, bytes) else html)
    if page is None:
        raise UserError(
            f"{crawled.manual_id}: no {CONTAINER} in {crawled.page_file}; "
            "the page is not a manual, leave it out or crawl it again"
        )
    instructions: list[Instruction] = []
    drops = list(_other_language(page, crawled.manual_id))
    if not drops:
        instructions, drops = _read_rows(page, crawled)
    manual = Manual(
        manual_id=crawled.manual_id,
        set_number=crawled.set_number,
        title=crawled.title,
        url=crawled.url,
        instructions=instructions,
        drops=drops,
    )
    validate_json(json.loads(msgspec.json.encode(manual)))
    return manual


def validate_json(manual_json: object) -> None:
    """Check a manual against the shipped JSON Schema; raises `UserError` naming the place."""
    error = next(iter(_validator().iter_errors(manual_json)), None)
    if error is not None:
        raise UserError(
            f"manual JSON: {error.json_path}: {error.message[:200]}; "
            f"see {SCHEMA_FILE.name} for what is allowed"
        )


@functools.cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))


def _other_language(page: ManualPage, manual_id: str) -> Iterator[Drop]:
    """The drop of a manual that is not in English, for the questions around its texts would be."""
    text = " ".join(line.text for row in page.rows for line in row.lines)
    code = language_of(text, page.language)
    if code != ENGLISH:
        declared = f"its page declares {page.language!r}" if page.language else "none is declared"
        yield Drop(manual_id, "parse", "manual", reason_of("manual", code), f"{declared}; {text}")


def _read_rows(page: ManualPage, crawled: CrawledManual) -> tuple[list[Instruction], list[Drop]]:
    """The rows of a manual in English as instructions, and all that can't be used."""
    images = {image.src: image for image in crawled.images}
    instructions: list[Instruction] = []
    left_out: list[tuple[str, str, str]] = []  # item, reason, detail
    before: tuple[str | None, list[str]] | None = None
    for number, row in enumerate(page.rows):
        item, src = f"row {number}", row.picture.src if row.picture else None
        content = (src, [line.text for line in row.lines])
        if row.is_hidden:
            left_out.append((item, "hidden_row", row.hidden))
        elif content == before:
            left_out.append((item, "duplicate_row", src or ""))
        else:
            before = content
            instruction, reasons = _instruction(number, row, page.language, images)
            instructions.append(instruction)
            left_out += [(item, reason, detail) for reason, detail in reasons]
    for unread in page.unread:
        item = f"after row {unread.rows_before - 1}" if unread.rows_before else "before row 0"
        left_out += [(item, reason, detail) for reason, detail in _unread(unread)]
    return instructions, [Drop(crawled.manual_id, "parse", *what) for what in left_out]


def _unread(part: PageRow | Unread) -> Iterator[tuple[str, str]]:
    """What a browser shows of a part of the page and no instruction holds."""
    if part.text_outside:
        yield "unread_text", part.text_outside
    for picture in part.more_pictures:
        yield "unread_picture", picture.src


def _instruction(
    number: int, row: PageRow, page_language: str, images: Mapping[str, CrawledImage]
) -> tuple[Instruction, list[Reason]]:
    """One row as a record, and what of it can't be used."""
    src = row.picture.src if row.picture else None
    image = images.get(src) if src else None
    name = parse_image_name(file_name(src)) if src else _NO_NAME
    is_eop = name.step_class in EOP_CLASSES
    lines, left_out = row.lines, list(_unread(row))
    if row.hidden:
        left_out.append(("hidden_text", row.hidden))
    if code := _language_of_row(row, page_language):
        left_out.append((reason_of("row", code), _text(lines)))
        lines = []  # the row stays, for it stands between others
    find = first_find_line(_texts(lines), _flat_entities(lines))
    if find and (is_eop or src is None):
        left_out.append(("text_before_find", _text(lines[:find])))
        lines = lines[find:]
    usable = image is not None and image.error is None
    reason = None if code else _why_unusable(src, image, name, lines)
    text = _texts(lines)
    asks_to_find = find is not None and (is_eop or src is None)
    instruction = Instruction(
        instruction_id=number,
        text=text,
        VLM=Vlm(
            img_path=image.file if usable and image else None,
            id_sign=name.id_sign,
            step_num=name.step_num,
            # A row without picture that asks to find parts is an eop by its words.
            step_class=name.step_class or ("eop" if src is None and asks_to_find else None),
            other_sign=name.other_sign,
            task_label=None if code or reason else ("object" if is_eop else "scene"),
            query=_text(lines) if is_eop and asks_to_find else None,
        ),
        img=image.url if image else src,
        img_sha256=image.sha256 if usable and image else None,
        entities=_flat_entities(lines),
    )
    return instruction, ([reason] if reason else []) + left_out


def _why_unusable(
    src: str | None, image: CrawledImage | None, name: ImageName, lines: list[Line]
) -> Reason | None:
    """Why no task can use a row; None for an eop that asks to find parts and for a step (T5)."""
    text, entities = _texts(lines), _flat_entities(lines)
    if src is None:
        finds = first_find_line(text, entities) is not None
        return "no_image" if finds else "text_only_row", _text(lines)
    if image is None or image.error is not None:
        return (image.error or "") if image else "image_not_crawled", src
    if name.step_class == "start":
        return "start_image", src
    if name.step_class is None:
        return (
            ("picture_without_name", _NO_FILE_NAME)
            if is_data(src)
            else ("unrecognised_image_name", src)
        )
    if not text:
        return "row_without_text", src
    if any(LOST in line for line in text):
        # Bytes that mean nothing in the page's charset: a browser shows them as a mark, too.
        return "undecodable_text", _text(lines)
    if name.step_class == "step":
        return ("find_text_at_step", _text(lines)) if only_asks_to_find(text, entities) else None
    return ("eop_without_find", _text(lines)) if first_find_line(text, entities) != 0 else None


def _language_of_row(row: PageRow, page_language: str) -> str | None:
    """The language of a row of an English manual that is not English, by any of its lines."""
    declared = row.language if row.language != page_language else ENGLISH
    codes = (language_of(text, declared) for text in (_text(row.lines), *_texts(row.lines)))
    return next((code for code in codes if row.lines and code != ENGLISH), None)


def _texts(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines]


def _text(lines: Sequence[Line]) -> str:
    return " ".join(_texts(lines))


def _flat_entities(lines: Sequence[Line]) -> list[dict[str, str]]:
    """Table 4.1's flat list: `this_line` opens a line, its tags follow."""
    flat: list[dict[str, str]] = []
    for line in lines:
        flat.append({"this_line": line.text})
        flat.extend({tag: text} for tag, text in line.entities)
    return flat
