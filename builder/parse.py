"""Stage 2: a crawled manual page -> the manual JSON of Table 4.1 (T2-T5), validated.

Image and text are paired inside their row, never by counting. Every row of the page is either an
instruction that a task may use or a listed drop.
"""

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import jsonschema
import msgspec
from bs4 import BeautifulSoup, NavigableString, Tag

from builder.records import (
    ENTITY_TAGS,
    CrawledImage,
    CrawledManual,
    Drop,
    Instruction,
    Manual,
    UserError,
    Vlm,
)
from builder.sources.charset import LOST, decode_html

# `Car-28_eop_AG`, `sm01-island-0_step_Step ##E`, `car_0006_step_A`: sign, number, class, sign.
_CLASSES = r"(?P<step_class>fullscreeneop|eop|step|start)(?:[-_](?P<other>.*))?$"
WHOLE_NAME_RE = re.compile(r"^(?P<sign>.+?)[-_](?P<number>\d{1,4})_" + _CLASSES, re.IGNORECASE)
# Names that lack the sign or the number: `Start`, `Car_start`, `0006_step_A`.
NAME_RE = re.compile(
    r"^(?:(?!\d{1,4}_?(?:fullscreeneop|eop|step|start))(?P<sign>.+?)[-_])?(?P<number>\d{1,4})?_?"
    + _CLASSES,
    re.IGNORECASE,
)
FIND_RE = re.compile(r"^(find|collect)\b", re.IGNORECASE)
EOP_CLASSES = ("eop", "fullscreeneop")
SCHEMA_FILE = Path(__file__).with_name("manual.schema.json")
_BLOCKS = {
    "article", "dd", "div", "dl", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "li", "ol", "p",
    "section", "table", "tbody", "td", "tr", "ul",
}  # fmt: skip
_INVISIBLE = {"script", "style", "template"}


class ImageName(NamedTuple):
    """Tags of an image file name (T3); None where the name says nothing."""

    id_sign: str | None
    step_num: int | None
    step_class: str | None
    other_sign: str | None


class Line(NamedTuple):
    """One instruction line and its tagged words [(tag, text)]."""

    text: str
    entities: list[tuple[str, str]]


def file_name(src: str) -> str:
    """The decoded last part of an `src`; `#` is part of the name on this site.

    >>> file_name("/manual-images/60263/sm01-island-0_step_Step%20%23%23E.png")
    'sm01-island-0_step_Step ##E.png'
    """
    return unquote(re.sub(r"\?[^/]*$", "", src).rsplit("/", 1)[-1])


def parse_image_name(name: str) -> ImageName:
    """Read the tags of an image file name.

    >>> parse_image_name("Car-28_eop_AG.png")
    ImageName(id_sign='Car', step_num=28, step_class='eop', other_sign='AG')
    >>> parse_image_name("Sub-assembly-14-5_step_F.png").id_sign
    'Sub-assembly-14'
    >>> parse_image_name("Start.png")
    ImageName(id_sign=None, step_num=None, step_class='start', other_sign=None)
    """
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", name)
    # A sign may hold "step" or "start" itself, so the whole form comes first.
    match = WHOLE_NAME_RE.match(stem) or NAME_RE.match(stem)
    if not match:
        return ImageName(None, None, None, None)
    number = match["number"]
    return ImageName(
        match["sign"] or None,
        int(number) if number else None,
        match["step_class"].lower(),
        match["other"] or None,
    )


def parse_manual(html: bytes | str, crawled: CrawledManual) -> Manual:
    """Parse one manual page. Raises `UserError` when it holds no manual at all."""
    # Read as the crawler reads it, so that both see the same src in odd bytes.
    text = decode_html(html, crawled.charset) if isinstance(html, bytes) else html
    soup = BeautifulSoup(text, "lxml")
    container = soup.select_one("div.manual-table-container")
    if container is None:
        raise UserError(
            f"{crawled.manual_id}: no div.manual-table-container in {crawled.page_file}; "
            "the page is not a manual, leave it out or crawl it again"
        )
    images = {image.src: image for image in crawled.images}
    instructions: list[Instruction] = []
    drops: list[Drop] = []
    seen_before: tuple[str | None, list[str]] | None = None
    for row_number, row in enumerate(_rows(container)):
        src, lines = _image_src(row), list(_row_lines(row))
        content = (src, [line.text for line in lines])
        if content == seen_before:
            drops.append(_drop(crawled, row_number, "duplicate_row", src or ""))
            continue
        seen_before = content
        instruction, drop = _instruction(crawled, row_number, src, lines, images)
        instructions.append(instruction)
        if drop:
            drops.append(drop)
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


def _drop(crawled: CrawledManual, row: int, reason: str, detail: str) -> Drop:
    return Drop(crawled.manual_id, "parse", f"row {row}", reason, detail)


