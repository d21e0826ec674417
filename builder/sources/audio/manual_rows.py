"""Where the rows of a manual page begin and end.

Pages are often broken: rows that are never closed, a `</div>` too many, tables in tables. A row
ends where an inner one begins, and what stands between rows belongs to none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from builder.sources.audio.dom import Event, classes, walk
from builder.sources.audio.pictures import pictures_in
from core.image_names import says_what_it_shows

CONTAINER_CLASS = "manual-table-container"
TEXT_BOXES = ("txtbox", "text")  # the second holds the first


class Segment(NamedTuple):
    """A part of a page: a row, or with `row` None what stands between two of them."""

    row: LexborNode | None
    events: list[Event]


@dataclass
class _Table:
    """Counts the pictures of a table, those of tables in it among them."""

    pictures: int = 0


@dataclass(eq=False)
class _Block:
    """A `div.row` or `tr`, which may be a row of the manual; the root block is the whole page."""

    node: LexborNode | None = None
    table: _Table | None = None
    in_container: bool = False
    in_text_box: bool = False
    may_be_row: bool = False
    items: "list[tuple[Event, bool] | _Block]" = field(default_factory=list)
    # What it holds outside the blocks inside it.
    texts: int = 0
    text_boxes: int = 0
    open_boxes: int = 0
    pictures: int = 0
    copies: int = 0  # pictures in <noscript>
    telling: int = 0  # pictures whose file name tells what they show
    # With the blocks inside it.
    all_pictures: int = 0
    holds_whole_row: bool = False  # a block with picture and text

    @property
    def is_row(self) -> bool:
        """Whether it is a row of the manual if it stands in none; stray ones must look like it."""
        return self.in_container or (self.may_be_row and bool(self.text_boxes or self.telling))

    @property
    def is_one_row(self) -> bool:
        """Whether the blocks in it are cells of one row: a grid, or a table for the layout."""
        return self.all_pictures == 1 and not self.holds_whole_row

    @property
    def is_frame(self) -> bool:
        """Whether it holds rows and nothing of its own."""
        holds_blocks = any(isinstance(item, _Block) for item in self.items)
        return holds_blocks and not (self.texts or self.pictures or self.is_one_row)

    def is_cell_of(self, row: "_Block | None") -> bool:
        """Whether it is part of the row it stands in."""
        if row is None or row.is_one_row:
            return row is not None
        text_table = self.table is not None and self.table.pictures == 0
        return text_table and (row.table is not None or self.in_text_box)

    def count(self, event: Event, table: _Table) -> None:
        """Take note of a text or an element right inside it, and in that table."""
        if event.shown_text:
            self.texts += bool((event.node.text_content or "").strip())
        if event.kind == "text":
            return
        step = 1 if event.kind == "begin" else -1
        if event.node.tag == "div" and not set(TEXT_BOXES).isdisjoint(classes(event.node)):
            self.open_boxes += step
            self.text_boxes += step > 0 and TEXT_BOXES[0] in classes(event.node)
        for picture in pictures_in([event]):
            self.copies += event.fallback
            self.pictures += not event.fallback
            self.telling += says_what_it_shows(picture.src)
            table.pictures += 1

    def close(self, outer: "_Block") -> None:
        """Hand on what it holds to the block around it."""
        self.pictures = self.pictures or min(1, self.copies)
        self.all_pictures += self.pictures
        self.holds_whole_row |= bool(self.pictures and (self.texts or self.text_boxes))
        outer.all_pictures += self.all_pictures
        outer.holds_whole_row |= self.holds_whole_row


def segments(page: LexborHTMLParser) -> list[Segment]:
    """The page from its first container to its last row or the end of its last container."""
    placed = list(_placed(_read(page)))
    of_manual = [n for n, (row, _, inside) in enumerate(placed) if inside or row is not None]
    found: list[Segment] = []
    last: _Block | None = None
    for row, event, _ in placed[of_manual[0] : of_manual[-1] + 1] if of_manual else ():
        if not found or row is not last:
            found.append(Segment(row.node if row else None, []))
            last = row
        found[-1].events.append(event)
    return found


def is_container(node: LexborNode) -> bool:
    """Whether an element holds rows of a manual."""
    return node.tag == "div" and CONTAINER_CLASS in classes(node)


def _read(page: LexborHTMLParser) -> _Block:
    """The page as blocks in blocks."""
    root = _Block()
    blocks, tables, containers, seen = [root], [_Table()], 0, False
    for event in walk(page.root) if page.root is not None else ():
        node = event.node
        if event.kind == "begin":
            if is_container(node):
                containers, seen = containers + 1, True
                _are_frames(blocks)
            elif node.tag == "table":
                tables.append(_Table())
            elif node.tag == "tr" or (node.tag == "div" and "row" in classes(node)):
                block = _Block(
                    node,
                    tables[-1] if node.tag == "tr" else None,
                    containers > 0,
                    blocks[-1].open_boxes > 0,
                    seen,
                )
                blocks[-1].items.append(block)
                blocks.append(block)
        blocks[-1].items.append((event, containers > 0))
        blocks[-1].count(event, tables[-1])
        if event.kind == "end":
            if is_container(node):
                containers -= 1
            elif node.tag == "table":
                inner = tables.pop()
                tables[-1].pictures += inner.pictures
            elif node is blocks[-1].node:
                blocks.pop().close(blocks[-1])
    return root


def _are_frames(blocks: list[_Block]) -> None:
    """Blocks around a container are no rows, whatever their class."""
    for block in reversed(blocks):
        if block.in_container or not block.may_be_row:
            break
        block.may_be_row = False


def _placed(root: _Block) -> Iterator[tuple[_Block | None, Event, bool]]:
    """Everything on the page with the row it belongs to and whether it stands in a container."""
    open_blocks: list[tuple[Iterator[Any], _Block | None]] = [(iter(root.items), None)]
    while open_blocks:
        items, row = open_blocks[-1]
        item = next(items, None)
        if item is None:
            open_blocks.pop()
        elif not isinstance(item, _Block):
            yield (row, *item)
        elif item.is_cell_of(row) or not item.is_row:
            open_blocks.append((iter(item.items), row))
        else:
            # The rows around it end here.
            for depth in range(len(open_blocks) - 1, -1, -1):
                if open_blocks[depth][1] is None:
                    break
                open_blocks[depth] = (open_blocks[depth][0], None)
            open_blocks.append((iter(item.items), None if item.is_frame else item))
