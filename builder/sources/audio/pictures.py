"""Which picture an element shows, and where its bytes may be.

Pages name one picture in many ways: `src`, `srcset`, `<picture>`, the attributes of scripts that
load pictures late and of programs that save pages, a copy in `<noscript>`, a style. A browser ends
up showing one of them, so an element becomes one `Picture` with all addresses, likeliest first.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from selectolax.lexbor import LexborNode

from builder.sources.audio.dom import Event, attribute
from builder.sources.audio.responsive import best_candidates, matches_full_size
from core.image_names import file_name, parse_image_name, says_what_it_shows
from core.pictures.images import EXTENSIONS
from core.records import CrawledImage

# Attributes of scripts that put a picture's address into `src` when it scrolls into view.
_LAZY = (
    "data-src", "data-lazy-src", "data-original", "data-lazy", "data-orig-src", "data-cfsrc",
    "data-ezsrc", "data-opt-src", "nitro-lazy-src", "data-wpfc-original-src", "data-lazyload",
    "data-echo", "data-flickity-lazyload", "data-actualsrc", "data-ll-src", "lazy-src",
)  # fmt: skip
# Attributes in which programs that save pages keep the address that a picture had.
_ORIGINAL = re.compile(
    r"data-(?:sf-original|savepage|scrapbook-orig-attr)-(?:current)?(?:src|href)\b"
)
_SAVERS = re.compile(r"data-(?:sf|savepage|scrapbook)-")
# Attributes whose words may be a file name, for pictures that have no better one.
_WORDS = ("alt", "title", "data-image-title", "data-filename", "aria-label", "id")
_PICTURE_FILE = re.compile(r"\S.*\.(?:png|jpe?g|webp|gif|avif)(?:[?#]\S*)?", re.IGNORECASE)
_STYLE_URL = re.compile(
    r"""background(?:-image)?\s*:[^;]*?url\(\s*("[^"]*"|'[^']*'|[^)]*?)\s*\)""", re.IGNORECASE
)
# The types of `<source type>` that can be read here; others are passed over, as browsers do.
_TYPES = {f"image/{name}" for name in EXTENSIONS} | {"image/jpg", "image/apng"}
_PLACEHOLDER_BELOW_PX = 64
_STYLES = {"style", "data-bg", "data-background-image"}
_NO_PICTURE = re.compile(r"#?$|(?:about|blob|javascript):", re.IGNORECASE)


class Picture(NamedTuple):
    """A picture of a page.

    `src` is the address it goes by: of the addresses as written, the first whose file name says
    what it shows. `addresses` are where its bytes may be, likeliest first; a `data:` URI among
    them holds the bytes itself.
    """

    src: str
    addresses: tuple[str, ...]

    @property
    def has_address(self) -> bool:
        """Whether `src` is an address, and not only a name."""
        return self.src in self.addresses and not is_data(self.src)


class _Found(NamedTuple):
    addresses: list[str]
    words: list[str]
    fallback: bool

    @property
    def tells(self) -> bool:
        return any(map(_tells, self.addresses))


def pictures_in(events: Iterable[Event]) -> list[Picture]:
    """The pictures of a part of a page, in order.

    A copy in `<noscript>` gives more addresses to the picture it stands beside.
    """
    found: list[_Found] = []
    for event in events:
        if event.kind != "begin" or event.hidden:
            continue
        addresses = _addresses(event.node)
        if not addresses:
            continue
        words = [attribute(event.node, name) for name in _WORDS]
        new = _Found(addresses, [word for word in words if word], event.fallback)
        if found and _are_one(found[-1], new):
            found[-1] = _joined(found[-1], new)
        else:
            found.append(new)
    # A copy that tells nothing and stands beside no picture may be a counter of visits.
    kept = [one for one in found if one.tells or not one.fallback]
    return [_picture(one) for one in kept or found]


def _are_one(before: _Found, new: _Found) -> bool:
    """Whether of two pictures in a row one is the other's copy for browsers without scripts."""
    if before.fallback == new.fallback:
        return False
    same = set(before.addresses) & set(new.addresses)
    return bool(same) or not (before.tells and new.tells)


def _joined(before: _Found, new: _Found) -> _Found:
    """What is shown comes first, unless only the copy tells what it shows."""
    shown, copy = (new, before) if before.fallback else (before, new)
    first, second = (shown, copy) if shown.tells or not copy.tells else (copy, shown)
    addresses = list(dict.fromkeys(first.addresses + second.addresses))
    return _Found(addresses, first.words + second.words, False)


