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
        f"<p>{phrase}</p> {{{''.join(f'<{round_half_up(v)}>' for v in box_norm100)}}}"
        for phrase, box_norm100 in targets
    )
