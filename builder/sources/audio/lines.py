"""Lines of text as a browser breaks them, and the words tagged in them."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from builder.sources.audio.dom import Event, classes, is_block
from core.records import ENTITY_TAGS


class Line(NamedTuple):
    """One instruction line and its tagged words [(tag, text)]."""

    text: str
    entities: list[tuple[str, str]]


class _Words(NamedTuple):
    """A tagged element, and its texts in one line."""

    node: LexborNode
    tag: str
    texts: list[str]


_NESTED_TAGS = 8  # deeper than people nest them; a hostile page must not take hours


def lines_of(events: Iterable[Event], hidden: bool = False) -> Iterator[Line]:
    """The lines of a part of a page; with `hidden`, of what a browser keeps from sight there.

    Block elements and `<br>` end a line, wherever they stand: a tag that goes on in the next line
    counts in both, with its words in each.
    """
    texts: list[str] = []
    entities: list[_Words] = []
    open_tags: list[_Words] = []
    for event in events:
        if event.kind == "text":
            if event.hidden == hidden and not event.fallback:
                for part in (texts, *(words.texts for words in open_tags)):
                    part.append(event.node.text_content or "")
            continue
        if is_block(event.node):
            yield from _line(texts, entities)
            open_tags = [_Words(words.node, words.tag, []) for words in open_tags]
            texts, entities = [], list(open_tags)
        if event.kind == "end":
            if open_tags and open_tags[-1].node is event.node:
                open_tags.pop()
        elif event.node.tag == "img":
            texts.append(" ")  # words on both sides of a picture are two
        elif (tag := _tag_of(event.node)) and len(open_tags) < _NESTED_TAGS:
            open_tags.append(_Words(event.node, tag, []))
            entities.append(open_tags[-1])
    yield from _line(texts, entities)


def text_of(events: Iterable[Event], hidden: bool = False) -> str:
    """All lines of a part of a page as one text."""
    return " ".join(line.text for line in lines_of(events, hidden))


def _line(texts: list[str], entities: list[_Words]) -> Iterator[Line]:
    text = clean_text("".join(texts))
    if text:
        tagged = ((words.tag, clean_text("".join(words.texts))) for words in entities)
        yield Line(text, [(tag, words) for tag, words in tagged if words])


def _tag_of(node: LexborNode) -> str | None:
    return next((name for name in classes(node) if name in ENTITY_TAGS), None)


def clean_text(text: str) -> str:
    """One space between words; no-break spaces are spaces, control characters are nothing."""
    visible = "".join(c for c in text if c.isprintable() or c.isspace())
    return " ".join(visible.split())
