"""Right is the right number."""

from core.metrics import PARSED, Metric, mean
from tasks.task import Answered, Score

SCORE = Score(
    lambda item, said: Answered(
        {"right": float(said.answer == item.answer)}, float(said.answer == item.answer), "ok"
    ),
    metrics=(Metric("right", "right", mean("right"), main=True), PARSED),
    about="right: the share of answers with the right number.",
    from_alike=lambda item, alike: alike[0].answer,
)
