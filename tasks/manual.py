"""Stage 4 for one manual: its pictures and annotations as rows."""

import collections
from pathlib import Path
from typing import Any

import msgspec

from core.parquet import write_piece
from core.part_names import part_kind, part_labels
from core.records import (
    Annotation,
    Drop,
    Instruction,
    Manual,
    ManualStats,
    Review,
    SessionColors,
    dump,
    load,
    needs_review,
)
from core.store import ANNOTATE, COLORS_FILE, CRAWL, PARSE
from tasks import TASKS
from tasks.context import Context, TaskOptions
from tasks.mask.notes import FILE as MASKS_FILE
from tasks.mask.notes import MaskNotes
from tasks.mask.samples import samples
from tasks.outline import hex_color
from tasks.regions import record_parts

PARTS = "parts"


def write_rows(work: Path, manual_id: str, options: TaskOptions, target: Path) -> None:
    """Stage 4 of one manual: rows of every config, the manual JSON with what was found, and
    the counts.
    """
    manual = load(work / PARSE / manual_id / "manual.json", Manual)
    annotations = load(work / ANNOTATE / manual_id / "annotations.json", dict[str, Annotation])
    context = Context(
        manual,
        work / CRAWL / manual_id,
        {int(key): value for key, value in annotations.items()},
        options,
    )
    index = {
        config: write_piece(
            target / f"{config}.parquet", config, task.rows.make(context), task.rows.trains_only
        )
        for config, task in TASKS.items()
    }
    record_parts(context)
    for number, png in context.parts.items():
        (target / PARTS).mkdir(exist_ok=True)
        (target / PARTS / f"{number}.png").write_bytes(png)
    notes = MaskNotes(context.mask_notes, list(samples(context)))
    (target / MASKS_FILE).write_bytes(msgspec.json.encode(notes))
    (target / COLORS_FILE).write_bytes(dump(_session_colors(context)))
    (target / "index.json").write_bytes(msgspec.json.encode(index))
    (target / "manual.json").write_bytes(dump(with_findings(context)))
    (target / "stats.json").write_bytes(dump(_stats(context)))


def _session_colors(context: Context) -> dict[str, SessionColors]:
    return {
        session_id: SessionColors(
            None if color.vote.color is None else hex_color(color.vote.color),
            color.vote.score,
            [hex_color(candidate) for candidate in color.vote.candidates],
            color.by_hand,
        )
        for session_id, color in context.colors.items()
    }


def _stats(context: Context) -> ManualStats:
    kinds = collections.Counter(row.is_eop for row in context.rows())
    return ManualStats(
        manual_id=context.manual.manual_id,
        set_number=context.manual.set_number,
        object_finding_steps=kinds[True],
        assembly_steps=kinds[False],
        sessions=len(context.sessions),
        colored_sessions=sum(color.vote.color is not None for color in context.colors.values()),
        drops=[*context.manual.drops, *context.drops, *_noise(context)],
        screened=dict(sorted(context.screened.items())),
        review=[
            Review(context.manual.manual_id, f"row {number}", annotation.error, annotation.labels)
            for number, annotation in sorted(context.annotations.items())
            if needs_review(annotation)
        ],
        parts=sorted(
            {
                part_kind(label)
                for row in context.rows()
                if row.is_eop
                for label in part_labels(row.instruction)
            }
        ),
        boundary_colors=sorted(
            {
                hex_color(color.vote.color)
                for color in context.colors.values()
                if color.vote.color is not None
            }
        ),
        steps_after_eop=sum(row.directly and not row.is_eop for row in context.rows()),
    )


def _noise(context: Context) -> list[Drop]:
    """What was left out of models' answers, as drops (T9)."""
    return [
        Drop(context.manual.manual_id, "annotate", f"row {row}", reason.split(": ")[-1],
             f"{annotation.annotator if ': ' not in reason else reason.split(': ')[0]}: {number}")
        for row, annotation in sorted(context.annotations.items())
        for reason, number in annotation.dropped.items()
    ]  # fmt: skip


def with_findings(context: Context) -> Manual:
    """The manual JSON with colours (T12) and box answers (T8) filled in."""
    by_row = {row.instruction.instruction_id: row for row in context.rows()}

    def filled(instruction: Instruction) -> Instruction:
        row = by_row.get(instruction.instruction_id)
        if row is None:
            return instruction
        changes: dict[str, Any] = {}
        annotation = context.annotations.get(instruction.instruction_id)
        if annotation and not annotation.error:
            changes["MiniGPTv2_output"] = annotation.answer
        vote = context.colors[row.session_id].vote
        if not row.is_eop:
            changes["color_list"] = [hex_color(color) for color in vote.candidates]
            changes["bound_color"] = [hex_color(vote.color)] if vote.color else []
            if instruction.instruction_id in context.parts:
                changes["parts_img_path"] = f"{PARTS}/{instruction.instruction_id}.png"
            changes["background_rect"] = context.background_rects_px.get(instruction.instruction_id)
        return msgspec.structs.replace(
            instruction, VLM=msgspec.structs.replace(instruction.VLM, **changes)
        )

    return msgspec.structs.replace(
        context.manual, instructions=[filled(i) for i in context.manual.instructions]
    )
