"""Reading what models answer: one tolerant parser a task. None of them ever raises.

Each gives a value and a status; what is not surely read has no value:

    ok        read
    partial   boxes: some of what was written is no box, or has no area
    empty     an answer that says nothing (`[]`, "", thinking that never came to an end)
    ambiguous Yes or No: says both, or takes back what it says
    unparsed  not in any known form, or in two forms that contradict each other

Thinking is no answer (`final`); the forms of boxes are listed in `boxes`.
"""

from core.answers.boxes import BoxAnswer as BoxAnswer
from core.answers.boxes import PredictedBox as PredictedBox
from core.answers.boxes import format_boxes as format_boxes
from core.answers.boxes import parse_boxes as parse_boxes
from core.answers.final import TextAnswer as TextAnswer
from core.answers.final import final_text as final_text
from core.answers.final import parse_text as parse_text
from core.answers.yes_no import YesNoAnswer as YesNoAnswer
from core.answers.yes_no import parse_yes_no as parse_yes_no
