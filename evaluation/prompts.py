"""What a model is asked (T22, R2, R10): a query from switchable parts, and answer templates.

A row's `query` is token, instruction and format directive; with all three switched on the text is
the row's own, to the letter. The four settings of the thesis' Table 8.4 are in PAPER_SETTINGS.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

from core.answers import format_boxes, parse_boxes
from core.errors import UserError
from core.frames import MAX_PIXELS, MIN_PIXELS, RESIZES, SHARES, from_norm100, whole
from core.items import Item, several
from tasks import EVERY_TASK
from tasks.object.text import PERCENT
from tasks.queries import take_apart

# How the object directive says which frame it asks for.
FRAME_WORDS = {
    "norm1": "normalized to [0,1]",
    "norm100": PERCENT,
    "norm1000": "normalized to [0,1000]",
    "px": "in pixels of the picture",
    "resized_px": "in pixels of the picture as you see it",
    "padded_norm": "normalized to [0,1] of the picture padded to a square",
}
_JSON = '[{"bbox_2d": [x1, y1, x2, y2], "label": "1 object name"}]'
_CORNERS = (
    f", with x and y coordinates {PERCENT}: x1 and y1 are the top-left corner, x2 and y2 the "
    "bottom-right corner."
)
# LEGO-R1's (R2); the missing space after "]" is theirs, and that no frame is named.
LEGO_R1_DIRECTIVE = (
    'Providing the positions in the format: [{"bbox_2d": [x1, y1, x2, y2], '
    '"label": "1 object name"}]x1 and y1 for the top-left corner. '
    "x2 and y2 for the bottom-right corner."
)
FORMS = ("angle", "json", "fenced", "tagged", "qwen-vl", "lego-r1", "words")
# How the object directive asks for the forms but angle.
BOX_DIRECTIVES = {
    "json": f"Give the positions as a JSON list, {_JSON}{_CORNERS}",
    # What reads these wants labels to the letter.
    "fenced": f"Give the positions as a JSON list in a code block, ```json\n{_JSON}\n```{_CORNERS}"
    " A label is the number, colour and kind of a part, without its size.",
    "tagged": "Give each position as <ref>1 object name</ref><box>[[x1, y1, x2, y2]]</box>"
    f"{_CORNERS}",
    "qwen-vl": "Give each position as <ref>1 object name</ref><box>(x1,y1),(x2,y2)</box>"
    f"{_CORNERS}",
    "lego-r1": LEGO_R1_DIRECTIVE,
    "words": "Say where they are in words, one of upper left, upper middle, upper right, middle "
    "left, middle, middle right, lower left, lower middle, lower right: 1 object name: upper left",
}
# Frames that a form itself means: whoever reads it takes the numbers for nothing else.
FORM_FRAMES = {"tagged": "norm1000", "qwen-vl": "norm1000", "words": "norm100"}
THINK = (
    "{question} First output the thinking process in <think> </think> tags and then output the "
    "final answer in <answer> </answer> tags."
)


@dataclass(frozen=True)
class Setting:
    """Which parts a prompt has, and the form of the answer asked for."""

    token: bool = True
    instruction: bool = True
    directive: bool = True
    image: bool = True
    # fixed (Table 11.3, text only), fixed-train (the same rows every time), dynamic (R9), none
    examples: str = "fixed"
    shots: int = 2
    # Whether examples show their pictures: yes, no, or where the question does.
    example_pictures: str = "as-question"
    # Whose train rows: any (R9: of the own manual first), other (never of it).
    example_manuals: str = "any"
    previous: bool = False  # "Previous instruction: ..." before scene and state prompts (R10)
    template: str = "plain"  # plain, think
    # angle (T11), json (R1), fenced (json in a code block), tagged (InternVL's), qwen-vl (its
    # tags), lego-r1 (json, asked for in its words), words (places for people)
    boxes: str = "angle"
    # Of rows with several pictures: the sheet that has all of them, or each by itself (single).
    pictures: str = "sheet"
    frame: str = "norm100"  # of the boxes in answers
    # Where frame is resized_px: least and most area of a picture, None for `smart_resize`'s own,
    # and who resizes it (`frames.RESIZES`).
    pixels: tuple[int, int] | None = None
    resize: str = "qwen"

    @property
    def name(self) -> str:
        """Short and different for different settings: names files and table rows."""
        known = {setting: name for name, setting in PAPER_SETTINGS.items()}
        if self in known:
            return known[self]
        default = Setting()
        parts = [
            ("" if value else "no-") + field.name
            if isinstance(value, bool)
            else f"{field.name}-{value}"
            for field in fields(self)
            if (value := getattr(self, field.name)) != getattr(default, field.name)
        ]
        return ".".join(parts)


PARTS = tuple(field.name for field in fields(Setting) if field.default is True)
# Table 8.4: with and without instruction, with and without in-context examples.
PAPER_SETTINGS = {
    "full": Setting(),
    "no-instruction": Setting(instruction=False),
    "no-examples": Setting(examples="none"),
    "neither": Setting(instruction=False, examples="none"),
}


def setting_of(name: str, without: Sequence[str] = (), **changes: object) -> Setting:
    """A named setting with parts switched off and fields changed; raises `UserError`."""
    if name not in PAPER_SETTINGS:
        raise UserError(f"--setting {name}: unknown; one of {', '.join(PAPER_SETTINGS)}")
    switches = {*PARTS, "examples"}
    for part in without:
        if part not in switches:
            raise UserError(f"--without {part}: no such part; any of {', '.join(sorted(switches))}")
        changes[part] = "none" if part == "examples" else False
    given = {key: value for key, value in changes.items() if value is not None}
    made = replace(PAPER_SETTINGS[name], **given)  # type: ignore[arg-type]
    check_form(made, "--example-frame")
    return made


def check_form(setting: Setting, option: str) -> None:
    """Raise `UserError` where boxes would be read in another frame than they are written in."""
    frame = FORM_FRAMES.get(setting.boxes, setting.frame)
    if setting.frame != frame:
        raise UserError(
            f"{option} {setting.frame}: boxes that are {setting.boxes} are read as {frame}; "
            f"give {option} {frame}"
        )


def question(query: str, config: str, setting: Setting) -> str:
    """The parts of a row's query that are switched on, before any answer template."""
    parts = take_apart(query, config)
    words = EVERY_TASK[config].text
    directive = words.form or parts.directive
    joint = " " if words.form else parts.joint
    if words.in_boxes and (setting.boxes, setting.frame) != ("angle", "norm100"):
        # A query in words that are not known says nothing of this form and frame.
        own = directive or words.directives["paper"]
        directive = BOX_DIRECTIVES.get(setting.boxes, own)
        joint = joint or " "
    directive = directive.replace(PERCENT, FRAME_WORDS[setting.frame])
    body = (parts.instruction if setting.instruction else "") + (
        joint if setting.instruction and setting.directive else ""
    )
    body += directive if setting.directive else ""
    return " ".join(filter(None, [parts.token if setting.token else "", body]))


