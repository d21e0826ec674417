"""The baselines as a model, to look at their answers; `score` adds them to every table itself."""

from collections.abc import Iterator, Sequence

from core.errors import UserError
from core.items import load_items
from evaluation.baselines import baselines_of
from evaluation.prompts import Prompt
from evaluation.runners import Answering, Reply, RunnerOptions
from tasks import EVERY_TASK


def runner(options: RunnerOptions) -> Answering:
    """`options.model` is the name of a baseline."""
    tasks_of = {name: [c for c in EVERY_TASK if name in baselines_of(c)]
                for config in EVERY_TASK for name in baselines_of(config)}  # fmt: skip
    if options.model not in tasks_of:
        raise UserError(f"--model baseline:{options.model}: unknown; one of {', '.join(tasks_of)}")

    def answering(prompts: Sequence[Prompt]) -> Iterator[Reply]:
        items = [prompt.item for prompt in prompts]
        if not items:
            return
        baseline = baselines_of(items[0].config).get(options.model)
        if baseline is None:
            only = ", ".join(tasks_of[options.model])
            raise UserError(f"--model baseline:{options.model}: only for --config {only}")
        build = items[0].place.path.parents[2]
        try:
            train = load_items(build, items[0].config, "train")
        except UserError:
            train = []
        for prompt, text in zip(prompts, baseline(items, train), strict=True):
            yield Reply(prompt, text, error=None if text is not None else "no train rows")

    return answering
