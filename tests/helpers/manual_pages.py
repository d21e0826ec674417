"""Pages of manuals, read, and held against what browsers show of them."""

from collections import Counter
from html.parser import HTMLParser

from makers import crawled_image, crawled_manual

from builder.parse.manual import parse_manual
from builder.sources.audio.manual_page import read_page, row_pictures
from core.records import Manual

NAMES = ["Gate-0_eop_A", "Gate-1_step_B", "Gate-2_eop_C", "Gate-3_step_D", "Gate-4_eop_E"]


LINES = [
    "Find 1 red brick 2x4.", "Put it on the table.", "Find 2 blue plates 1x2.",
    "Put them on top.", "Collect 1 tile.",
]  # fmt: skip


PAIRS = [(f"/pics/{name}.png", line) for name, line in zip(NAMES, LINES, strict=True)]


def parsed(html: str) -> Manual:
    """The manual of a page whose pictures could all be fetched."""
    read = read_page(html)
    pictures = row_pictures(read) if read else []
    return parse_manual(html, crawled_manual([crawled_image(p.src) for p in pictures]))


def rows_of(manual: Manual) -> list[tuple[str, str]]:
    """Path of the picture and text of every row."""
    return [
        ((i.img or "").removeprefix("https://site.example"), " ".join(i.text))
        for i in manual.instructions
    ]


def drops_of(manual: Manual) -> list[tuple[str, str, str]]:
    return [(drop.item, drop.reason, drop.detail) for drop in manual.drops]


class Shown(HTMLParser):
    """Texts and pictures in the containers of a page whose tags are all closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.depth, self.words, self.pictures = 0, Counter(), []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "div" and (self.depth or attributes.get("class") == "manual-table-container"):
            self.depth += 1
        if tag == "img" and self.depth:
            self.pictures.append(attributes["src"])

    def handle_endtag(self, tag):
        self.depth -= tag == "div" and self.depth > 0

    def handle_data(self, data):
        if self.depth:
            self.words.update(data.split())


def check_page(html: str) -> None:
    """Rows and drops hold what the page shows, no less and no more."""
    manual, shown = parsed(html), Shown(html)
    dropped = {drop.item for drop in manual.drops}
    unused = [i.instruction_id for i in manual.instructions if i.VLM.task_label is None]
    assert {f"row {number}" for number in unused} <= dropped
    duplicates = [d for d in manual.drops if d.reason == "duplicate_row"]
    words = Counter(" ".join(t for i in manual.instructions for t in i.text).split())
    pictures = [i.img for i in manual.instructions if i.img]
    assert not {d.reason for d in manual.drops} & {"unread_text", "unread_picture"}
    assert len(shown.pictures) - len(pictures) == len(duplicates)
    assert {f"https://site.example{src}" for src in shown.pictures} == set(pictures)
    # Words are cut where tags stand, so letters are counted; a row that stands twice is held once.
    letters = Counter("".join(words.elements()))
    for duplicate in duplicates:
        number = int(duplicate.item.split()[1])
        before = next(i for i in reversed(manual.instructions) if i.instruction_id < number)
        letters.update("".join("".join(before.text).split()))
    assert letters == Counter("".join(shown.words.elements()))
