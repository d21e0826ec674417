"""State: Yes or No, alone, in a sentence or as JSON; what may mean either is neither.

A first word that answers decides ("No, the part is shifted"). Else what is announced ("the answer
is: no"), a yes or no that ends a clause, and sentences that judge ("It was done correctly", "There
is a mistake") decide if they agree. "No" before a noun ("no gap") says nothing, but "no mistakes"
does. English only: another language is unparsed.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from core.answers.final import final_text, whole_json

_QUOTES = str.maketrans("\u201c\u201d\u2018\u2019", "\"\"''")
# Keys under which a JSON answer is looked for; others explain.
_KEYS = {
    "answer", "final_answer", "verdict", "result", "response", "prediction", "output", "state",
    "conclusion", "label", "value", "correct", "is_correct", "correctly", "done_correctly",
}  # fmt: skip

_WORDS = {"yes": True, "yeah": True, "yep": True, "yup": True, "no": False, "nope": False,
          "nah": False}  # fmt: skip
_JUDGED = {"correct": True, "correctly": True, "right": True, "true": True, "incorrect": False,
           "incorrectly": False, "wrong": False, "false": False}  # fmt: skip
_ENDED = r"(?=\s*(?:[.,:;!)\]}\u2013\u2014-]|$))"
# "No it is not": words that no noun phrase after "no" begins with.
_GOES_ON = (
    r"(?=\s+(?:because|since|as|it|you|this|that|there|the|i|they|we|but|and|so|wait|actually)\b)"
)
# Not "no gap" and not "No. 5".
_YES_NO = re.compile(
    rf"\b(?:yes|yeah|yep|yup)\b|\b(?:no|nope|nah)\b(?:{_ENDED}|{_GOES_ON})(?!\s*[.)]\s*\d)"
)
_FILLERS = re.compile(
    r"\W*(?:(?:well|hmm+|oh|ok|okay|so|sure|actually|sorry|honestly|unfortunately|assistant"
    r"|i (?:think|believe|would say)|(?:it|that) is a)\b\W*)*"
)
_LEADING_WORD = re.compile(rf"(?:{'|'.join(_JUDGED)})\b{_ENDED}")
_SPOKEN = re.compile(_ENDED + r"|(?=\s+(?:because|since|as)\b)")
_ANNOUNCED = re.compile(r"\b(?:answer|verdict|conclusion)\b[^.!?\n]{0,20}$")
_STOPS = re.compile(r"\s*(?:[.!)\]}\n]|$)")
_CLAUSES = re.compile(r"[.,;:!?()\n]+|\s-+\s|\b(?:but|because|since|so|and|while|which)\b")

_NEGATOR = re.compile(r"\b(?:not|no|never|nothing|none|nobody|neither|nor|hardly|barely|without)\b")
_PERHAPS = re.compile(r"\b(?:if|whether|unless|maybe|perhaps|possibly|might|may)\b")
# A judging clause with one of these claims nothing.
_UNSURE = re.compile(
    r"\b(?:if|whether|unless|maybe|perhaps|possibly|might|may|could|would|should|must|needs? to"
    r"|to be|to do|doubt|unsure|uncertain|unclear|sure|certain|say|says|said|tell|confirm|verify"
    r"|determine|judge|know|almost|nearly|partly|partially|mostly|only|supposed|expected|assume"
    r"|assuming|suppose|as long as)\b"
)
_ADVERBS = r"(?:all|quite|absolutely|perfectly|indeed|completely|totally|entirely|fully|also|very)"
_BE = r"(?:is|are|was|were|looks?|seems?|appears?|being|been)(?: to be)?"
_WHOLE = (
    r"(?:it|this|that|everything|all|you|step|assembly|placement|positioning|position|state|result"
    r"|work|construction|build|action|execution|arrangement|installation|statement)"
)
_FAULTS = (
    r"(?:mistakes?|errors?|issues?|problems?|faults?|flaws?|defects?|discrepanc(?:y|ies)"
    r"|deviations?|misplacements?|misalignments?)"
)
_RIGHT = re.compile(
    rf"\b{_WHOLE} {_BE}(?: not)?(?: {_ADVERBS})* (?:right|(?:correct|accurate)"
    r"(?: (?:here|now|so far|to me|as (?:shown|described|instructed)|according to .*))?)$"
    r"|^(?:not )?(?:quite |entirely |fully |absolutely |perfectly )*(?:correct|right)$"
    r"|\bcorrectly\b"
)
_WRONG = re.compile(
    rf"\b{_BE}(?: {_ADVERBS}| clearly)* (?:incorrect|wrong|mistaken|misplaced|misaligned)\b"
    r"|^(?:incorrect|wrong)$|\bincorrectly\b|\bwrongly\b"
    r"|\bin the wrong (?:place|position|spot|orientation|direction|location)\b"
    rf"|\b(?:there (?:is|are)|made|contains|has) (?:an?|one|some|two|several) (?:\w+ )?{_FAULTS}\b"
)
_NO_FAULTS = re.compile(
    rf"\bno (?:visible |obvious |apparent |other |such )?{_FAULTS}\b"
    rf"|\bnothing (?:is |looks |seems )?wrong\b|\bwithout (?:any )?{_FAULTS}\b"
)
# After a verdict: takes it back, or narrows it.
_RETRACTION = re.compile(
    r"\b(?:wait|actually|on second thought|scratch that|correction|i mean|hold on|let me)\b"
)
_CONTRAST = re.compile(
    r"\b(?:but|however|except|although|though|unless|nevertheless|apart from|other than|if"
    r"|almost)\b"
)
# What a text that praises without saying Yes must not speak of.
_HINTS = re.compile(
    r"\b(?:should|needs?|must|instead|off|shifted|rotated|turned|upside|misplaced|missing|extra"
    r"|too|wrong|move|moved|mirrored|flipped|swapped|different)\b"
)


class YesNoAnswer(NamedTuple):
    """`value` is True for Yes, False for No, None when it can't be told."""

    value: bool | None
    status: str


