"""The colour of the outline around a session's new parts, for every task that looks at them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from core.pictures.containers import ImageError
from synthesis import boundary
from tasks.sessions import ManualRow

if TYPE_CHECKING:
    from core.scenes import ScenePicture
    from tasks.context import Context


class SessionColor(NamedTuple):
    """The vote of one session, the tolerance its pictures need, whether a person set it."""

    vote: boundary.Vote
    tolerance: int
    by_hand: bool = False


def session_color(context: Context, session_id: str, rows: list[ManualRow]) -> SessionColor:
    """The boundary colour of a session: set by hand, known from its scene, or voted from its step
    pictures."""
    by_hand = dict(context.options.boundary_colors)
    known = [context.scene_picture(row.instruction) for row in rows if not row.is_eop]
    if context.options.rendered and session_id not in by_hand and known and all(known):
        return _known(known)
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
    if session_id in by_hand:
        return SessionColor(_set_by_hand(by_hand[session_id], vote), tolerance, True)
    return SessionColor(vote, tolerance)


def _known(pictures: Sequence[ScenePicture | None]) -> SessionColor:
    """The colour that the source drew with, the one of most pictures if it used several."""
    drawn = Counter(one.outline_rgb for one in pictures if one and one.outline_rgb)
    color = drawn.most_common(1)[0][0] if drawn else None
    return SessionColor(boundary.Vote(color, 1.0, tuple(drawn)), boundary.TOLERANCE)


def _set_by_hand(color: str | None, vote: boundary.Vote) -> boundary.Vote:
    rgb = None if color is None else (int(color[1:3], 16), int(color[3:5], 16), int(color[5:], 16))
    return boundary.Vote(rgb, 1.0, vote.candidates)


def hex_color(color: tuple[int, int, int]) -> str:
    """(255, 0, 255) -> "#FF00FF"."""
    return "#{:02X}{:02X}{:02X}".format(*color)