def _instruction(
    crawled: CrawledManual,
    row: int,
    src: str | None,
    lines: list[Line],
    images: dict[str, CrawledImage],
) -> tuple[Instruction, Drop | None]:
    """One row as a record, and the drop if no task can use it."""
    image = images.get(src) if src else None
    name = parse_image_name(file_name(src)) if src else ImageName(None, None, None, None)
    text = [line.text for line in lines]
    asks_to_find = bool(text and FIND_RE.match(text[0]))
    usable = image is not None and image.error is None
    is_eop = name.step_class in EOP_CLASSES
    label = (
        ("object" if is_eop else "scene" if name.step_class == "step" else None) if text else None
    )
    reason, detail = "", src or ""
    if src is None:
        reason = "no_image" if asks_to_find else "text_only_row"
        detail = " ".join(text)[:120]
    elif not usable:
        reason = image.error if image and image.error else "image_not_crawled"
    elif name.step_class == "start":
        reason = "start_image"
    elif name.step_class is None:
        reason = "unrecognised_image_name"
    elif not text:
        reason = "row_without_text"
    elif any(LOST in line for line in text):
        # Bytes that mean nothing in the page's charset: a browser shows them as a mark, too.
        reason, detail = "undecodable_text", " ".join(text)[:120]
    instruction = Instruction(
        instruction_id=row,
        text=text,
        VLM=Vlm(
            img_path=image.file if usable and image else None,
            id_sign=name.id_sign,
            step_num=name.step_num,
            # A row without picture that asks to find parts is an eop by its words.
            step_class=name.step_class or ("eop" if src is None and asks_to_find else None),
            other_sign=name.other_sign,
            task_label=label if not reason else None,
            query=" ".join(text) if is_eop and text else None,
        ),
        img=image.url if image else src,
        img_sha256=image.sha256 if usable and image else None,
        entities=_flat_entities(lines),
    )
    return instruction, _drop(crawled, row, reason, detail) if reason else None


def _flat_entities(lines: list[Line]) -> list[dict[str, str]]:
    """Table 4.1's flat list: `this_line` opens a line, its tags follow."""
    flat: list[dict[str, str]] = []
    for line in lines:
        flat.append({"this_line": line.text})
        flat.extend({tag: text} for tag, text in line.entities)
    return flat


def _rows(container: Tag) -> list[Tag]:
    """`div.row` of today's pages, or the table rows of older ones."""
    return container.select("div.row") or container.select("tr")


def _image_src(row: Tag) -> str | None:
    image = row.select_one("div.image img[src]") or row.select_one("img[src]")
    src = str(image["src"]).strip() if image else ""
    return src or None


def _row_lines(row: Tag) -> Iterator[Line]:
    """Lines of all text boxes in order; in older pages, of all cells."""
    boxes = row.select("div.txtbox") or row.select("div.text") or row.find_all("td") or [row]
    for box in boxes:
        for nodes in _line_nodes(box):
            line = _line(nodes)
            if line.text:
                yield line


def _line_nodes(box: Tag) -> Iterator[list[Tag | NavigableString]]:
    """Split a box into lines: block elements and <br> end one, also inside untagged markup."""
    current: list[Tag | NavigableString] = []
    open_tags = [(True, iter(box.children))]  # whether its end ends a line, what is left of it
    while open_tags:
        is_block, children = open_tags[-1]
        child = next(children, None)
        if child is None:
            open_tags.pop()
            ends_line = is_block
        elif not isinstance(child, Tag):
            ends_line = False
            if type(child) is NavigableString:  # comments are subclasses
                current.append(child)
        else:
            ends_line = child.name in _BLOCKS or child.name == "br"
            if ends_line or (not _tag_of(child) and child.find([*_BLOCKS, "br"])):
                open_tags.append((ends_line, iter(child.children)))
            elif child.name not in _INVISIBLE:
                current.append(child)
        if ends_line:
            yield current
            current = []


def _tag_of(span: Tag) -> str | None:
    return next((c for c in span.get("class") or [] if c in ENTITY_TAGS), None)


def _line(nodes: list[Tag | NavigableString]) -> Line:
    entities: list[tuple[str, str]] = []
    for node in nodes:
        if isinstance(node, Tag):
            for span in [node, *node.find_all(True)]:
                tag, text = _tag_of(span), clean_text(span.get_text())
                if tag and text:
                    entities.append((tag, text))
    return Line(clean_text("".join(node.get_text() for node in nodes)), entities)


def clean_text(text: str) -> str:
    """One space between words; no-break spaces are spaces, control characters are nothing."""
    visible = "".join(c for c in text if c.isprintable() or c.isspace())
    return " ".join(visible.split())
