"""`evaluate prompts`: what a model would be asked, as files, for programs that run it elsewhere.

A line of `prompts.jsonl` has `id`, `messages`, `images` (in the order of the messages) and, of a
family with a template, `prompt`: the whole text, a sign in it for every picture that it places.
"""

import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from core.errors import UserError
from core.items import Item, load_items, picture_bytes
from core.store import sha256, writing
from evaluation.families import FAMILIES, prompt_text
from evaluation.prompts import Prompt
from evaluation.run import Asked, items_of, prompts_of

FILE, IMAGES = "prompts.jsonl", "images"


def write(asked: Asked, family: str | None, out: Path) -> int:
    """Write the prompts of a run and their pictures; returns how many there are."""
    if out.is_dir() and any(out.iterdir()):
        raise UserError(f"--out {out}: it is not empty; choose another folder or empty it")
    items = items_of(asked, load_items(asked.build, asked.config, asked.split))
    (out / IMAGES).mkdir(parents=True, exist_ok=True)
    with writing(out / FILE) as temporary, temporary.open("w", encoding="utf-8") as file:
        for prompt in prompts_of(asked, items):
            file.write(json.dumps(_line(prompt, family, out)) + "\n")
    return len(items)


def _line(prompt: Prompt, family: str | None, out: Path) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    images: list[str] = []
    for turn in prompt.turns:
        message: dict[str, Any] = {"role": turn.role, "text": turn.text}
        shown = [_picture(image, out) for image in turn.images]
        images += shown
        if shown:
            message |= {"image": shown[0]} if len(shown) == 1 else {"images": shown}
        messages.append(message)
    line = {"id": prompt.item.id, "messages": messages, "images": images}
    template = FAMILIES[family].template if family else None
    return line | ({"prompt": prompt_text(prompt.turns, template)} if template else {})


def _picture(item: Item, out: Path) -> str:
    """Write an item's picture under its id, once; its path in the folder. Of several pictures of
    one row each is told by a hash."""
    data = picture_bytes(item)
    stem = item.id if item.shown is None else f"{item.id}-{sha256(data)[:8]}"
    with Image.open(io.BytesIO(data)) as image:
        name = f"{IMAGES}/{stem}.{(image.format or 'png').lower()}"
    if not (out / name).is_file():
        (out / name).write_bytes(data)
    return name
