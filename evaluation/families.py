"""Families of models: the boxes that each writes of itself, and its prompt where nothing tells it.

A processor with a chat template, and the trainers of exports, write the prompt themselves; `prompt`
is for models without one, as the papers' BLIP-2 and InstructBLIP, and for programs of other people
that read prompts as text (`evaluate prompts`).
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from evaluation.prompts import Turn


@dataclass(frozen=True)
class Template:
    """A prompt as text: `image` is what stands for a picture, "" where the processor puts it."""

    user: str  # with {image} and {question}, up to where the answer begins
    assistant: str  # with {answer}, of examples
    image: str = ""
    before: str = ""


@dataclass(frozen=True)
class Family:
    """`models` is found in a model's id or type; boxes and frame are those that it was taught."""

    models: str
    boxes: str = "angle"
    frame: str = "norm100"
    template: Template | None = None
    shows_examples: bool = True  # can see more than one picture


_HUMAN = "The assistant gives helpful, detailed, and polite answers to the "
_SIGN = "<Img><ImageHere></Img> "
# The first one whose pattern is found counts.
FAMILIES = {
    "qwen3-vl": Family(r"qwen[-_]?3[-_]?vl", "json", "norm1000"),
    "qwen2.5-vl": Family(r"qwen[-_]?2[._]5[-_]?vl", "json", "resized_px"),
    # Pictures are told by its tokenizer: "Picture 1: <img>FILE</img>".
    "qwen-vl": Family(r"qwen[-_]vl", "qwen-vl", "norm1000"),
    "internvl": Family(r"internvl", "tagged", "norm1000"),
    "minigpt-v2": Family(
        r"minigpt[-_]?v2",
        template=Template("<s>[INST] {image}{question} [/INST]", "{answer}", _SIGN),
    ),
    "minigpt-4": Family(
        r"minigpt[-_]?4",
        template=Template(
            "###Human: {image}{question}###Assistant:",
            " {answer}",
            _SIGN,
            "Give the following image: <Img>ImageContent</Img>. You will be able to see the image "
            "once I provide it to you. Please answer my questions.",
        ),
    ),
    "instructblip": Family(
        r"instruct[-_]?blip",
        template=Template("{question}", "\n{answer}\n\n"),
        shows_examples=False,
    ),
    "blip-2": Family(
        r"blip[-_]?2",
        template=Template("Question: {question} Answer:", " {answer} "),
        shows_examples=False,
    ),
    "mplug-owl2": Family(
        r"mplug[-_]?owl[-_]?2",
        template=Template("USER: {image}{question} ASSISTANT:", " {answer}</s>", "<|image|>"),
    ),
    "mplug-owl": Family(
        r"mplug[-_]?owl(?![-_]?\d)",
        template=Template(
            "{image}Human: {question}\nAI:",
            " {answer}\n",
            "Human: <image>\n",
            f"The following is a conversation between a curious human and AI assistant. {_HUMAN}"
            "user's questions.\n",
        ),
    ),
    "otter": Family(
        r"otter",
        template=Template(
            "{image}User: {question} GPT:<answer>", " {answer}<|endofchunk|>", "<image>"
        ),
    ),
    "llava": Family(
        r"llava",
        frame="padded_norm",
        template=Template("USER: {image}{question} ASSISTANT:", " {answer}</s>", "<image>\n"),
    ),
}


def family_of(model: str) -> str | None:
    """The family of a model's id, folder or type; None for one of no family here."""
    texts = [model, _type_in(Path(model))]
    for name, family in FAMILIES.items():
        if any(re.search(family.models, text, re.IGNORECASE) for text in texts):
            return name
    return None


def _type_in(folder: Path) -> str:
    """The `model_type` that a model's folder names, "" where there is none."""
    try:
        return str(json.loads((folder / "config.json").read_bytes())["model_type"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def chosen(text: str, model: str | None = None) -> tuple[str, Family]:
    """The family that `--family TEXT` means: a name, a model's id, or `auto` for that of `model`.

    Raises `UserError` for none.
    """
    asked = model if text == "auto" and model else text
    name = asked if asked in FAMILIES else family_of(asked)
    if name is None:
        raise UserError(f"--family {text}: {asked} is of none; one of {', '.join(FAMILIES)}")
    return name, FAMILIES[name]


def prompt_text(turns: tuple[Turn, ...], template: Template) -> str:
    """A prompt as text, up to where the answer begins."""
    said = [template.before]
    for turn in turns:
        if turn.role == "user":
            image = template.image * len(turn.images)
            said.append(template.user.format(image=image, question=turn.text))
        else:
            said.append(template.assistant.format(answer=turn.text))
    return "".join(said)