class _Verdict(NamedTuple):
    """What a word or a clause says, None for what can't be told; `end` is where it stands."""

    value: bool | None
    end: int


def parse_yes_no(text: str) -> YesNoAnswer:
    """State: what an answer to "Did I do it correctly?" says."""
    said = final_text(text)
    value, rest = whole_json(said), ""
    if value is None and "{" in said:
        start, end = said.index("{"), said.rfind("}") + 1
        value, rest = whole_json(said[start:end]), f"{said[:start]} {said[end:]}"
    if isinstance(value, bool | dict | list):
        beside = _verdict(_plain(rest)).value
        verdicts = _json_verdicts(value) | (set() if beside is None else {beside})
        status = "ok" if len(verdicts) == 1 else "ambiguous" if verdicts else "unparsed"
        return YesNoAnswer(verdicts.pop() if status == "ok" else None, status)
    plain = _plain(value if isinstance(value, str) else said)
    return _verdict(plain) if plain.strip() else YesNoAnswer(None, "empty")


def _json_verdicts(value: object, depth: int = 3) -> set[bool]:
    """What the known keys of a JSON answer say."""
    if isinstance(value, bool):
        return {value}
    if isinstance(value, str):
        said = parse_yes_no(value).value if whole_json(value) is None else None
        return set() if said is None else {said}
    if isinstance(value, list) and len(value) == 1 and depth:
        return _json_verdicts(value[0], depth - 1)
    if not isinstance(value, dict) or not depth:
        return set()
    named = [v for key, v in value.items() if key.casefold().replace(" ", "_") in _KEYS]
    return set().union(*(_json_verdicts(each, depth - 1) for each in named))


def _plain(text: str) -> str:
    """Lower case, no marks, no question said again, negations as words of their own."""
    said = re.sub(r"\n[ \t]*(?=[a-z])", " ", text)  # a sentence that goes on
    said = said.casefold().translate(_QUOTES)
    said = re.sub(r"\b(?:can\s?'?\s?t|cannot|won'?t)\b", "can not", said)
    said = re.sub(r"n\s?'\s?t\b", " not", said)
    said = re.sub(r"\b(is|was|are|were|does|did|do|has|have)nt\b", r"\1 not", said)
    said = re.sub(r"\b(it|that|there|everything|this)'s\b", r"\1 is", said)
    said = re.sub(r"\b(you|they)'re\b", r"\1 are", said)
    said = re.sub(r"[*_`#\"'|>]+", " ", said)
    said = re.sub(r"\b(?:yes|no)\s{0,9}(?:or|and|/)\s{0,9}(?:no|yes)\b", " ", said)
    said = re.sub(r"\bdid i do (?:it|this|that) correctly\b[^.?!\n]*[.?!]?", " ", said)
    return " ".join(part for part in re.split(r"(?<=[.!?\n])", said) if not part.endswith("?"))


