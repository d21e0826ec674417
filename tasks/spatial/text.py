"""The words of spatial questions: those of LLaVA-VSD (arXiv 2408.04957) first, then others.

A pair is asked about in three ways: choose the relation, describe it in one phrase, give three
descriptions. `paper` uses the first template of each; `readable` draws from all.
"""

from core.relations import RELATIONS, WORDS
from tasks.task import Text

CHOICES = ", ".join(WORDS[name] for name in RELATIONS)
LINE_BREAK = " \n "  # between the three lines of an open answer

TEMPLATES: dict[str, tuple[str, ...]] = {
    "classification": (
        "Given the image, choose the most appropriate preposition to complete the sentence: "
        "'The {one} {is_} [BLANK] the {other}'. Select from: {choices}.",
        "Look at the picture and fill in the blank with one of these: {choices}. "
        "'The {one} {is_} [BLANK] the {other}.'",
        "Which of these words says best where the {one} {is_}, seen from the {other}: {choices}?",
        "Complete the sentence so that it is true of the picture: 'The {one} {is_} [BLANK] the "
        "{other}.' Possible words: {choices}.",
        "How do the {one} and the {other} stand to each other? The {one} {is_} ... the {other}. "
        "Choose one: {choices}.",
    ),
    "single": (
        "Based on the image, provide a concise textual description or phrase of the single "
        "spatial relationship between the two objects {one} and {other}.",
        "Describe in one short sentence where the {one} {is_}, seen from the {other}.",
        "In a few words: how do the {one} and the {other} stand to each other in the picture?",
        "Say briefly what the picture shows of the place of the {one} and the {other}.",
        "Where {is_} the {one}? Answer with one phrase that names the {other}, too.",
    ),
    "open": (
        "Using the image as a reference, generate three detailed and diverse textual descriptions "
        "that describe the spatial relationship between the two objects {one} and {other}.",
        "Describe in three different ways where the {one} {is_}, seen from the {other}, a line "
        "each.",
        "Write three sentences, as unlike each other as you can, on how the {one} and the {other} "
        "stand to each other in the picture.",
        "Give three descriptions of where the {one} and the {other} are, from short to detailed.",
        "Three people look at the picture and say where the {one} {is_}, seen from the {other}. "
        "What could each of them say?",
    ),
}

TEXT = Text(
    title="Spatial relations",
    asks="where is the new part?",
    bodies={"paper": "{asked}", "readable": "{asked}"},
    directives={"paper": "", "readable": " Say only what can be seen."},
    examples=(
        (
            "Given the image, choose the most appropriate preposition to complete the sentence: "
            "'The yellow ball is [BLANK] the water'. Select from: "
            f"{CHOICES}.",
            "in",
        ),
        (
            "Based on the image, provide a concise textual description or phrase of the single "
            "spatial relationship between the two objects yellow ball and water.",
            "A yellow ball is floating in the water.",
        ),
    ),
    tells_before=False,
    shared=("pair_id",),
    shared_name="pair",
)


def question(conversation: str, template: int, one: str, is_: str, other: str) -> str:
    """A question by its template. `one` and `other` are names without article.

    >>> question("single", 1, "red plate 1x2", "is", "table")
    'Describe in one short sentence where the red plate 1x2 is, seen from the table.'
    """
    words = TEMPLATES[conversation][template]
    return words.format(one=one, is_=is_, other=other, choices=CHOICES)
