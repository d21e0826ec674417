"""A reward for what an instruction means: how near its sentence embedding is to the solution's.

LEGO-R1 names it as future work (its words and n-grams made scene answers worse) and no embedding; a
sentence-transformers model of mean pooling is read here, by `transformers` alone.
"""

import functools
from collections.abc import Sequence
from typing import Any

from core.answers import parse_text
from core.errors import UserError
from evaluation.rewards import SCENE, Completions, task_of, text_of

EMBEDDING = "sentence-transformers/all-MiniLM-L6-v2"
MOST_TOKENS = 256  # what that model was trained with; an instruction has a tenth


def semantic_reward(
    completions: Completions, solution: Sequence[str], embedding: str = EMBEDDING, **columns: Any
) -> list[float]:
    """The cosine of both embeddings, at least 0, of scene samples; other tasks earn 0.0."""
    tasks = columns.get("task") or [None] * len(completions)
    pairs = {}
    for index, (gold, task) in enumerate(zip(solution, tasks, strict=True)):
        said = parse_text(text_of(completions[index])).value
        if said and task_of(gold, task) == SCENE:
            pairs[index] = (said, parse_text(gold).value)
    near = dict(zip(pairs, cosines(list(pairs.values()), embedding), strict=True))
    return [max(near.get(index, 0.0), 0.0) for index in range(len(completions))]


def cosines(pairs: Sequence[tuple[str, str]], embedding: str = EMBEDDING) -> list[float]:
    """The cosine of the two texts of every pair."""
    if not pairs:
        return []
    import torch

    tokenizer, model = opened(embedding)
    texts = [text for pair in pairs for text in pair]
    inputs = tokenizer(
        texts, padding=True, truncation=True, max_length=MOST_TOKENS, return_tensors="pt"
    ).to(model.device)
    with torch.inference_mode():
        states = model(**inputs).last_hidden_state.float()
    counts = inputs["attention_mask"].unsqueeze(-1)  # padding is no word
    means = (states * counts).sum(1) / counts.sum(1)
    found = torch.nn.functional.cosine_similarity(means[::2], means[1::2])
    return [float(value) for value in found]


@functools.cache
def opened(embedding: str) -> tuple[Any, Any]:
    """(tokenizer, model), once for a process; raises `UserError` when they can't be had."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(embedding)
        model = AutoModel.from_pretrained(embedding)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise UserError(
            f"--embedding {embedding}: can't be loaded ({why}); give a Hub id or a folder of a "
            "sentence-transformers model with mean pooling"
        ) from error
    return tokenizer, model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