def _verdict(said: str) -> YesNoAnswer:
    judged = list(_judging(said))
    lead = _lead(said)
    spoken = [lead] if lead else _spoken(said)
    values = {each.value for each in spoken} | {v.value for v in judged if v.value is not None}
    if not spoken:
        values = {each.value for each in judged}
        if True in values and _narrowed(said):
            values.add(None)
    if lead:
        values |= _said_otherwise(said, lead)
    rest = said[spoken[-1].end :] if spoken else said
    if _RETRACTION.search(rest) or (spoken and True in values and _CONTRAST.search(rest)):
        values |= {True, False} if values else set()
    if len(values) == 1 and None not in values:
        return YesNoAnswer(values.pop(), "ok")
    return YesNoAnswer(None, "ambiguous" if {True, False} <= values else "unparsed")


def _lead(said: str) -> _Verdict | None:
    """A first word that answers."""
    fillers = _FILLERS.match(said)
    start = fillers.end() if fillers else 0
    for pattern, known in ((_YES_NO, _WORDS), (_LEADING_WORD, _JUDGED)):
        if word := pattern.match(said, start):
            return _Verdict(known[word[0]], word.end())
    return None


def _said_otherwise(said: str, lead: _Verdict) -> set[bool | None]:
    """The opposite of the first word, where it stands alone: at an end, a start, or next to it."""
    found: set[bool | None] = set()
    for word in _YES_NO.finditer(said, lead.end):
        between = said[max(lead.end, word.start() - 200) : word.start()]
        alone = _STOPS.match(said, word.end()) or re.search(r"(?:[.!\n]|^\W*)\s*$", between)
        if alone and not _NEGATOR.search(_CLAUSES.split(between)[-1]):
            found.add(_WORDS[word[0]])
    return found


def _spoken(said: str) -> list[_Verdict]:
    """Every yes or no that ends a clause; the last one announced, where one is."""
    found: list[_Verdict] = []
    announced: list[_Verdict] = []
    for word in _YES_NO.finditer(said):
        before = said[max(0, word.start() - 200) : word.start()]
        clause = _CLAUSES.split(before)[-1]
        denied = _NEGATOR.search(clause) or _PERHAPS.search(clause)
        one = _Verdict(None if denied else _WORDS[word[0]], word.end())
        if _ANNOUNCED.search(before):
            announced.append(one)
        elif _SPOKEN.match(said, word.end()):
            found.append(one)
    return announced[-1:] or found


def _judging(said: str) -> Iterator[_Verdict]:
    """What clauses say that judge the step."""
    ends = [*(match.span() for match in _CLAUSES.finditer(said)), (len(said), len(said))]
    start = 0
    for end, after in ends:
        clause, start = said[start:end].strip(), after
        if _NO_FAULTS.search(clause):
            value = not _NEGATOR.search(_NO_FAULTS.sub("", clause))
            yield _Verdict(value if value and not _UNSURE.search(clause) else None, end)
        elif _RIGHT.search(clause):
            denials = _NEGATOR.findall(clause)
            told = denials in ([], ["not"]) and not _UNSURE.search(clause)
            yield _Verdict(not denials if told else None, end)
        elif _WRONG.search(clause):
            told = not _NEGATOR.search(clause) and not _UNSURE.search(clause)
            yield _Verdict(False if told else None, end)


def _narrowed(said: str) -> bool:
    """Whether a text also denies, limits or advises something."""
    rest = _NO_FAULTS.sub(" ", said)
    return any(each.search(rest) for each in (_NEGATOR, _CONTRAST, _HINTS))
