"""The words of scene understanding, in the papers' and in plain ones (thesis, Tables 6.1, 11.3)."""

from tasks.task import Text

TEXT = Text(
    title="Scene understanding",
    asks="what do I do now?",
    bodies={
        "paper": "[grounding] After I {found}\n",
        "readable": 'I have just done this: "{found}" ',
    },
    directives={
        "paper": "Tell me what to do for the current situation. ",
        "readable": "What do I do now?",
    },
    examples=(
        (
            "[grounding] After I collect the following 2 pieces: 1 black plate 1x2 with the "
            "vertical clasp on the short side, and 1 bright orange smooth roof tile 1x2x⅔. "
            "Tell me what to do.",
            "Put the plate 1x2 vertically on the table, clasp to the back. Put the roof tile "
            "1x2x⅔ vertically on top, slope to the left.",
        ),
        (
            "[grounding] After I collect the following 2 pieces: 1 dark stone grey flat tile "
            "1x8, and 1 dark stone grey flat tile 1x4. Tell me what to do for the current "
            "situation.",
            "Put the flat tile 1x8 horizontally in front of the previous piece. Put the flat "
            "tile 1x4 vertically in front of the previous piece on the leftmost column.",
        ),
    ),
    after_thinking=" Output the final answer in JSON format.",
    other_names=("grounding", "grnd"),
)
