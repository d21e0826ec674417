"""The box text of MiniGPT-v2 answers (T8): `<p>2 red tiles</p> {<28><17><73><50>}`.

Integers 0-100 of the picture's width and height; several phrases are joined by " and " (T11).
"""

from collections.abc import Sequence

from synthesis.boxes import Box


def round_half_up(value: float) -> int:
    """Nearest integer, halves upwards (Python's round() would send 8.5 and 7.5 both to 8)."""
    return int(value + 0.5)


def box_answer(targets: Sequence[tuple[str, Box]]) -> str:
    """Answer text of (phrase, box_norm100) pairs.

    >>> box_answer([("2 transparent red flat tiles", (28.0, 17.0, 73.0, 50.0))])
    '<p>2 transparent red flat tiles</p> {<28><17><73><50>}'
    """
    return " and ".join(
        f"<p>{plain(phrase)}</p> {{{''.join(f'<{value}>' for value in rounded(box_norm100))}}}"
        for phrase, box_norm100 in targets
    )


def plain(phrase: str) -> str:
    """A phrase without the signs the box text itself is made of."""
    return " ".join("".join(c for c in phrase if c not in "<>{}").split())


def rounded(box_norm100: Box) -> tuple[int, int, int, int]:
    """The box in whole percent; one thinner than that stays a box of one percent.

    >>> rounded((14.1, 20.0, 14.3, 60.0))
    (14, 20, 15, 60)
    """
    x0, y0, x1, y1 = (round_half_up(value) for value in box_norm100)
    x0, y0 = min(x0, 99), min(y0, 99)
    return (x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))
