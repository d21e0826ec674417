"""Its words."""

from tasks.task import Text

TEXT = Text(
    title="Counting",
    asks="how many pieces?",
    bodies={"paper": "[count] I find {found} ", "readable": 'I find: "{found}" '},
    directives={"paper": "How many pieces are these?", "readable": "How many pieces are these?"},
)
