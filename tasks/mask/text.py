"""The words around masks: an instruction is asked as it stands (Instruction-Guided Visual Masking,
arXiv 2405.19783, section 3), and answered with the boxes of what it is about."""

from tasks.object.text import PERCENT
from tasks.task import Text

LEVELS = ("simple", "manual", "complex")

TEXT = Text(
    title="Instruction-guided masks",
    asks="which pixels is this about?",
    bodies={"paper": "{asked}", "readable": "{asked}"},
    directives={"paper": "", "readable": " Mark what this is about."},
    form="Mark what this is about in the picture. Give each position as <p>object</p> "
    f"{{<Xleft><Ytop><Xright><Ybottom>}}, with X and Y coordinates {PERCENT}: Xleft and Ytop are "
    "the top-left corner, Xright and Ybottom the bottom-right corner.",
    examples=(
        (
            "The black plate 2x6.",
            "<p>1 black plate</p> {<57><15><82><35>}",
        ),
        (
            "What this step adds, and what it rests on.",
            "<p>2 red tiles</p> {<20><61><30><78>} and <p>1 grey plate</p> {<12><58><66><93>}",
        ),
    ),
    in_boxes=True,
    tells_before=False,
)
