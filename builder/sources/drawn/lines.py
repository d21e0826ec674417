"""A line of a manual as (tag, text) tokens.

The tags are those of the real pages (verb, det, colorinfo, theme, target, suffix) and "" for
untagged words.
"""

from core.scenes import Line
from core.scenes import plain as plain

TURN_LINE: Line = [("verb", "Turn"), ("", "the model around"), ("suffix", ".")]
