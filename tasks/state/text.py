"""The words of state detection, in the papers' and in plain ones (thesis, Tables 6.1, 11.3)."""

from tasks.task import Text

YES, NO = "Yes.", "No."
EXACT = "exact"  # the annotator of rows whose source knows what it drew
_PILLARS = (
    "[state] After I find 4 white bricks 1x2x5. Did I do it correctly for they will form two "
    "pillars at the back. First, locate the two plates 2x2 in the left and right corners at the "
    "back. Put 2 horizontally on the plate 2x2 at the left back. Put the other 2 horizontally on "
    "the plate 2x2 at the right back."
)

TEXT = Text(
    title="State detection",
    asks="did I do it correctly? Left yes, right no.",
    bodies={
        "paper": "[state] After I {found} Did I do it correctly for {done} ",
        "readable": 'Was this step done correctly? "{done}" Before it I did this: "{found}" ',
    },
    directives={
        "paper": "Just tell me Yes or No.",
        "readable": "Answer with Yes or No.",
    },
    examples=((_PILLARS, NO), (_PILLARS, YES)),
    shared=("group_id",),
    shared_name="state group",
)
