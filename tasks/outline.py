"""The colour of the outline around a session's new parts, for every task that looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from core.pictures.containers import ImageError
from synthesis import boundary
from tasks.sessions import ManualRow

if TYPE_CHECKING:
    from tasks.context import Context


class SessionColor(NamedTuple):
    """The vote of one session, the tolerance its pictures need, whether a person set it."""

    vote: boundary.Vote
    tolerance: int
    by_hand: bool = False


def session_color(context: Context, session_id: str, rows: list[ManualRow]) -> SessionColor:
    """The boundary colour of a session: set by hand, or voted from its step pictures."""
    thumbnails, lossy = [], False
    for row in rows:
        if not row.is_eop:  # one picture at a time: only its thumbnail stays
            try:
                picture = context.picture(row.instruction)
            except ImageError:  # a drop where rows are made of it
                picture = None
            thumbnails.append(None if picture is None else boundary.thumbnail(picture.rgb))
            lossy = lossy or (picture is not None and picture.lossy)
    tolerance = boundary.LOSSY_TOLERANCE if lossy else boundary.TOLERANCE
    vote = boundary.vote(thumbnails, tolerance)
    by_hand = dict(context.options.boundary_colors)
    if session_id in by_hand:
        return SessionColor(_set_by_hand(by_hand[session_id], vote), tolerance, True)
    return SessionColor(vote, tolerance)


def _set_by_hand(color: str | None, vote: boundary.Vote) -> boundary.Vote:
    rgb = None if color is None else (int(color[1:3], 16), int(color[3:5], 16), int(color[5:], 16))
    return boundary.Vote(rgb, 1.0, vote.candidates)


def hex_color(color: tuple[int, int, int]) -> str:
    """(255, 0, 255) -> "#FF00FF"."""
    return "#{:02X}{:02X}{:02X}".format(*color)
