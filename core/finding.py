"""Which rows ask to find parts, by their words (T5): a text that starts with Find or Collect."""

import re
from collections.abc import Sequence

from core.image_names import EOP_CLASSES
from core.records import Instruction

_FIND = re.compile(
    r"(?:(?:and|now|then|next|first|also|again|finally|please|so)\b[\s,]+)*(?:find|collect)\b",
    re.IGNORECASE,
)
_ASSEMBLES = re.compile(
    r"\b(?:add|attach|build|clip|connect|fix|hang|insert|join|lay|mount|place|press|push|put|"
    r"repeat|rotate|set|slide|snap|stick|turn)\b",
    re.IGNORECASE,
)


def first_find_line(text: Sequence[str], entities: Sequence[dict[str, str]]) -> int | None:
    """The first line that asks to find parts, by its first word or its first tagged verb.

    >>> first_find_line(["Turn the model around.", "Now find 2 red bricks."], [])
    1
    """
    verbs = _verbs_by_line(text, entities)
    for number, line in enumerate(text):
        if _FIND.match(line) or (verbs[number] and _FIND.match(verbs[number][0])):
            return number
    return None


def only_asks_to_find(text: Sequence[str], entities: Sequence[dict[str, str]]) -> bool:
    """Whether a text asks to find parts and for nothing else.

    >>> only_asks_to_find(["Find 2 red bricks."], [])
    True
    >>> only_asks_to_find(["Find the wheels and the axle. Put them on."], [])
    False
    """
    if first_find_line(text, entities) != 0:
        return False
    verbs = [verb for line in _verbs_by_line(text, entities) for verb in line]
    if verbs:
        return all(map(_FIND.match, verbs))
    return not any(map(_ASSEMBLES.search, text))


def _verbs_by_line(text: Sequence[str], entities: Sequence[dict[str, str]]) -> list[list[str]]:
    """The words tagged as verbs in every line; empty where a line has none."""
    verbs: list[list[str]] = []
    for entity in entities:
        if "this_line" in entity:
            verbs.append([])
        elif "verb" in entity and verbs:
            verbs[-1].append(entity["verb"])
    return verbs + [[] for _ in range(len(text) - len(verbs))]


def is_find_row(instruction: Instruction) -> bool:
    """Whether a row is an object-finding step: by picture and words, or by its words alone.

    An eop picture without text is one, too: parts are shown, though nothing can be asked of them.
    """
    text, entities = instruction.text, instruction.entities
    if instruction.VLM.step_class in EOP_CLASSES:
        return not text or first_find_line(text, entities) == 0
    return instruction.VLM.step_class == "step" and only_asks_to_find(text, entities)
