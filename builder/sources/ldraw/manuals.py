"""Draws the manual of a model: its page, its pictures and the scene, session by session.

A model is drawn from its file, the library, the seed and the options alone, so any number of
workers can draw in any order.
"""

from collections.abc import Sequence

from builder.sources.drawn import pages
from builder.sources.drawn.lines import Line
from builder.sources.ldraw.session_pages import Manual, Row, draw_session
from builder.sources.ldraw.steps import Session, Step
from core.store import write_bytes


def draw_sessions(manual: Manual, sessions: Sequence[Session], whole: bool = True) -> None:
    """Draw a manual's sessions and write its page and its scene; `whole` if they are all."""
    rows: list[Row] = []
    for order, session in enumerate(sessions, 1):
        drawn = list(draw_session(manual, session, order))
        if drawn and len(sessions) > 1:
            rows.append((None, _intro(session, whole and order == len(sessions))))
        rows += drawn
    page = pages.manual_page(f"LEGO {manual.title}", rows, manual.credit)
    manual.book.write()
    write_bytes(manual.root / "site" / manual.manual_id / "index.html", page.encode())


def _intro(session: Session, is_last: bool) -> list[Line]:
    what = f"the {session.title}"
    lines: list[Line] = [[("", f"Now you build {what}"), ("suffix", ".")]]
    if is_last:
        lines = [[("", f"At last you build {what}"), ("suffix", ".")]]
    if session.uses > 1:
        lines.append([("", f"You need it {session.uses} times"), ("suffix", ".")])
    return lines


def cut(sessions: Sequence[Session], most: int | None) -> tuple[list[Session], int]:
    """The first steps of a manual, at most so many, and how many are left out."""
    if most is None:
        return list(sessions), 0
    kept: list[Session] = []
    for session in sessions:
        room = most - sum(len(s.steps) for s in kept)
        if room > 0:
            steps: tuple[Step, ...] = session.steps[:room]
            kept.append(Session(session.sign, session.title, steps, session.uses))
    left = sum(len(s.steps) for s in sessions) - sum(len(s.steps) for s in kept)
    return kept, left
