"""A line of a manual as (tag, text) tokens.

The tags are those of the real pages (verb, det, colorinfo, theme, target, suffix) and "" for
untagged words.
"""

from core.scenes import Line

TURN_LINE: Line = [("verb", "Turn"), ("", "the model around"), ("suffix", ".")]


def plain(line: Line) -> str:
    """The line as text: words with single spaces, marks without one before."""
    text = ""
    for tag, word in line:
        text += word if tag == "suffix" or not text else f" {word}"
    return text
