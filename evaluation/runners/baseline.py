"""The baselines as a model, to look at their answers; `score` adds them to every table itself."""

from collections.abc import Iterator, Sequence

from core.items import UserError, load_items
from evaluation import baselines
from evaluation.prompts import Prompt
from evaluation.runners import Answering, Reply, RunnerOptions


def runner(options: RunnerOptions) -> Answering:
    """`options.model` is the name of a baseline."""
    if options.model not in baselines.NAMES:
        raise UserError(
            f"--model baseline:{options.model}: unknown; one of {', '.join(baselines.NAMES)}"
        )

    def answering(prompts: Sequence[Prompt]) -> Iterator[Reply]:
        items = [prompt.item for prompt in prompts]
        if not items:
            return
        if options.model not in baselines.names_of(items[0].config):
            raise UserError(f"--model baseline:{options.model}: only for --config state")
        build = items[0].place.path.parents[2]
        try:
            train = load_items(build, items[0].config, "train")
        except UserError:
            train = []
        for prompt, text in zip(
            prompts, baselines.answers(options.model, items, train), strict=True
        ):
            yield Reply(prompt, text, error=None if text is not None else "no train rows")

    return answering
