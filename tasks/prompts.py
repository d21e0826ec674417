"""The exact texts of queries and answers (features.md T6, T7, T10, T11, T15; thesis Table 11.3)."""

import re
from collections.abc import Sequence

from tasks import TASKS, queries

OBJECT_DIRECTIVE = TASKS["object"].text.directives["paper"]


def instruction_text(lines: Sequence[str]) -> str:
    """The lines of an instruction as one text (an answer, I_t)."""
    return " ".join(lines)


def found_text(lines: Sequence[str]) -> str:
    """The text of an eop row as one sentence: the pieces of a Collect list joined by ", and ".

    >>> found_text(["Collect the following 2 pieces:", "1 black plate 2x6,", "1 red tile 1x2."])
    'Collect the following 2 pieces: 1 black plate 2x6, and 1 red tile 1x2.'
    """
    if len(lines) < 2 or not lines[0].rstrip().endswith(":"):
        return instruction_text(lines)
    pieces = [re.sub(r"^and\s+|[\s.,;]+(and)?$", "", line) for line in lines[1:]]
    return f"{lines[0].rstrip()} {', and '.join(piece for piece in pieces if piece)}."


def scene_query(previous_lines: Sequence[str], template: str = "paper") -> str:
    """T6.

    >>> scene_query(["Find 1 reddish brown chest bottom 2x4."]).splitlines()[0]
    '[grounding] After I find 1 reddish brown chest bottom 2x4.'
    """
    return queries.query(template, "scene", found=found_text(previous_lines))


def object_query(lines: Sequence[str], template: str = "paper") -> str:
    """T11: the text of the eop row without its verb and what leads to it, and the form directive.

    >>> object_query(["Now find 2 red bricks."]).split(" Providing")[0]
    '[object] Please identify and highlight the positions of 2 red bricks.'
    """
    wanted = re.sub(
        r"^(?:[^.:;!?]*?\b)?(?:find|collect)\s+", "", found_text(lines), flags=re.IGNORECASE
    )
    return queries.query(template, "object", wanted=wanted)


def state_query(
    previous_lines: Sequence[str], lines: Sequence[str], template: str = "paper"
) -> str:
    """T15."""
    return queries.query(
        template, "state", found=found_text(previous_lines), done=instruction_text(lines)
    )