def ask(item: Item, setting: Setting) -> str:
    """The whole text of the last user turn."""
    text, words = question(item.query, item.config, setting), EVERY_TASK[item.config].text
    if setting.previous and words.tells_before and item.previous_instruction:
        text = f"Previous instruction: {item.previous_instruction}\n{text}"
    if setting.template == "think":
        text = THINK.format(question=text.rstrip())
        text += words.after_thinking
    return text


def expected_answer(item: Item, setting: Setting) -> str:
    """A row's answer in the form that a setting asks for.

    Percent are those of the row's text; other frames come from the unrounded boxes, in whole units.
    """
    text = item.answer
    if EVERY_TASK[item.config].text.in_boxes and (setting.boxes, setting.frame) != (
        "angle",
        "norm100",
    ):
        digits = 3 if setting.frame in SHARES else 2
        # Some forms of no box are no text: what says that there is none stays.
        text = format_boxes(_boxes(item, setting), setting.boxes, digits) or text
    return f"<answer>{text}</answer>" if setting.template == "think" else text


def _boxes(item: Item, setting: Setting) -> list[tuple[str, Sequence[float]]]:
    """(label, box in the setting's frame) of an object row, as its answer names them."""
    found = parse_boxes(item.answer).boxes
    if setting.frame == "norm100":
        return [(b.label, b.box) for b in found]
    same = len(found) == len(item.boxes_norm100)
    exact = item.boxes_norm100 if same else [b.box for b in found]
    resized = None
    if setting.frame == "resized_px" and item.size_wh:
        least, most = setting.pixels or (MIN_PIXELS, MAX_PIXELS)
        resized = RESIZES[setting.resize](item.size_wh, least, most)
    framed = [from_norm100(box, setting.frame, item.size_wh, resized) for box in exact]
    rounded = framed if setting.frame in SHARES else [whole(box) for box in framed]
    return [(b.label, box) for b, box in zip(found, rounded, strict=True)]


EXAMPLE_PICTURES, EXAMPLE_MANUALS = ("as-question", "yes", "no"), ("any", "other")


class Turn(NamedTuple):
    """One message. `image` is the item whose picture comes before the text."""

    role: str
    text: str
    image: Item | None = None
    more: tuple[Item, ...] = ()  # pictures after the first

    @property
    def images(self) -> tuple[Item, ...]:
        """The items whose pictures come before the text."""
        return () if self.image is None else (self.image, *self.more)


class Example(NamedTuple):
    """A solved query shown before the real one; `how` says how it was found."""

    query: str
    answer: str
    item: Item | None
    how: str


class Prompt(NamedTuple):
    """Everything one item's model call is made from."""

    item: Item
    turns: tuple[Turn, ...]
    examples: tuple[Example, ...]


def shows_examples(setting: Setting) -> bool:
    """Whether examples of train rows have their pictures."""
    if setting.example_pictures == "as-question":
        return setting.image
    return setting.example_pictures == "yes"


def _before(item: Item, setting: Setting) -> Iterator[Turn]:
    """The turns before the question, as they should have been, of a row that has some."""
    pictures = several(item)
    for turn in item.derived.get("history") or ():
        seen = setting.image and turn["picture"] is not None
        yield Turn(turn["role"], turn["text"], pictures[turn["picture"]] if seen else None)


def build_prompt(item: Item, setting: Setting, examples: Sequence[Example] = ()) -> Prompt:
    """Examples as turns of their own, then the question."""
    turns: list[Turn] = []
    for example in examples:
        shown = example.item if shows_examples(setting) else None
        turns += [Turn("user", example.query, shown), Turn("assistant", example.answer)]
    turns += _before(item, setting)
    text = ask(item, setting)
    if setting.image and setting.pictures == "single" and "labels" in item.derived:
        pictures = several(item)
        text = f"The pictures are, in this order: {', '.join(item.derived['labels'])}. {text}"
        turns.append(Turn("user", text, pictures[0], tuple(pictures[1:])))
    else:
        turns.append(Turn("user", text, item if setting.image else None))
    return Prompt(item, tuple(turns), tuple(examples))
