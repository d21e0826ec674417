"""The words of state detection, which these rows share."""

from dataclasses import replace

from tasks.state.text import TEXT as STATE

TEXT = replace(
    STATE,
    title="Balanced state detection",
    asks="did I do it correctly? Two pictures, two instructions.",
)
