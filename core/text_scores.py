"""Text scores, on scales of 0 to 1: keywords, ROUGE, BLEU, token overlap."""

import re
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from nltk.tokenize import NLTKWordTokenizer
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_score.rouge_scorer import RougeScorer
from rouge_score.tokenizers import DefaultTokenizer, Tokenizer
from sacrebleu.metrics.bleu import BLEU

# Answers repeat (four collages of one part, baselines); what is kept is a few numbers each.
CACHE = 100_000
_stems = lru_cache(CACHE)(DefaultTokenizer(use_stemmer=True).tokenize)


class _CachedTokenizer(Tokenizer):
    """rouge-score's own, stemming; a gold text meets many predictions."""

    def tokenize(self, text: str) -> list[str]:
        """Stems of the words of a text."""
        return list(_stems(text))


_rouge = RougeScorer(["rouge1", "rougeL"], tokenizer=_CachedTokenizer())
_counting_bleu = BLEU(lowercase=True, effective_order=True)
_sacrebleu = BLEU(effective_order=True)
_method1 = SmoothingFunction().method1
_words = lru_cache(CACHE)(NLTKWordTokenizer().tokenize)


@lru_cache(CACHE)
def normalise(text: str) -> str:
    """Casefolded, single spaces, one sign for "times"."""
    return " ".join(text.casefold().replace("×", "x").split())


def contains(text: str, keyword: str) -> bool:
    """Whether a keyword stands in a text at word bounds; both normalised here."""
    text, keyword = normalise(text), normalise(keyword)
    if keyword not in text:
        return False
    return re.search(rf"(?<!\w){re.escape(keyword)}(?!\w)", text) is not None


class Rouge(NamedTuple):
    """F1 of unigrams and of the longest common subsequence, stemmed."""

    rouge1: float
    rouge_l: float


@lru_cache(CACHE)
def rouge(reference: str, prediction: str) -> Rouge:
    """ROUGE-1 and ROUGE-L F1."""
    scores = _rouge.score(reference, prediction)
    return Rouge(scores["rouge1"].fmeasure, scores["rougeL"].fmeasure)


@lru_cache(CACHE)
def bleu_method1(reference: str, prediction: str) -> float:
    """Sentence BLEU-4 with nltk's smoothing method1, lowercased tokens (R8)."""
    wanted, got = (_words(text.lower()) for text in (reference, prediction))
    if not got:
        return 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # nltk warns where smoothing has already done its work
        return float(sentence_bleu([wanted], got, smoothing_function=_method1))


@lru_cache(CACHE)
def bleu_sacrebleu(reference: str, prediction: str) -> float:
    """Sentence BLEU of sacrebleu's defaults, case kept: LEGO-R1's Iteration_1."""
    return _sacrebleu.sentence_score(prediction, [reference]).score / 100


@lru_cache(CACHE)
def bleu_counts(reference: str, prediction: str) -> tuple[int, ...]:
    """What corpus BLEU adds up: 4 n-gram matches, 4 n-gram totals, both lengths."""
    score = _counting_bleu.sentence_score(prediction, [reference])
    return (*score.counts, *score.totals, score.sys_len, score.ref_len)


def token_overlap_f1(reference: str, prediction: str) -> float:
    """F1 of the sets of words: what LEGO-R1's code calls F1-Theme and F1-Object (R17)."""
    wanted, got = (set(re.findall(r"\w+", text.lower())) for text in (reference, prediction))
    if not wanted or not got:
        return float(wanted == got)
    shared = len(wanted & got)
    return 2 * shared / (len(wanted) + len(got))


def label_similarity(reference: str, prediction: str) -> float:
    """ROUGE-1 F1 of two labels; both empty 1, one empty 0 (R5)."""
    if not reference.strip() or not prediction.strip():
        return float(reference.strip() == prediction.strip())
    return rouge(reference, prediction).rouge1


class KeywordCounts(NamedTuple):
    """How many keywords there are and how many are found; `novel` ones are not in the query."""

    wanted: int
    found: int
    novel: int
    novel_found: int


def count_keywords(keywords: Sequence[str], query: str, prediction: str) -> KeywordCounts:
    """T_ACC and E_ACC of one sample."""
    found = [contains(prediction, keyword) for keyword in keywords]
    novel = [not contains(query, keyword) for keyword in keywords]
    both = [f and n for f, n in zip(found, novel, strict=True)]
    return KeywordCounts(len(keywords), sum(found), sum(novel), sum(both))
