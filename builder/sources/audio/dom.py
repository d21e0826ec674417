"""A page as the tree that browsers build of it (the HTML Standard's rules, by Lexbor)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

# What browsers lay out on lines of its own (the HTML Standard, "Rendering").
BLOCKS = frozenset(
    """address article aside blockquote body br caption center dd details dialog dir div dl dt
    fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li
    listing main menu nav ol optgroup option p plaintext pre search section summary table tbody
    td tfoot th thead tr ul xmp""".split()
)
# What they never show, or show only if something else fails.
UNSEEN = frozenset(
    """area audio base canvas datalist head iframe link meta noembed noframes object param rp
    script select style template textarea title video""".split()
)
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_BLOCK_STYLE = re.compile(
    r"(?:^|;)\s*display\s*:\s*(?:block|flex|grid|table|list-item|flow-root)\b", re.IGNORECASE
)


class Event(NamedTuple):
    """A step of a walk over a page: an element begins or ends, or a text stands there.

    `hidden` is true inside what a browser keeps from sight, `fallback` inside what it shows only
    without scripts.
    """

    kind: str  # "begin", "end" or "text"
    node: LexborNode
    hidden: bool
    fallback: bool

    @property
    def shown_text(self) -> bool:
        """Whether this is text that a browser shows."""
        return self.kind == "text" and not self.hidden and not self.fallback


def tree(html: str) -> LexborHTMLParser:
    """The tree of a page."""
    return LexborHTMLParser(html)


def walk(root: LexborNode) -> Iterator[Event]:
    """Everything below a node in the order of the page; what is never shown is left out.

    Without recursion: a hostile page nests a million tags.
    """
    open_nodes: list[Event] = []
    node, hidden, fallback = root.child, False, False
    while node is not None or open_nodes:
        if node is None:
            parent = open_nodes.pop()
            yield parent._replace(kind="end")
            hidden, fallback = (
                (open_nodes[-1].hidden, open_nodes[-1].fallback) if open_nodes else (False, False)
            )
            node = parent.node.next
            continue
        if node.is_text_node:
            yield Event("text", node, hidden, fallback)
        elif node.is_element_node and node.tag not in UNSEEN:
            hidden = hidden or is_hidden(node)
            fallback = fallback or node.tag == "noscript"
            open_nodes.append(Event("begin", node, hidden, fallback))
            yield open_nodes[-1]
            node = node.child
            continue
        node = node.next


def attribute(node: LexborNode, name: str) -> str:
    """An attribute without white space around it; empty where there is none."""
    return (node.attributes.get(name) or "").strip()


def classes(node: LexborNode) -> list[str]:
    """The classes of an element."""
    return attribute(node, "class").split()


def is_hidden(node: LexborNode) -> bool:
    """Whether an element by its own attributes is kept from sight.

    Pictures are looked at apart (`pictures`): scripts that load them late hide them at first.
    """
    if node.tag in ("img", "picture", "source"):
        return False
    attributes = node.attributes
    if "hidden" in attributes and (attributes["hidden"] or "").lower() != "until-found":
        return True
    if node.tag == "dialog" and "open" not in attributes:
        return True
    return bool(_HIDDEN.search(attributes.get("style") or ""))


def is_block(node: LexborNode) -> bool:
    """Whether an element's begin and end are ends of lines."""
    return node.tag in BLOCKS or bool(_BLOCK_STYLE.search(attribute(node, "style")))


def is_in(node: LexborNode | None, tag: str) -> bool:
    """Whether an element of that name is the node or holds it."""
    while node is not None:
        if node.tag == tag:
            return True
        node = node.parent
    return False


def base_href(page: LexborHTMLParser) -> str:
    """What addresses of the page are relative to, as the page writes it; empty if to itself."""
    base = page.css_first("base[href]")
    return attribute(base, "href") if base is not None else ""


def language(node: LexborNode | None) -> str:
    """The nearest `lang` at or above a node, as written; empty where there is none."""
    while node is not None and node.is_element_node:
        lang = attribute(node, "lang") or attribute(node, "xml:lang")
        if lang:
            return lang
        node = node.parent
    return ""
