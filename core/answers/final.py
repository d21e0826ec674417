"""The answer proper: what is left of a model's text without thinking, tags, fences and tokens."""

import json
import re
from typing import NamedTuple

# What a runaway generation may cost: no honest answer is longer. Thinking may be.
MAX_CHARS = 20_000

_NAMES = "think|thinking|thoughts?|reasoning|reflection|analysis|rationale|scratchpad"
# DeepSeek, Qwen, GLM, R1-like; Seed; Kimi; Magistral; OpenThinker; MedGemma; gpt-oss.
_OPEN = (
    rf"<\s?(?:seed:)?(?:{_NAMES})\b[^<>]{{0,40}}>|◁think▷|\[THINK\]|<\|begin_of_thought\|>"
    r"|<unused94>|<\|channel\|>(?:analysis|commentary)[^<>]{0,40}<\|message\|>"
)
_CLOSE = (
    rf"<\s?/\s?(?:seed:)?(?:{_NAMES})\s?>|◁/think▷|\[/THINK\]|<\|end_of_thought\|>"
    r"|<unused95>|<\|channel\|>final[^<>]{0,40}<\|message\|>"
)
_THINKING = re.compile(f"(?P<open>{_OPEN})|(?P<close>{_CLOSE})", re.IGNORECASE)
_TOKENS_LEFT_OUT = re.compile(r"\A\s*analysis.*assistantfinal", re.DOTALL)  # of gpt-oss
_REASONING = re.compile(
    r"\W{0,9}(?:reasoning|thinking|thoughts?|thought process|analysis|rationale)\W{0,3}:", re.I
)

_ANSWER_NAMES = "answer|final_answer|conclusion|solution"
_ANSWER_OPEN = re.compile(rf"<(?:{_ANSWER_NAMES})>", re.IGNORECASE)
_ANSWER_CLOSE = re.compile(rf"</(?:{_ANSWER_NAMES})>", re.IGNORECASE)
_ANSWER_MARK = re.compile(
    r"(?:^|[.!?]\s)[ \t*_#>-]*(?:(?:so|thus|therefore|hence),?[ ])?(?:(?:my|the)[ ])?(?:final[ ])?"
    r"(?:answer|conclusion|verdict)(?:[ ]is)?[*_]*\s?[:\uff1a][*_]*|^[ \t]*[#*]+[ \t]*(?:final[ ])?"
    r"answer[*_:]*[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_BOXED = "\\boxed{"

# Special tokens that say what a box or its label is, as the tags that other models write.
_TOKEN_TAGS = {
    "<|object_ref_start|>": "<ref>", "<|object_ref_end|>": "</ref>",
    "<|box_start|>": "<box>", "<|box_end|>": "</box>",
    "<|quad_start|>": "<quad>", "<|quad_end|>": "</quad>",
    "<|ref|>": "<ref>", "<|/ref|>": "</ref>", "<|det|>": "<det>", "<|/det|>": "</det>",
}  # fmt: skip
_BOX_TOKENS = ("<|begin_of_box|>", "<|end_of_box|>")  # GLM: around the answer, whatever it is
_SPECIAL = re.compile(
    r"</?s>|<\|/?[\w ]{1,40}\|>|<｜[^｜<>]{1,40}｜>|<unk>|<pad>|<eos>|<bos>|\[/?INST\]"  # noqa: RUF001
    r"|<(?:start|end)_of_turn>|<end_of_utterance>",
    re.IGNORECASE,
)
_FENCE = re.compile(r"```[\w-]*")
TEXT_KEYS = ("answer", "final_answer", "instruction", "text", "content")


class TextAnswer(NamedTuple):
    """An instruction; "" when there is none."""

    value: str
    status: str


def answer_part(text: str) -> str:
    """The answer with its code fences: no thinking, no tags around it, no special tokens."""
    text = _without_thinking(str(text))
    for token, tag in _TOKEN_TAGS.items():
        text = text.replace(token, tag)
    if text.count(_BOX_TOKENS[0]) == 1:
        text = text.partition(_BOX_TOKENS[0])[2].partition(_BOX_TOKENS[1])[0]
    text = _SPECIAL.sub(" ", text)
    said = _tagged(text)
    if said is None:
        said = _marked(_boxed(text))
    return said.strip()[:MAX_CHARS]


def final_text(text: str) -> str:
    """The answer without thinking, tags, code fences and a model's special tokens."""
    return unfenced(answer_part(text))


def unfenced(said: str) -> str:
    """What stands in code fences, if there are any and they hold something."""
    inside = " ".join(_FENCE.split(said)[1::2]).strip()
    return inside or said.replace("```", " ").strip()


def _without_thinking(text: str) -> str:
    """What stands outside thinking; all before an end without a beginning is thinking too.

    Thinking that was never ended hides the rest, unless the text ends with an answer in its tags.
    """
    text = _TOKENS_LEFT_OUT.sub("", text)
    kept: list[str] = []
    since: int | None = 0  # where the text outside of thinking goes on; None: inside
    thought_from = 0
    for match in _THINKING.finditer(text):
        if match["close"]:
            if since is not None:
                kept.clear()
            since = match.end()
        elif since is not None:
            kept.append(text[since : match.start()])
            since, thought_from = None, match.end()
    if since is None:
        rest = text[thought_from:]
        return rest if re.search(rf"</(?:{_ANSWER_NAMES})>\s*$", rest, re.I) else " ".join(kept)
    return " ".join([*kept, text[since:]])


def _tagged(text: str) -> str | None:
    """What stands in the last answer tags that hold something; None without such tags."""
    parts = [_ANSWER_CLOSE.split(part)[0] for part in _ANSWER_OPEN.split(text)[1:]]
    said = [part for part in parts if part.strip()]
    if parts:
        return said[-1] if said else ""
    return _ANSWER_CLOSE.sub(" ", text) if _ANSWER_CLOSE.search(text) else None


def _boxed(text: str) -> str:
    r"""What the last `\boxed{...}` holds, where there is one."""
    start = text.rfind(_BOXED)
    if start < 0:
        return text
    depth, begin = 1, start + len(_BOXED)
    for at in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return re.sub(r"\\text\{([^{}]*)\}", r"\1", text[begin:at])
    return text


def _marked(text: str) -> str:
    """What follows the last "Answer:"; "" for reasoning that comes to none."""
    if whole_json(unfenced(text)) is not None:
        return text
    marks = [match.end() for match in _ANSWER_MARK.finditer(text)]
    said = [text[end:] for end in marks if text[end:].strip(" \t\r\n*_#")]
    if said:
        return said[-1]
    return "" if _REASONING.match(text) else text


def parse_text(text: str) -> TextAnswer:
    """Scene: an instruction, also as a JSON string, object or list of strings."""
    said = final_text(text)
    if said[:1] in ('"', "{", "["):
        value = whole_json(said)
        if isinstance(value, dict):
            named = [value[key] for key in TEXT_KEYS if isinstance(value.get(key), str)]
            value = named[:1] or [part for part in value.values() if isinstance(part, str)]
        if isinstance(value, list):
            value = " ".join(part for part in value if isinstance(part, str)) or None
        said = value if isinstance(value, str) else said
    said = " ".join(said.split())
    return TextAnswer(said, "ok" if said else "empty")


def whole_json(text: str) -> object:
    """The value of a text that is JSON and nothing else, else None."""
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
