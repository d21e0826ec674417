"""The words of state detection with a reference (thesis, 1.1 and 3.2.3)."""

from tasks.state.text import TEXT as STATE
from tasks.task import Text

LABELS = ("manual", "attempt")
_FIRST = "The first picture is the manual's, the second is my attempt. "
TEXT = Text(
    title="State detection with a reference",
    asks="is my attempt what the manual shows?",
    bodies={
        "paper": f"[state] {_FIRST}After I {{found}} Did I do it correctly for {{done}} ",
        "readable": f'{_FIRST}Was this step done correctly? "{{done}}" '
        'Before it I did this: "{found}" ',
    },
    directives=STATE.directives,
    shared=("group_id",),
    shared_name="state group",
)
