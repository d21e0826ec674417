"""The rewards of evaluation/rewards.py for verl (`compute_score`) and EasyR1 (`compute_scores`).

A row's task is read off its solution. The reward is the sum of those named in `rewards`; LEGO-R1's
four are one for the task, one for the form.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import UserError
from evaluation.rewards import ALL_REWARDS, REWARDS
from evaluation.semantic import semantic_reward

FOUR = " ".join(REWARDS)
KNOWN = {**ALL_REWARDS, "semantic": semantic_reward}


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    rewards: str = FOUR,
    **_: Any,
) -> dict[str, float]:
    """verl's: `score` is the reward, the others are logged."""
    parts = _parts(solution_str, ground_truth, rewards)
    return {"score": sum(parts.values()), **parts}


def compute_scores(
    reward_inputs: Sequence[Mapping[str, Any]], rewards: str = FOUR, **_: Any
) -> list[dict[str, float]]:
    """EasyR1's, of a batch: `overall` is the reward, the others are logged."""
    every = [_parts(given["response"], given["ground_truth"], rewards) for given in reward_inputs]
    return [{"overall": sum(parts.values()), **parts} for parts in every]


def _parts(said: str, solution: str, rewards: str) -> dict[str, float]:
    if unknown := set(rewards.split()) - set(KNOWN):
        raise UserError(f"rewards: {sorted(unknown)[0]!r} is none of {', '.join(KNOWN)}")
    return {name: KNOWN[name]([said], [solution])[0] for name in rewards.split()}
