"""The words of questions about consecutive steps, in the forms of LEGO-Puzzles and TPRU."""

from tasks.task import Text

LETTERS = "ABCD"
QUERY_LABEL = "1"
# By form: the question. Chance is one in four, of orders one in 24.
FORMS = {
    "next": "Picture 1 is a step of a building manual. Which of the pictures A, B, C and D is the "
    "step right after it?",
    "previous": "Picture 1 is a step of a building manual. Which of the pictures A, B, C and D is "
    "the step right before it?",
    "order": "The pictures A, B, C and D are four consecutive steps of a building manual, mixed "
    "up. In which order are they done?",
    "outlier": "Three of the pictures A, B, C and D are consecutive steps of a building manual, "
    "mixed up. Which one is not one of them?",
    "dependency": 'A later step of this manual says: "{done}" In which of the pictures A, B, C and '
    "D is the part new that this is put on?",
}
_DIRECTIVE = (
    "Answer with a letter alone, or, where an order is asked for, with all four letters, the first "
    "step first."
)
TEXT = Text(
    title="Sequences",
    asks="which step is next, before, in what order, the odd one out, needed?",
    bodies={"paper": "[sequence] {wanted} ", "readable": "{wanted} "},
    directives={"paper": _DIRECTIVE, "readable": _DIRECTIVE},
    tells_before=False,
    shared=("id",),
)