def _picture(found: _Found) -> Picture:
    src = next(filter(_tells, found.addresses), None)
    src = src or next(filter(_is_whole_name, found.words), None) or found.addresses[0]
    return Picture(_short(src), tuple(found.addresses))


def _is_whole_name(words: str) -> bool:
    """Whether words are a file name with sign, number and class: `Car-28_eop_AG`."""
    name = parse_image_name(file_name(words))
    return None not in (name.id_sign, name.step_num, name.step_class)


def _short(address: str) -> str:
    """An address as records hold it: of a `data:` URI its type and a hash, not its bytes."""
    if not is_data(address):
        return address
    digest = hashlib.sha256(address.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    media_type = re.split("[;,]", address[5:45], maxsplit=1)[0].strip()
    return f"data:{media_type}; {len(address)} characters, sha256 {digest}"


def is_placeholder(image: CrawledImage) -> bool:
    """Whether what lies at a second address is too small to be what the first should show."""
    return image.size_wh is not None and min(image.size_wh) < _PLACEHOLDER_BELOW_PX


def is_data(address: str) -> bool:
    """Whether an address is a `data:` URI."""
    return address[:5].lower() == "data:"


def _tells(address: str) -> bool:
    """Whether the file name of an address says what the picture shows."""
    return not is_data(address) and says_what_it_shows(address)


def _addresses(node: LexborNode) -> list[str]:
    """Where the picture of an element may be, likeliest first; empty if it shows none."""
    attributes = node.attributes
    if node.tag in ("img", "amp-img") or (node.tag == "input" and _is_image_input(node)):
        found = [*_of_img(node), *_of_style(node)]
    elif node.tag == "image":  # in a drawing
        found = [attribute(node, "href") or attribute(node, "xlink:href")]
    elif attributes and not _STYLES.isdisjoint(attributes):
        found = [address for address in _of_style(node) if _tells(address)]  # no decoration
    else:
        return []
    found = [address for address in found if not _NO_PICTURE.match(address)]
    originals = [v.strip() for n, v in attributes.items() if v and _ORIGINAL.match(n)]
    return sorted(
        dict.fromkeys(found + (originals if found else [])),
        key=lambda address: (address in originals, not _tells(address)),
    )


def _of_style(node: LexborNode) -> list[str]:
    """Pictures behind an element, put there by its style or by a script that knows the address."""
    lazy = attribute(node, "data-bg") or attribute(node, "data-background-image")
    urls = _STYLE_URL.findall(attribute(node, "style"))
    return [url.strip("\"' ") for url in (re.sub(r"^url\(|\)$", "", lazy), *urls)]


def _is_image_input(node: LexborNode) -> bool:
    return attribute(node, "type").lower() == "image"


def _of_img(node: LexborNode) -> list[str]:
    """Addresses in the attributes of an `<img>` and of the `<source>`s before it."""
    values = {name: (value or "").strip() for name, value in node.attributes.items()}
    own = {name: value for name, value in values.items() if not _SAVERS.match(name)}
    sets = sorted((name for name in own if "srcset" in name), key=lambda name: name == "srcset")
    lazy_sets = [best_candidates(own[name]) for name in sets if name != "srcset"]
    guesses = [
        value
        for name, value in own.items()
        if name not in (*_LAZY, *_WORDS, "src") and _PICTURE_FILE.fullmatch(value)
    ]
    return [
        *_of_sources(node),
        *(address for several in lazy_sets for address in several),
        *(own.get(name, "") for name in _LAZY),
        *best_candidates(own.get("srcset", "")),
        own.get("src", ""),
        *(guess for guess in guesses if "," not in guess),
    ]


def _of_sources(node: LexborNode) -> list[str]:
    """What the first fitting `<source>` of a `<picture>` offers."""
    parent = node.parent
    if parent is None or parent.tag != "picture":
        return []
    source = parent.child
    while source is not None and source.mem_id != node.mem_id:
        if source.tag == "source":
            kind, media = attribute(source, "type").lower(), attribute(source, "media")
            offers = next(
                (v or "" for n, v in source.attributes.items() if n.endswith("srcset") and v), ""
            )
            if (not kind or kind in _TYPES) and matches_full_size(media) and offers:
                return best_candidates(offers)
        source = source.next
    return []
