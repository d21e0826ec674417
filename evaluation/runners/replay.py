"""Answers from a file: what another program, or an earlier run, got from a model."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluation.predictions import read_predictions
from evaluation.prompts import Prompt
from evaluation.runners import Answering, Reply, RunnerOptions


def runner(options: RunnerOptions) -> Answering:
    """`options.model` is a JSONL file with `id` and `answer` a line."""
    known = read_predictions(Path(options.model))

    def answering(prompts: Sequence[Prompt]) -> Iterator[Reply]:
        for prompt in prompts:
            found = known.get(prompt.item.id)
            if found is None:
                yield Reply(prompt, None, error="not in the replay file")
                continue
            resized = (found.resized_wh[0], found.resized_wh[1]) if found.resized_wh else None
            yield Reply(
                prompt,
                found.answer,
                found.seconds,
                found.tokens_in,
                found.tokens_out,
                resized_wh=resized,
                error=found.error,
            )

    return answering
