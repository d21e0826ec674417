"""The reward of meaning, by a tiny random encoder, against a computation by hand."""

import pytest
from needs_torch import torch
from outside import MODEL_TEST
from tiny_models import make_encoder

from evaluation import semantic
from evaluation.rewards import REWARDS
from evaluation.semantic import cosines, semantic_reward
from scripts.train import grpo

pytestmark = MODEL_TEST
GOLD = "Put the red plate 2x4 on the table."
OTHER = "Tell me what to do for the black brick, and put it there to the left of the first one."


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return str(make_encoder(tmp_path_factory.mktemp("m") / "tiny-bert"))


def by_hand(encoder: str, one: str, other: str) -> float:
    """Each text alone, so without padding: the plain mean of its tokens, then the cosine."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(encoder), AutoModel.from_pretrained(encoder)
    with torch.inference_mode():
        states = [model(**tokenizer(text, return_tensors="pt"))[0][0] for text in (one, other)]
    a, b = ([sum(column) / len(column) for column in zip(*s.tolist(), strict=True)] for s in states)
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


def test_the_cosine_is_that_of_plain_means(encoder):
    """Texts of different lengths in one batch, so that padding would show."""
    found = cosines([(GOLD, OTHER), (OTHER, GOLD), (GOLD, GOLD)], encoder)
    wanted = by_hand(encoder, GOLD, OTHER)
    assert found == pytest.approx([wanted, wanted, 1.0], abs=1e-5)
    assert abs(wanted) < 0.999 and len(OTHER) > 2 * len(GOLD)


def test_scene_samples_alone_earn_it(encoder):
    said = [f"<think>so</think><answer>{text}</answer>" for text in (GOLD, OTHER, "Yes.", "", GOLD)]
    gold = [f"<answer>{text}</answer>" for text in (GOLD, GOLD, "Yes.", GOLD, GOLD)]
    tasks = ["scene", "scene", "state", "scene", "spatial"]
    found = semantic_reward(said, gold, embedding=encoder, task=tasks)
    wanted = max(by_hand(encoder, OTHER, GOLD), 0.0)
    assert found == pytest.approx([1.0, wanted, 0.0, 0.0, 0.0], abs=1e-5)
    # Without the column the task is read off the solution.
    assert semantic_reward(said[:1], gold[:1], encoder) == pytest.approx([1.0], abs=1e-5)
    assert semantic_reward([], [], encoder) == []


def test_opposite_meaning_is_no_penalty(monkeypatch):
    monkeypatch.setattr(semantic, "cosines", lambda pairs, embedding: [-0.5 for _ in pairs])
    assert semantic_reward([GOLD], [OTHER], task=["scene"]) == [0.0]


def test_the_recipe_knows_it():
    assert grpo.EMBEDDING == semantic.EMBEDDING and "semantic" in grpo.ALL_REWARDS
    assert "semantic" not in REWARDS  # LEGO-R1's four stay four
