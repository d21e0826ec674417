"""A row for every picture of parts."""

from core.part_names import part_labels
from tasks.context import base_row
from tasks.prompts import found_text, instruction_text
from tasks.queries import query
from tasks.task import Rows


def make(context):
    for row in context.rows():
        if row.is_eop and row.instruction.VLM.task_label is not None:
            pieces = sum(label.number for label in part_labels(row.instruction))
            text = found_text(row.instruction.text)
            texts = {
                "query": query(context.options.templates, "toy", found=text),
                "answer": f"{pieces} pieces",
                "previous_instruction": instruction_text(row.instruction.text),
            }
            image = context.source_image(row.instruction)
            yield base_row(context, "toy", row, image, texts, [row.instruction], None, 1.0)


ROWS = Rows(make)
