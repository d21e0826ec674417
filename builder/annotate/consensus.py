"""Several annotators' boxes of one row to one: who is chosen, and how sure that is (B7).

For each label, two annotators agree by the mean IoU of their instances, matched by one assignment
(Hungarian); where they count differently, by the IoU of their unions; 0 where one has none.
`agreement` is the mean over all pairs. Chosen is the medoid: the annotator that agrees best with
the others, on a tie (always, of two) the one whose own word counts more, then the one named first.
So a box is always one that somebody gave, never an average of two.

An annotator's own word is its confidence times its `OWN_WORD`. Confidence: alone, that; among
several, half of that and half the mean agreement of the chosen with the others. Unconfirmed boxes
stay at 0.5 or below.
"""

import itertools
import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from builder.annotate.labelling import answer_text
from core.matching import match
from core.records import Annotation, Candidate, LabelBox, PartLabel
from synthesis.boxes import Box, iou, union

# What an annotator's own confidence is worth with nobody to confirm it. Foreground's counts what
# it found against the text; a detector's score was never fitted to drawings of parts.
OWN_WORD = {"exact": 1.0, "foreground": 1.0}
OWN_WORD_OF_MODELS = 0.5


def combine(annotations: Sequence[Annotation], asked: Sequence[PartLabel]) -> Annotation:
    """One annotation of one row from those of several annotators, in the order of preference.

    The labels of each, where it has any, are those asked for, in their order.
    """
    alone = len(annotations) == 1
    first = annotations[0]
    if alone and first.annotator in OWN_WORD:
        return first
    dropped: Counter[Any] = Counter()
    for annotation in annotations:
        prefix = "" if alone else f"{annotation.annotator}: "
        dropped.update({prefix + reason: n for reason, n in annotation.dropped.items()})
    base = msgspec.structs.replace(
        first,
        annotator="+".join(annotation.annotator for annotation in annotations),
        labels=[],
        answer="",
        confidence=0.0,
        dropped=dict(sorted(dropped.items())),
    )
    labels = [
        _label(annotations, index, label.text, label.number) for index, label in enumerate(asked)
    ]
    if not labels or not any(label.instances_px for label in labels):
        reason = first.error or "no_box_in_answer" if alone else "no_annotator_found_it"
        return msgspec.structs.replace(base, error=reason if labels else "no_label_in_text")
    if not all(label.instances_px for label in labels):
        return msgspec.structs.replace(base, labels=labels, error="no_box_for_every_label")
    return msgspec.structs.replace(
        base,
        labels=labels,
        answer=answer_text(asked, labels, first.size_wh),
        confidence=min(label.confidence for label in labels),
        error=None,
    )


def _label(annotations: Sequence[Annotation], index: int, text: str, number: int) -> LabelBox:
    """One label: every candidate, the chosen one, agreement and confidence."""
    candidates = [
        Candidate(annotation.annotator, mine.instances_px, mine.confidence)
        for annotation in annotations
        for mine in annotation.labels[index : index + 1]
        if mine.instances_px
    ]
    if not candidates:
        return LabelBox(text, number, [], 0.0, [], None if len(annotations) == 1 else 0.0)
    others = len(annotations) - 1
    size = len(candidates)
    pairs = np.zeros((size, size))
    for a, b in itertools.combinations(range(size), 2):
        pairs[a, b] = pairs[b, a] = agreement(
            candidates[a].instances_px, candidates[b].instances_px
        )
    words = [c.score * OWN_WORD.get(c.annotator, OWN_WORD_OF_MODELS) for c in candidates]
    chosen = max(range(size), key=lambda k: (round(pairs[k].sum(), 6), words[k], -k))
    own = words[chosen]
    if not others:
        return LabelBox(text, number, candidates[0].instances_px, round(own, 3), candidates, None)
    # Those without a box agree with nobody.
    mean = pairs.sum() / (others * (others + 1))
    confidence = 0.5 * own + 0.5 * pairs[chosen].sum() / others
    return LabelBox(
        text,
        number,
        candidates[chosen].instances_px,
        round(float(confidence), 3),
        candidates,
        round(float(mean), 3),
    )


def agreement(a: Sequence[Box], b: Sequence[Box]) -> float:
    """How well two lists of instances of one label agree, in [0, 1]; symmetric."""
    if not a or not b:
        return 0.0
    if len(a) != len(b):
        return iou(union(a), union(b))
    return statistics.fmean(pair.iou for pair in match(a, b))
