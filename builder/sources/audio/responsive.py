"""Responsive pictures: what a browser would pick in a wide window on a sharp screen."""

import re

_WINDOW_WH_PX = (1920.0, 1080.0)
_PX = {"px": 1.0, "em": 16.0, "rem": 16.0}
_FEATURE = re.compile(r"\(\s*(min|max)-(width|height)\s*:\s*(\d+(?:\.\d+)?)\s*(px|r?em)\s*\)")
_CANDIDATE = re.compile(r"[\s,]*(?P<url>\S+)")
_DESCRIPTORS = re.compile(r"(?:\([^)]*\)|[^,(])*")
_SIZE = re.compile(r"(\d+(?:\.\d+)?(?:e\d+)?)([wx])")


def best_candidates(srcset: str) -> list[str]:
    """The addresses of a `srcset`, the largest picture first.

    Read as the HTML Standard does: an address ends at white space, so it may hold commas.

    >>> best_candidates("a.png 1x, b,c.png 2x")
    ['b,c.png', 'a.png']
    >>> best_candidates("small.png 300w, full.png 1500w, x.png")
    ['full.png', 'small.png', 'x.png']
    """
    found: list[tuple[float, str]] = []
    at = 0
    while match := _CANDIDATE.match(srcset, at):
        url, at = match["url"], match.end()
        size = 1.0
        if url.endswith(","):
            url = url.rstrip(",")
        elif words := _DESCRIPTORS.match(srcset, at):
            at = words.end()
            sizes = [m for m in map(_SIZE.fullmatch, words[0].split()) if m]
            size = float(sizes[0][1]) if sizes else 1.0
        if url:
            found.append((size, url))
    return [url for _, url in sorted(found, key=lambda item: -item[0])]


def matches_full_size(media: str) -> bool:
    """Whether a media condition holds in a wide window; what is not understood does not.

    >>> matches_full_size("(min-width: 800px)"), matches_full_size("(max-width: 40em)")
    (True, False)
    """
    return not media.strip() or any(map(_holds, media.lower().split(",")))


def _holds(query: str) -> bool:
    for part in re.split(r"\s+and\s+", query.strip()):
        feature = _FEATURE.fullmatch(part)
        if feature is None:
            if part not in ("all", "screen", "only screen", "(orientation: landscape)"):
                return False
            continue
        bound, side, number, unit = feature.groups()
        window_px = _WINDOW_WH_PX[side == "height"]
        limit_px = float(number) * _PX[unit]
        if window_px < limit_px if bound == "min" else window_px > limit_px:
            return False
    return True
