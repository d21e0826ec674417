"""SOURCES, the only list of them. The first that takes a --source for its own reads it."""

from builder.sources.audio.source import AUDIO
from builder.sources.demo.source import DEMO
from builder.sources.ldraw.source import LDRAW
from builder.sources.released.source import RELEASED
from builder.sources.source import Source

SOURCES = [DEMO, LDRAW, RELEASED, AUDIO]  # the last takes every folder


def source_of(source: str) -> Source:
    """The source that a --source value is for."""
    return next(known for known in SOURCES if known.is_mine(source))


def forms() -> list[str]:
    """What can be given as --source."""
    return [form for known in SOURCES for form in known.forms]
