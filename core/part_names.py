"""What a Find or Collect text asks for: count, colour and theme of every kind of part.

Read from the site's word tags (T2), with a plain-text fallback for untagged lines. Also the short
phrase MiniGPT-v2 answers with (T8): "2 transparent red flat tiles" for "2 transparent red flat
tiles 1x2".
"""

import functools
import re

from core.colors import split_color
from core.records import Instruction, PartLabel

COUNT_WORDS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6,
    "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
# "2 black bricks 1x2," in an untagged line, and what stands between two of them.
_COUNTED_RE = re.compile(
    rf"^(?:(?:find|collect|and)\s+)?(\d+|{'|'.join(COUNT_WORDS)})\s+(.+?)(?:[\s.,;:]+and)?[\s.,;:]*$",
    re.IGNORECASE,
)
_BETWEEN_RE = re.compile(r",\s+(?:and\s+)?(?=\d)|\s+and\s+(?=\d)|;\s+", re.IGNORECASE)
_NUMBER = r"(?:\d+(?:\.\d+)?[⅓½⅔¼¾]?|[⅓½⅔¼¾])"
SIZE_RE = re.compile(rf"{_NUMBER}(?:\s?[x×]\s?{_NUMBER})+")
_FRACTIONS = {"⅓": 1 / 3, "½": 0.5, "⅔": 2 / 3, "¼": 0.25, "¾": 0.75}


def part_labels(instruction: Instruction) -> list[PartLabel]:
    """Every kind of part an eop row asks for, in the order of the text.

    >>> from core.records import Vlm
    >>> tags = [{"det": "2"}, {"colorinfo": "red"}, {"theme": "flat tiles 1x2"}]
    >>> part_labels(Instruction(0, ["Find 2 red flat tiles 1x2."], Vlm(), None, tags))
    [PartLabel(number=2, color='red', theme='flat tiles 1x2')]
    """
    labels: list[PartLabel] = []
    count, color, seen = 1, "", False
    for entity in instruction.entities:
        (tag, text), *_ = entity.items()
        if tag == "this_line":
            count, color = 1, ""
        elif tag == "det":
            count = _count(text, count)
        elif tag == "colorinfo":
            color = f"{color} {text}".strip()
        elif tag == "theme":
            seen = True
            labels.append(PartLabel(count, color, text))
            count, color = 1, ""
    return labels if seen else _labels_of_plain_text(instruction.text)


@functools.lru_cache(maxsize=4096)
def part_kind(label: PartLabel) -> str:
    """The part a label names: "2 Grey plates 1×2" and "grey plate 1x2" are one part.

    Plural endings go from every word. What is left need not be a word, only the same for both
    numbers: "hose" and "hoses", "leaf" and "leaves", "canopy" and "canopies".
    """
    text = label.text.casefold().replace("×", "x")
    stems = (re.sub(r"[es]+$", "", word) for word in text.split())
    return " ".join(re.sub("y$", "i", re.sub("v$", "f", stem)) for stem in stems)


def is_named(label: PartLabel, name: str, color: str) -> bool:
    """Whether a label of a text names the part that a source calls so."""
    return part_kind(PartLabel(1, color, name)) == part_kind(label)


def _count(text: str, otherwise: int) -> int:
    digits = re.search(r"\d+", text)
    if digits:
        return max(1, min(int(digits.group()), 999))
    return COUNT_WORDS.get(text.strip().lower(), otherwise)


def _labels_of_plain_text(lines: list[str]) -> list[PartLabel]:
    """Labels of lines without tags; the heading "Collect the following 3 pieces:" is none."""
    # What stands before a colon is the heading, whether the list follows on its line or not.
    pieces = [
        piece for line in lines for piece in _BETWEEN_RE.split(line.split(":", 1)[-1].strip())
    ]
    found = (_COUNTED_RE.match(piece) for piece in pieces)
    return [PartLabel(_count(m[1], 1), *split_color(m[2])) for m in found if m]


def phrases(labels: list[PartLabel]) -> list[str]:
    """The `<p>` phrases: count, colour and theme without size or "with ...".

    Two labels that would read the same keep their whole text, or the answer could not tell them
    apart.
    """
    short = [f"{label.number} {phrase_words(label)}" for label in labels]
    return [
        phrase if short.count(phrase) == 1 else f"{label.number} {label.text}"
        for phrase, label in zip(short, labels, strict=True)
    ]


def phrase_words(label: PartLabel) -> str:
    """Colour and theme without size or "with ..."."""
    words: list[str] = []
    for word in label.theme.split():
        if words and (word.lower() in {"with", "without"} or any(c.isdigit() for c in word)):
            break
        words.append(word)
    return f"{label.color} {' '.join(words)}".strip()


def size_of(theme: str) -> tuple[float, ...] | None:
    """Dimensions written in a theme: "plate 1x2x⅔" -> (1.0, 2.0, 0.667); None if there is none."""
    match = SIZE_RE.search(theme)
    if not match:
        return None
    return tuple(_number(part) for part in re.split(r"\s?[x×]\s?", match.group()))


def _number(text: str) -> float:
    fraction = _FRACTIONS.get(text[-1], 0.0)
    digits = text[:-1] if fraction else text
    return (float(digits) if digits else 0.0) + fraction
