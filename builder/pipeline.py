"""Stages 2 to 4 for one manual: parse, annotate, tasks. A pure function of its crawl folder.

Runs in worker processes; each stage reads the folder before it and writes only its own.
"""

import collections
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from builder import folders, parse
from builder.annotate import asking, consensus, labelling
from builder.annotate.models import ModelOptions
from builder.annotate.naming import part_labels
from builder.containers import ImageError
from builder.export.parquet import write_piece
from builder.folders import ANNOTATE, CRAWL, PARSE, TASKS
from builder.media import Picture, read_picture
from builder.records import (
    Annotation,
    CrawledManual,
    Drop,
    Instruction,
    LabelBox,
    Manual,
    dump,
    load,
)
from builder.tasks import object as object_task
from builder.tasks import scene, state
from builder.tasks.context import Context, TaskOptions


@dataclass(frozen=True)
class BuildOptions:
    """What a build's rows depend on besides the source."""

    work: Path
    annotator: str = "foreground"  # or several, with commas: their consensus
    models: ModelOptions = field(default_factory=ModelOptions)
    tasks: TaskOptions = field(default_factory=TaskOptions)


class ManualStats(msgspec.Struct, frozen=True):
    """Counts of one manual, added up for Table 4.3. Drops are counted from their records."""

    manual_id: str
    set_number: str
    object_finding_steps: int
    assembly_steps: int
    sessions: int
    colored_sessions: int
    drops: list[Drop]
    screened: dict[str, int] = {}
    review: list["Review"] = []


