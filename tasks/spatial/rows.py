"""Rows of spatial relations: a pair of things in a step's picture, asked about in three ways."""

import hashlib
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from core.names import opaque_id
from core.pictures.containers import ImageError
from core.relations import CONVERSATIONS, WORDS
from tasks import queries
from tasks.context import Context, base_row
from tasks.prompts import instruction_text
from tasks.regions import step_regions
from tasks.sessions import ManualRow
from tasks.spatial.diversify import rewritten
from tasks.spatial.pairs import CONFIDENCE, Gold, Pair, gold_of, pairs_of_step
from tasks.spatial.text import LINE_BREAK, TEMPLATES, question
from tasks.spatial.wording import false_line, richer_line, sentence, short_lines
from tasks.task import Row, Rows

CONFIG = "spatial"


class Asked(NamedTuple):
    """A conversation of a pair."""

    conversation: str
    answer: str
    diversified: bool = False


def make(context: Context) -> Iterator[Row]:
    """The rows of every step whose regions are known; the others are drops."""
    for row in context.rows():
        step = row.instruction
        if row.is_eop or step.VLM.task_label is None:
            continue
        regions = step_regions(context, row)
        if isinstance(regions, str):
            context.drop(CONFIG, step, regions)
            continue
        try:
            for number, pair in enumerate(pairs_of_step(context, row, regions)):
                gold = gold_of(pair.text, pair.image, pair.scene)
                if not gold.relations:
                    detail = f"{pair.subject.bare}; {pair.object.bare}"
                    context.drop(CONFIG, step, "no_relation_known", detail)
                    continue
                if gold.source == "contradiction":  # for reviewers; the rows are only for training
                    detail = f"{pair.subject.bare}; {pair.object.bare}: {pair.text}, {pair.image}"
                    context.drop(CONFIG, step, "text_and_picture_differ", detail)
                yield from _rows(context, row, (number, pair), gold, regions.source)
        except ImageError as error:
            context.unusable(CONFIG, step, error)


def _rows(
    context: Context, row: ManualRow, numbered: tuple[int, Pair], gold: Gold, source: str
) -> Iterator[Row]:
    number, pair = numbered
    step, other = row.instruction, pair.object
    rng = random.Random(
        f"{context.options.seed}:{CONFIG}:{context.manual.manual_id}:{step.instruction_id}:{number}"
    )
    relation = gold.relations[0]
    short = short_lines(pair.subject, relation, other, rng)
    richer = [
        richer_line(pair.subject, gold.relations, other, pair.third, pair.orientation),
    ]
    known = {
        "pair_id": opaque_id("pair", context.manual.manual_id, step.instruction_id, number),
        "subject": pair.subject.column,
        "object": other.column,
        "relations": gold.relations,
        "relations_text": pair.text,
        "relations_image": pair.image,
        "relations_scene": pair.scene or [],
        "frame": gold.frame,
        "relations_agree": gold.agree,
        "descriptions_v1": short,
        "descriptions_v2": richer,
        "contrast": false_line(pair.subject, gold.relations, other, gold.source == "scene"),
    }
    image = context.source_image(step)
    for asked in list(_conversations(context, pair, relation, (short, richer), rng)):
        template = _template(context, asked.conversation, rng)
        words = question(
            asked.conversation, template, pair.subject.bare, pair.subject.verb, other.bare
        )
        base = base_row(
            context, CONFIG, row, image,
            {
                "query": queries.query(context.options.templates, CONFIG, asked=words),
                "answer": asked.answer,
                "previous_instruction": instruction_text(row.eop.text) if row.eop else None,
            },
            sources=[step],
            annotator=source,
            confidence=CONFIDENCE[gold.source],
            words=_told_apart(known["pair_id"], asked),
        )  # fmt: skip
        yield {
            **base,
            **known,
            "conversation_type": CONVERSATIONS.index(asked.conversation),
            "template_id": f"{asked.conversation}-{template + 1}",
            "diversified": asked.diversified,
        }


def _told_apart(pair_id: object, asked: Asked) -> str:
    """What the ids of a pair's rows differ by; a classification's does not depend on its answer."""
    said = "" if asked.conversation == "classification" else asked.answer
    return hashlib.sha256(f"{pair_id}\n{asked.conversation}\n{said}".encode()).hexdigest()


def _template(context: Context, conversation: str, rng: random.Random) -> int:
    if context.options.templates == "paper":
        return 0
    return rng.randrange(len(TEMPLATES[conversation]))


def _conversations(
    context: Context,
    pair: Pair,
    relation: str,
    lines: tuple[Sequence[str], Sequence[str]],
    rng: random.Random,
) -> Iterator[Asked]:
    """Classification; one phrase a short line; three descriptions. Of a pair that is asked about
    in both orders the choice alone."""
    yield Asked("classification", WORDS[relation])
    if pair.both_orders:
        return
    short, richer = lines
    said: set[str] = set()

    def other_words(line: str) -> str | None:
        if not context.options.diversify:
            return None
        new = rewritten(line, pair, relation, rng, said)
        said.update([new] if new else ())
        return new

    for line in short:
        new = other_words(line)
        yield Asked("single", new or line, new is not None)
    plain = sentence(f"{pair.subject.bare} {WORDS[relation]} {pair.object.bare}")
    last = rng.choice(list(richer))
    new = other_words(last)
    three = (plain, rng.choice(list(short)), new or last)
    yield Asked("open", LINE_BREAK.join(three), new is not None)


def trains_only(row: Row) -> bool:
    """Whether text and picture contradict each other: for reviewers, not for a test."""
    return bool(row["confidence"] <= CONFIDENCE["contradiction"] + 1e-6)


ROWS = Rows(make, same_boxes=True, trains_only=trains_only)
