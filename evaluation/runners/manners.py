"""How an endpoint wants to be asked: learnt from what it refuses, and kept for the whole run.

Servers differ in the parameters they take (`max_tokens` or `max_completion_tokens`, a temperature
or none) and in the pictures they can open (WebP is not everybody's). A refusal that names such a
thing is met by asking without it; any other refusal is the user's to mend.
"""

import base64
import io
import logging
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from core.items import Item, picture_bytes
from evaluation.prompts import Prompt
from evaluation.runners import RunnerOptions

log = logging.getLogger(__name__)

ADAPTED = {400, 415, 422, 500, 501}
_FIXED = ("model", "messages")
_RENAMED = {"max_tokens": "max_completion_tokens"}
# A number that is too big is no parameter that is not known.
_VALUE = re.compile(
    r"too (?:large|small|long|high|low|many)|at (?:least|most)|(?:less|greater|more) than|context"
    r"|exceed|out of range|must be|minimum|maximum"
)
# Parameters whose names are words that a message may hold for other reasons.
_WORDS = {"stop", "n", "user", "store", "stream"}
_PICTURES = re.compile(r"image|picture|webp|mime|media|decode|file type|format")
# A server that fails over a picture, rather than refusing it (llama.cpp).
_PICTURE_FAULT = re.compile(
    r"(?:fail\w*|unable|can ?not|can't|could not|couldn't)(?: to)? (?:load|decode|process|read"
    r"|identify|open)\b.{0,20}\bimage|webp"
)
# What is tried in turn: nothing is lost in PNG, JPEG changes pixels.
_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg"}
JPEG_QUALITY = 95


@dataclass
class Manner:
    """What an endpoint has refused so far; shared by all threads that ask."""

    renamed: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    picture_format: str | None = None
    version: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def request(
        self, prompt: Prompt, options: RunnerOptions
    ) -> tuple[int, dict[str, Any], list[str]]:
        """(version, JSON body, what is asked otherwise than `body_of` would)."""
        with self.lock:
            version, picture_format = self.version, self.picture_format
            renamed, dropped = dict(self.renamed), list(self.dropped)
        body = body_of(prompt, options, picture_format)
        sent = {renamed.get(key, key): value for key, value in body.items()}
        changes = [f"{old} as {new}" for old, new in renamed.items() if new not in dropped]
        changes += [f"without {key}" for key in dropped]
        changes += [f"pictures as {picture_format}"] if picture_format else []
        return version, {key: v for key, v in sent.items() if key not in dropped}, changes

    def learn(self, version: int, status: int, said: str, body: dict[str, Any]) -> bool:
        """Whether asking again is worth while: another way is known, or was found just now."""
        with self.lock:
            if version != self.version:
                return True
            told = self._change(status, said.casefold(), body)
            if told is None:
                return False
            self.version += 1
        log.warning("the endpoint refuses %s", told)
        return True

    def _change(self, status: int, said: str, body: dict[str, Any]) -> str | None:
        """Take what was refused into account; returns a line about it, None for nothing new."""
        if status not in ADAPTED:
            return None
        refused = [key for key in body if key not in _FIXED and _named(key, said)]
        if refused and status < 500:
            key = refused[-1]
            if key in _RENAMED and key not in self.renamed:
                self.renamed[key] = _RENAMED[key]
                return f"{key}: asked with {_RENAMED[key]}"
            self.dropped.append(key)
            return f"{key}: asked without it"
        if (_PICTURES if status < 500 else _PICTURE_FAULT).search(said):
            for name, kind in _FORMATS.items():
                if name != self.picture_format and _kinds(body) - {kind}:
                    if self.picture_format == "JPEG":
                        return None
                    self.picture_format = name
                    lossy = ", which changes pixels" if name == "JPEG" else ""
                    return f"these pictures: sent as {name}{lossy}"
        return None


def fails_over_a_picture(status: int, said: str) -> bool:
    """Whether an error that is usually passing comes of the picture, and would come again."""
    return status in (500, 501) and _PICTURE_FAULT.search(said.casefold()) is not None


def _named(key: str, said: str) -> bool:
    """Whether a refusal is about a parameter, and not about its value being too big."""
    quote = "[\"'`]" if key in _WORDS else r"(?<!\w)"
    after = "[\"'`]" if key in _WORDS else r"(?!\w)"
    if not re.search(f"{quote}{re.escape(key)}{after}", said):
        return False
    return not (key.startswith("max_") and _VALUE.search(said))


def _kinds(body: dict[str, Any]) -> set[str]:
    """Media types of the pictures in a request."""
    urls = [
        part["image_url"]["url"]
        for message in body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    return {url.partition(":")[2].partition(";")[0] for url in urls}


def body_of(
    prompt: Prompt, options: RunnerOptions, picture_format: str | None = None
) -> dict[str, Any]:
    """The JSON of a request: pictures as data URLs before the text of their turn."""
    messages = []
    for turn in prompt.turns:
        content: list[dict[str, Any]] = []
        for image in turn.images:
            url = _data_url(image, picture_format)
            content.append({"type": "image_url", "image_url": {"url": url}})
        content.append({"type": "text", "text": turn.text})
        messages.append({"role": turn.role, "content": content if turn.image else turn.text})
    return {
        "model": options.model,
        "messages": messages,
        "max_tokens": options.max_new_tokens,
        "temperature": options.temperature,
        **options.parameters,
    }


def _data_url(item: Item, picture_format: str | None) -> str:
    data = picture_bytes(item)
    with Image.open(io.BytesIO(data)) as image:
        kind = image.get_format_mimetype()
        if picture_format and kind != _FORMATS[picture_format]:
            data, kind = _encoded(image, picture_format), _FORMATS[picture_format]
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _encoded(image: Image.Image, picture_format: str) -> bytes:
    buffer = io.BytesIO()
    if picture_format == "JPEG":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")
    image.save(buffer, picture_format, quality=JPEG_QUALITY)
    return buffer.getvalue()
