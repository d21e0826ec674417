"""Yes or No: what is said, and never the opposite."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.answers import parse_yes_no

YES = (
    "Yes.", "yes", "YES!", "Yeah, looks good.", "Yep", "Correct.", "Right.", "True",
    "Yes, you did it correctly.", "Yes - the plate sits on top.", "Yes. No mistakes.",
    "No mistakes here. The step was done correctly.", "No mistakes.", "There are no errors.",
    "I see no visible issues.", "There is nothing wrong.", "You did it correctly.",
    "It is correct.", "That's right.", "Everything looks correct.", "The assembly is correct.",
    "The step was performed correctly.", "Absolutely correct!", "I would say yes",
    "The part sits where it should, so yes.", "There is no gap, so: yes.", "My answer is yes.",
    '{"answer": true}', '{"answer": "Yes"}', '{"correct": true, "reason": "no gap"}', '["Yes"]',
)  # fmt: skip
NO = (
    "No.", "no", "NO!", "Nope.", "Nah", "Incorrect.", "Wrong!", "False.", "Not correct.",
    "No, the part is shifted.", "No it is not.", "No - it is turned.", "No, but close.",
    "No, the correct place is one stud to the left.", "No. It was not placed correctly.",
    "It is not correct.", "It isn't right.", "That's not right", "You did not do it correctly.",
    "The step wasn't performed correctly.", "It was done incorrectly.", "This is wrong.",
    "I don't think it is correct.", "There is a mistake.", "You put it in the wrong place.",
    "Actually, no.", "Sorry, no.", "Unfortunately no, it is turned.", "No, I would not say yes.",
    "The correct answer is no.", "The answer is: no", '{"answer": "No."}', '{"is_correct": false}',
    '{"answer": "no", "reason": "yes, it is red"}', '{"answer": "No", "reason": "the pla',
)  # fmt: skip
NEITHER = (
    "The answer is not yes.", "not yes", "not no", "I can't say yes.", "I wouldn't say no.",
    "Neither yes nor no.", "yes and no", "Yes or No", "Just tell me Yes or No.", "Yes/No",
    "No gap.", "There is no gap.", "No way to tell.", "no one can tell", "No. 5 is missing",
    "no, wait, yes", "No. Yes.", "Yes. No.", "Yes no", "No, yes.", "No... hold on. It is fine.",
    "Yes, but the plate is rotated.", "Yes. However, it should be turned.", "Yes, if you turn it.",
    "Yes, it is wrong.", "No, it is correct.", "No, there are no mistakes.", "I think yes, but no.",
    "No mistakes, but the plate is off by one.", "It's not wrong", "Not incorrect.",
    "It is neither correct nor incorrect.", "It should be placed correctly.", "Almost correct.",
    "I'm not sure it is correct.", "The color is correct.", "It is right of the plate.",
    "It is to the right.", "It was not moved and is correct.", "Correct placement would be left.",
    "The first plate was correctly placed, the second was not.", "Nothing to see. Yesterday.",
    '{"reason": "no"}', '{"answer": "yes", "correct": false}', "{}", "[]", "1", "null",
    # another language
    "Oui.", "Ja, das ist richtig.", "Nein", "S\u00ed", "No es correcto.", "\u306f\u3044",
    # thinking only
    "<think>yes", "<thinking>No.", "yes</think>", "Reasoning: yes, it looks fine.", "", "  ",
)  # fmt: skip
# What may stand around an answer and changes nothing.
AROUND = (
    "{}", "**{}**", "`{}`", "```\n{}\n```", "<answer>{}</answer>", "\\boxed{{{}}}", "\n\n{}\n",
    "<think>yes or no? No. Yes.</think>\n{}", "No, wait.</think>{}", "Answer: {}", "{}<|im_end|>",
    "Did I do it correctly? {}", "Reasoning: it might be yes.\nFinal answer: {}",
    "<|begin_of_box|>{}<|end_of_box|>", "### Answer\n{}", '"{}"',
)  # fmt: skip


def json_in_quotes(text, around):
    return text[:1] in "{[" and around == '"{}"'


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(("said", "value"), [(YES, True), (NO, False)], ids=["yes", "no"])
def test_what_is_said_is_read(said, value, around):
    wrong = [
        text for text in said
        if not json_in_quotes(text, around)
        and parse_yes_no(around.format(text)) != (value, "ok")
    ]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize("text", NEITHER)
def test_what_may_mean_either_is_neither(text):
    answer = parse_yes_no(text)
    assert answer.value is None and answer.status in ("ambiguous", "unparsed", "empty")


def test_case_and_typographic_quotes_change_nothing():
    for texts, value in ((YES, True), (NO, False)):
        for text in texts:
            quoted = text.replace("'", "\u2019")
            for other in (quoted, quoted.upper(), quoted.lower()):
                if text[:1] not in "{[":
                    assert parse_yes_no(other) == (value, "ok"), other


def test_two_answers_that_contradict_are_ambiguous():
    """An answer that is announced as one counts alone."""
    plain = [text for text in (*YES, *NO) if text[:1] not in "{[" and "answer" not in text]
    for one, other in itertools.product(plain, plain):
        if (one in YES) is not (other in YES):
            assert parse_yes_no(f"{one.rstrip('.!')}. {other}").value is not (other in YES)


@example("There is nothing wrong.", 8, "\n")
@given(st.sampled_from([*YES, *NO]), st.integers(0, 50), st.sampled_from(list(" \n*_`")))
@settings(max_examples=200)
def test_marks_between_words_never_make_the_opposite(text, place, sign):
    words = text.split(" ")
    at = place % (len(words) + 1)
    assert parse_yes_no(" ".join([*words[:at], sign, *words[at:]])).value is not (text not in YES)
