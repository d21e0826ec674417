"""Scene understanding (T6, T7): what was found before, the picture of the step, what to do."""

from collections.abc import Iterator

from core.pictures.containers import ImageError
from tasks.context import Context, base_row
from tasks.prompts import instruction_text, scene_query
from tasks.task import Row, Rows


def make(context: Context) -> Iterator[Row]:
    """One row a step that has a picture, a text and an eop before it in its session (A4)."""
    for row in context.rows():
        step = row.instruction
        if row.is_eop or step.VLM.task_label is None:  # the parser has listed the unusable
            continue
        if row.eop is None or not row.eop.text:
            context.drop("scene", step, "no_eop_before")
            continue
        if context.options.scenes == "direct" and not row.directly:
            context.drop("scene", step, "row_before_is_no_eop", f"{row.eop_distance} rows before")
            continue
        try:
            image = context.source_image(step)
        except ImageError as error:
            context.unusable("scene", step, error)
            continue
        base = base_row(
            context,
            "scene",
            row,
            image,
            {
                "query": scene_query(row.eop.text, context.options.templates),
                "answer": instruction_text(step.text),
                "previous_instruction": instruction_text(row.eop.text),
            },
            sources=[step],
            annotator=None,
            confidence=1.0,
        )
        yield {**base, "eop_distance": row.eop_distance}


ROWS = Rows(make)
