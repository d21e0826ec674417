"""The words of object detection, in the papers' and in plain ones (thesis, Tables 6.1, 11.3)."""

from tasks.task import Text

# How a directive says that boxes are in percent; other frames put their words there.
PERCENT = "normalized to [0,100]"

TEXT = Text(
    title="Object detection",
    asks="where are these parts?",
    bodies={
        "paper": "[object] Please identify and highlight the positions of {wanted} ",
        "readable": 'Find this in the picture: "{wanted}" ',
    },
    directives={
        "paper": "Providing the positions in the format: <p>object</p> "
        f"{{<Xleft><Ytop><Xright><Ybottom>}}, with X and Y coordinates {PERCENT}. Xleft and Ytop "
        "for the top-left corner. Xright and Ybottom for the bottom-right corner.",
        "readable": "Give each position as <p>object</p> {<Xleft><Ytop><Xright><Ybottom>}, with X "
        f"and Y coordinates {PERCENT}: Xleft and Ytop are the top-left corner, Xright and Ybottom "
        "the bottom-right corner.",
    },
    examples=(
        (
            "[object] Please identify and highlight the positions of the following 2 pieces: "
            "1 black plate 2x6, and 1 bright yellow plate 1x2 with vertical clasp on long side.",
            "<p>1 black plate</p> {<57><15><82><35>} and "
            "<p>1 bright yellow plate</p> {<82><25><93><36>}",
        ),
        (
            "[object] Please identify and highlight the positions of 2 transparent fluorescent "
            "green round bricks 1x1.",
            "<p>2 transparent fluorescent green round bricks</p> {<20><61><30><78>}",
        ),
    ),
    in_boxes=True,
    after_thinking=" Output the final answer in JSON format.",
    tells_before=False,
    shared=("session_id", "step_num", "instruction"),
    shared_name="object's collages",
)
