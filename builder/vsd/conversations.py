"""VSD items as the three kinds of conversation of LLaVA-VSD (arXiv 2408.04957, section 2.1).

One choice an item, one phrase a caption, three sentences an item that has a richer caption: of the
rules that its text allows, those that give the counts nearest to the published ones.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from builder.vsd.reading import Triple, VsdItem
from core.names import opaque_id
from core.relations import BY_INFORMATION, CONVERSATIONS, WORDS
from synthesis.boxes import px_to_norm100
from tasks.spatial.text import LINE_BREAK, TEMPLATES, question
from tasks.spatial.wording import sentence

ANNOTATOR = "vsd"
SUFFIXES = ("", ".jpg", ".png", ".jpeg")


def rows(
    item: VsdItem, images: Path | None, templates: str = "paper", seed: int = 42
) -> Iterator[dict[str, Any]]:
    """Rows with the columns of the config `spatial`; `image` is null where its file is missing."""
    rng = random.Random(f"{seed}:{item.number}:{item.image}")
    picture, size_wh = _picture(item.image, images)
    first = item.triples[0]
    for conversation, answer in conversations(item, rng):
        template = 0
        if templates != "paper":
            template = rng.randrange(len(TEMPLATES[conversation]))
        pair_id = opaque_id("vsd", item.image, first.subject, first.object)
        yield {
            "id": opaque_id("vsd", item.number, conversation, answer),
            "manual_id": "vsd",
            "session_id": f"vsd/{item.image}",
            "step_num": None,
            "image": picture,
            "query": question(conversation, template, first.subject, _is(first), first.object),
            "answer": answer,
            "instruction": item.short[0],
            "previous_instruction": None,
            "entities": [],
            "provenance": {
                "source_images": [{"path": item.image, "sha256": None}],
                "annotator": ANNOTATOR,
            },
            "confidence": 1.0,
            "sample_weight": 1.0,
            "pair_id": pair_id,
            "conversation_type": CONVERSATIONS.index(conversation),
            "template_id": f"{conversation}-{template + 1}",
            "subject": _thing(first.subject, first.subject_xyxy_px, size_wh),
            "object": _thing(first.object, first.object_xyxy_px, size_wh),
            "relations": _relations(item),
            "relations_text": [],
            "relations_image": [],
            "relations_scene": [],
            "frame": "image",
            "relations_agree": None,
            "descriptions_v1": list(item.short),
            "descriptions_v2": list(item.richer),
            "contrast": None,
            "diversified": False,
        }


def conversations(item: VsdItem, rng: random.Random) -> Iterator[tuple[str, str]]:
    """(kind, answer) of everything that an item is asked."""
    first = item.triples[0]
    yield "classification", WORDS[first.relation]
    for caption in item.short:
        yield "single", caption
    if item.richer:
        plain = sentence(f"{first.subject} {WORDS[first.relation]} {first.object}")
        three = (plain, rng.choice(item.short), rng.choice(item.richer))
        yield "open", LINE_BREAK.join(three)


def _relations(item: VsdItem) -> list[str]:
    """All that is told of the first pair, the most telling first: there may be several triples."""
    first = item.triples[0]
    told = {t.relation for t in item.triples
            if (t.subject, t.object) == (first.subject, first.object)}  # fmt: skip
    others = [name for name in BY_INFORMATION if name in told - {first.relation}]
    return [first.relation, *others]


def _is(triple: Triple) -> str:
    """Names of several end in s, but for those in ss."""
    last = triple.subject.split()[-1] if triple.subject else ""
    return "are" if last.endswith("s") and not last.endswith(("ss", "us")) else "is"


def _thing(name: str, box_px: tuple[float, ...], size_wh: tuple[int, int] | None) -> dict[str, Any]:
    norm = px_to_norm100(box_px, size_wh) if size_wh else None
    return {"label": name, "box_px": list(box_px), "box_norm100": norm and list(norm)}


def _picture(
    name: str, images: Path | None
) -> tuple[dict[str, Any] | None, tuple[int, int] | None]:
    """An Image column and the picture's size; None where the file is not there."""
    for suffix in SUFFIXES if images else ():
        path = Path(str(images)) / f"{name}{suffix}"
        if path.is_file():
            with Image.open(path) as picture:
                return {"bytes": path.read_bytes(), "path": path.name}, picture.size
    return None, None


def _name(row: dict[str, Any]) -> str:
    return str(row["provenance"]["source_images"][0]["path"])


def llava_sample(row: dict[str, Any], single_round: bool) -> dict[str, Any]:
    """A row for LLaVA; `single_round` closes both turns as the paper writes them."""
    stop = " <STOP>\n" if single_round else ""
    return {
        "id": row["id"],
        "image": row["image"]["path"] if row["image"] else _name(row),
        "conversations": [
            {"from": "human", "value": f"<image>\n{row['query']}{stop}"},
            {"from": "gpt", "value": f"{row['answer']}{stop}"},
        ],
    }