class Review(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row whose boxes a person should look at, for annotators disagree on it (B7)."""

    manual_id: str
    item: str
    error: str | None
    labels: list[LabelBox]


class SessionColors(msgspec.Struct, frozen=True):
    """The boundary colour of a session as hex, null for none, and how it was found (T12)."""

    color: str | None
    score: float
    candidates: list[str]
    by_hand: bool


PARTS, COLORS_FILE = "parts", "colors.json"


def build_manual(manual_id: str, options: BuildOptions) -> tuple[str, bool]:
    """Bring a manual's stages up to date; returns its id and whether anything was done."""
    work = options.work
    crawled = work / CRAWL / manual_id / "crawl.json"
    parsed = work / PARSE / manual_id
    annotated = work / ANNOTATE / manual_id
    done = [parse_manual(manual_id, work)]
    parsed_hash = folders.sha256((parsed / "manual.json").read_bytes())
    done.append(
        folders.stage(
            annotated,
            folders.fingerprint("annotate", *identities(options), parsed_hash),
            lambda target: _annotate(crawled.parent, parsed, options, target),
        )
    )
    annotated_hash = folders.sha256((annotated / "annotations.json").read_bytes())
    task_options = options.tasks.of_manual(manual_id)
    done.append(
        folders.stage(
            work / TASKS / manual_id,
            folders.fingerprint("tasks", task_options, parsed_hash, annotated_hash),
            lambda target: _tasks(crawled.parent, parsed, annotated, task_options, target),
        )
    )
    return manual_id, any(done)


def parse_manual(manual_id: str, work: Path) -> bool:
    """Stage 2 alone, which models need before they are asked; whether anything was done."""
    crawled = work / CRAWL / manual_id / "crawl.json"
    return folders.stage(
        work / PARSE / manual_id,
        folders.fingerprint("parse", folders.sha256(crawled.read_bytes())),
        lambda target: _parse(crawled, target),
    )


def identities(options: BuildOptions) -> list[str]:
    """Who annotates: the name, and for a model what its answers depend on."""
    return [
        asking.module_of(name).identity(options.models) if asking.needs_model(name) else name
        for name in options.annotator.split(",")
    ]


def _parse(crawled_file: Path, target: Path) -> None:
    crawled = load(crawled_file, CrawledManual)
    html = (crawled_file.parent / crawled.page_file).read_bytes()
    (target / "manual.json").write_bytes(dump(parse.parse_manual(html, crawled)))


def _annotate(crawl_folder: Path, parsed: Path, options: BuildOptions, target: Path) -> None:
    """What the annotators say of every eop picture, each asked once for each."""
    manual = load(parsed / "manual.json", Manual)
    names = options.annotator.split(",")
    annotations = {
        str(instruction.instruction_id): _agreed(names, crawl_folder, instruction, options)
        for instruction in asking.rows_to_annotate(manual)
    }
    (target / "annotations.json").write_bytes(dump(annotations))


def _agreed(
    names: list[str], crawl_folder: Path, instruction: Instruction, options: BuildOptions
) -> Annotation:
    """What the annotators together say of one picture."""
    try:
        picture = read_picture(crawl_folder / str(instruction.VLM.img_path))
    except ImageError as err:
        sha256 = instruction.img_sha256 or ""
        return Annotation(sha256, "+".join(names), (0, 0), [], "", 0.0, err.reason)
    given = [_annotation(name, picture, instruction, options) for name in names]
    return consensus.combine(given, part_labels(instruction))


def _annotation(
    name: str, picture: Picture, instruction: Instruction, options: BuildOptions
) -> Annotation:
    """What one annotator says of one picture; a model has been asked before."""
    annotator = asking.module_of(name)
    if not asking.needs_model(name):
        annotation: Annotation = annotator.annotate(
            picture, instruction.img_sha256 or "", instruction
        )
        return annotation
    question = asking.question_of(instruction)
    if not question.labels:  # nothing to ask
        sha256 = question.image_sha256
        return Annotation(sha256, name, picture.size_wh, [], "", 0.0, "no_label_in_text")
    answer = asking.stored_answer(options.work, name, options.models, question)
    return labelling.annotation_of(question, answer, annotator.read(question, answer), name)


def _tasks(
    crawl_folder: Path, parsed: Path, annotated: Path, options: TaskOptions, target: Path
) -> None:
    """Write the rows of the three configs, the manual JSON with what was found, and the counts."""
    manual = load(parsed / "manual.json", Manual)
    annotations = load(annotated / "annotations.json", dict[str, Annotation])
    context = Context(
        manual, crawl_folder, {int(key): value for key, value in annotations.items()}, options
    )
    colors = {
        session_id: state.session_color(context, session_id, rows)
        for session_id, rows in context.sessions.items()
    }
    tasks: dict[str, Callable[[], Iterator[dict]]] = {
        "scene": functools.partial(scene.rows, context),
        "object": functools.partial(object_task.rows, context),
        "state": functools.partial(state.rows, context, colors),
    }
    index = {
        config: write_piece(target / f"{config}.parquet", config, make())
        for config, make in tasks.items()
    }
    for number, png in context.parts.items():
        (target / PARTS).mkdir(exist_ok=True)
        (target / PARTS / f"{number}.png").write_bytes(png)
    (target / COLORS_FILE).write_bytes(dump(_session_colors(colors)))
    (target / "index.json").write_bytes(msgspec.json.encode(index))
    (target / "manual.json").write_bytes(dump(_with_findings(context, colors)))
    (target / "stats.json").write_bytes(dump(_stats(context, colors)))


def _session_colors(colors: dict[str, state.SessionColor]) -> dict[str, SessionColors]:
    return {
        session_id: SessionColors(
            None if color.vote.color is None else state.hex_color(color.vote.color),
            color.vote.score,
            [state.hex_color(candidate) for candidate in color.vote.candidates],
            color.by_hand,
        )
        for session_id, color in colors.items()
    }


def _stats(context: Context, colors: dict[str, state.SessionColor]) -> ManualStats:
    kinds = collections.Counter(row.is_eop for row in context.rows())
    return ManualStats(
        manual_id=context.manual.manual_id,
        set_number=context.manual.set_number,
        object_finding_steps=kinds[True],
        assembly_steps=kinds[False],
        sessions=len(context.sessions),
        colored_sessions=sum(color.vote.color is not None for color in colors.values()),
        drops=[*context.manual.drops, *context.drops, *_noise(context)],
        screened=dict(sorted(context.screened.items())),
        review=[
            Review(context.manual.manual_id, f"row {number}", annotation.error, annotation.labels)
            for number, annotation in sorted(context.annotations.items())
            if consensus.needs_review(annotation)
        ],
    )


def _noise(context: Context) -> list[Drop]:
    """What was left out of models' answers, as drops (T9)."""
    return [
        Drop(context.manual.manual_id, "annotate", f"row {row}", reason.split(": ")[-1],
             f"{annotation.annotator if ': ' not in reason else reason.split(': ')[0]}: {number}")
        for row, annotation in sorted(context.annotations.items())
        for reason, number in annotation.dropped.items()
    ]  # fmt: skip


def _with_findings(context: Context, colors: dict[str, state.SessionColor]) -> Manual:
    """The manual JSON with colours (T12) and box answers (T8) filled in."""
    by_row = {row.instruction.instruction_id: row for row in context.rows()}

    def filled(instruction: Instruction) -> Instruction:
        row = by_row.get(instruction.instruction_id)
        if row is None:
            return instruction
        changes: dict = {}
        annotation = context.annotations.get(instruction.instruction_id)
        if annotation and not annotation.error:
            changes["MiniGPTv2_output"] = annotation.answer
        vote = colors[row.session_id].vote
        if not row.is_eop:
            changes["color_list"] = [state.hex_color(color) for color in vote.candidates]
            changes["bound_color"] = [state.hex_color(vote.color)] if vote.color else []
            if instruction.instruction_id in context.parts:
                changes["parts_img_path"] = f"{PARTS}/{instruction.instruction_id}.png"
            changes["background_rect"] = context.background_rects_px.get(instruction.instruction_id)
        return msgspec.structs.replace(
            instruction, VLM=msgspec.structs.replace(instruction.VLM, **changes)
        )

    return msgspec.structs.replace(
        context.manual, instructions=[filled(i) for i in context.manual.instructions]
    )
