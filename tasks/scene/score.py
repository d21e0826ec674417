"""Scoring of instructions: keywords, ROUGE and BLEU (thesis, chapter 7)."""

from collections.abc import Sequence

from core import text_scores
from core.answers import parse_text
from core.items import Item
from core.metrics import (
    COPIED,
    PARSED,
    Metric,
    Said,
    corpus_bleu,
    keyword_counts,
    keyword_metrics,
    mean,
)
from tasks.task import Answered, Score

KEYWORD_TAGS = ("theme", "colorinfo")
REWARD_MOST = 2.0


def answered(item: Item, said: Said) -> Answered:
    """Counts of an instruction; an empty one is no answer to "what do I do now?"."""
    found = parse_text(said.answer or "")
    rouge = text_scores.rouge(item.answer, found.value)
    n_grams = text_scores.bleu_counts(item.answer, found.value)
    keywords = [text for tag, text in item.entities if tag in KEYWORD_TAGS]
    counts = {
        **keyword_counts(keywords, item, found.value),
        "rouge1": rouge.rouge1,
        "rouge_l": rouge.rouge_l,
        "bleu_method1": text_scores.bleu_method1(item.answer, found.value),
        "bleu_sacrebleu": text_scores.bleu_sacrebleu(item.answer, found.value),
        "overlap_r1": text_scores.token_overlap_f1(item.answer, found.value),
        **{f"bleu_match_{n + 1}": n_grams[n] for n in range(4)},
        **{f"bleu_total_{n + 1}": n_grams[n + 4] for n in range(4)},
        "bleu_said": n_grams[8],
        "bleu_wanted": n_grams[9],
    }
    return Answered(counts, rouge.rouge1, "ok" if found.status == "ok" else "unparsed")


def copies(answer: str, shown: Sequence[str]) -> bool:
    """Whether an answer is the text of a shown one."""
    given = text_scores.normalise(parse_text(answer).value)
    return given in {text_scores.normalise(parse_text(one).value) for one in shown}


def reward(text: str, gold: str) -> float:
    """LEGO-R1's: ROUGE-1 F1 + BLEU-4 (nltk, method1), at most 2."""
    said, wanted = parse_text(text).value, parse_text(gold).value
    words = text_scores.rouge(wanted, said).rouge1 + text_scores.bleu_method1(wanted, said)
    return min(words, REWARD_MOST)


SCORE = Score(
    answered,
    metrics=(
        *keyword_metrics("t_acc", "T_ACC"),
        Metric("rouge1", "ROUGE", mean("rouge1"), main=True),
        Metric("bleu", "BLEU", corpus_bleu, main=True),
        Metric("rouge_l", "ROUGE-L", mean("rouge_l")),
        Metric("bleu_sentence", "BLEU sent.", mean("bleu_method1")),
        Metric("f1_theme_r1", "F1-Theme R1", mean("overlap_r1")),
        Metric("bleu_sacrebleu_r1", "BLEU R1 it.1", mean("bleu_sacrebleu")),
        PARSED,
        COPIED,
    ),
    about="T_ACC: the share of part names and colours of the right instruction that the answer "
    "names; instructions that name none are left out.",
    from_alike=lambda item, alike: alike[0].answer,
    harness=("rouge1", "rouge_l", "bleu", "t_acc", "t_acc_novel"),
    setting_columns=("t_acc", "rouge1", "bleu"),
    copies=copies,
    verdict=lambda answered: f"ROUGE-1 {100 * answered.goodness:.0f}",
    reward=reward,
)
