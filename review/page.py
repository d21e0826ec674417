"""A rating page: one HTML file with everything in it, and the key to its check questions beside it.

The file needs no network and allows none: its Content-Security-Policy lets only its own script and
style run (by their hashes) and pictures come from the file itself. What is not ours is data: texts
of manuals stand in a JSON block and are put on the screen as text, never as HTML.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.records import dump
from core.store import write_bytes, writing
from review import tutorial
from review.criteria import RATINGS, Rating
from review.questions import Question
from review.results import KEY_FORMAT, Key, KeyItem

FOLDER = Path(__file__).parent
SCRIPTS = ("page_store.js", "page_pictures.js", "page_choices.js", "page_app.js")
TEXT_NAMES = {"object": "Reference text:", "state": "Step:", "screening": "Step:",
              "balanced": "Told:",
              "spatial": "Complete:", "mask": "This is about:"}  # fmt: skip
# What the two pictures of a sample are called.
PICTURE_TITLES = {
    "state": ("Evaluating image", "Reference image"),
    "mask": ("What is left in colour", "The picture"),
}
# How many samples the thesis' minutes are for, without check questions.
USUAL = 100


def page_and_key(
    task: Rating, questions: Sequence[Question], build: Mapping[str, Any], rotate: bool
) -> tuple[str, Key]:
    """The page as HTML and its key.

    `build` is the manifest. With `rotate` every rater begins at another sample, so that tiredness
    is not tied to samples; with check questions first the order stays.
    """
    numbers: dict[tuple[bytes, int], int] = {}
    items = []
    for index, question in enumerate(questions, 1):
        # One block a picture however often it is shown, but never twice the same in a sample.
        pictures = [
            numbers.setdefault((data, place), len(numbers))
            for place, data in enumerate(question.pictures)
        ]
        items.append(
            {
                "id": _name(index),
                "text": question.text,
                "pictures": pictures,
                "size": list(question.sizes_wh[0]),
                "boxes": [{"name": b.name, "px": list(b.box_px)} for b in question.boxes],
            }
        )
    known = {
        _name(index): KeyItem(
            question.row, question.manual_id, dict(question.known), question.relation
        )
        for index, question in enumerate(questions, 1)
    }
    page_id = _page_id(task, items, [data for data, _ in numbers], known)
    data = {
        "page_id": page_id,
        "task": task.name,
        "criteria": [
            {"name": c.name, "title": c.title, "question": c.question, "labels": list(c.labels)}
            for c in task.criteria
        ],
        "title": task.title,
        "several": task.several,
        "against": task.against.rules if task.against else [],
        "titles": list(PICTURE_TITLES.get(task.name, PICTURE_TITLES["state"])),
        "minutes": list(task.minutes),
        "usual": USUAL + task.checks,
        "rotate": rotate,
        "items": items,
    }
    key = Key(KEY_FORMAT, page_id, task.name, build.get("fingerprint", ""), known)
    return render(task, data, [data for data, _ in numbers]), key


def _name(number: int) -> str:
    """What a question is called: its place, which tells nothing of its row."""
    return f"q{number:04d}"


def _page_id(task: Rating, items: object, pictures: Sequence[bytes], known: object) -> str:
    digest = hashlib.sha256(f"{task}\n{json.dumps(items)}\n{known}".encode())
    for data in pictures:
        digest.update(hashlib.sha256(data).digest())
    return digest.hexdigest()[:32]


def render(task: Rating, data: Mapping[str, Any], pictures: Sequence[bytes]) -> str:
    """The page: template, style, script, and the data as blocks that browsers don't run."""
    css = (FOLDER / "page.css").read_text(encoding="utf-8")
    js = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in SCRIPTS)
    js = f'"use strict";\n(() => {{\n{js}}})();\n'
    blocks = [json_block("data", data)]
    blocks += [
        f'<script type="text/plain" id="p{number}">{base64.b64encode(picture).decode()}</script>'
        for number, picture in enumerate(pictures)
    ]
    number, (low, high) = len(data["items"]), task.minutes
    scale = number / (USUAL + task.checks)
    return filled(
        (FOLDER / "page.html").read_text(encoding="utf-8"),
        {
            "csp": content_security_policy(css, js),
            "title": escape(task.title),
            "css": css,
            "js": js,
            "number": str(number),
            "minutes": _minutes(low * scale, high * scale),
            "text_name": TEXT_NAMES[task.name],
            "criteria": _criteria(task),
            "tutorial": tutorial.section(task),
            "keys": _keys(task),
            "against": escape(task.against.told) if task.against else "",
            "data": "\n".join(blocks),
        },
    )


def filled(template: str, parts: Mapping[str, str]) -> str:
    """A template with its @names@ replaced, each once: what is put in is not looked at again."""
    return re.sub(r"@(\w+)@", lambda match: parts[match[1]], template)


def content_security_policy(css: str, js: str, pictures: str = "data:") -> str:
    """Only this style and this script, pictures from the file, no network, no forms."""
    return (
        f"default-src 'none'; script-src {_source(js)}; style-src {_source(css)}; "
        f"img-src {pictures}; base-uri 'none'; form-action 'none'; "
        "require-trusted-types-for 'script'"
    )


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def json_block(name: str, data: object) -> str:
    """JSON in a block that browsers don't run; no text in it can end the block."""
    text = json.dumps(data, ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>'


def _minutes(low: float, high: float) -> str:
    low, high = max(1, round(low)), max(1, round(high))
    if high == 1:
        return "a minute"
    return f"{high} minutes" if low == high else f"{low} to {high} minutes"


def _criteria(task: Rating) -> str:
    if task.several:
        told = "".join(
            f"<dd><kbd>{key}</kbd> <b>{escape(criterion.title)}</b>: "
            f"{escape(criterion.hints[-1])}</dd>"
            for key, criterion in enumerate(task.criteria, 1)
        )
        told += (
            "<dd><kbd>N</kbd> <b>None fits</b>: No word is true, or a box is not around the thing "
            "that it names.</dd>"
        )
        return f'<dl class="criteria"><dt>{escape(task.several)}</dt>{told}</dl>'
    parts = []
    for criterion in task.criteria:
        labels = "".join(
            f"<dd><kbd>{value}</kbd> <b>{escape(label)}</b>: {escape(hint)}</dd>"
            for value, (label, hint) in enumerate(
                zip(criterion.labels, criterion.hints, strict=True), 1
            )
        )
        parts.append(f"<dt>{escape(criterion.title)}: {escape(criterion.question)}</dt>{labels}")
    return f'<dl class="criteria">{"".join(parts)}</dl>'


def _keys(task: Rating) -> str:
    most = max(criterion.best for criterion in task.criteria)
    digits = " ".join(f"<kbd>{n}</kbd>" for n in range(1, most + 1))
    lines = [f"{digits} give a score, from the worst up", "<kbd>0</kbd> can’t tell"]
    if task.name == "screening":
        lines[0] = "<kbd>1</kbd> or <kbd>D</kbd> drop, <kbd>2</kbd> or <kbd>K</kbd> keep; the next "
        lines[0] += "sample follows at once"
    if task.several:
        digits = f"<kbd>1</kbd> to <kbd>{len(task.criteria)}</kbd>"
        lines[0] = f"{digits} tick a word or take the tick off, <kbd>N</kbd> none fits"
    lines += ["<kbd>←</kbd> <kbd>→</kbd> previous and next sample"]
    if task.config in ("object", "spatial"):
        lines.append("<kbd>T</kbd> boxes on or off")
    elif task.config != "state_balanced":
        lines.append("<kbd>S</kbd> swap the two pictures, to see what differs")
    lines += [
        "<kbd>Z</kbd> zoom: 2×, 4×, back; drag, scroll or use arrow keys in a zoomed picture",
        "<kbd>C</kbd> comment, <kbd>Esc</kbd> leaves it",
        "<kbd>U</kbd> first sample without an answer",
        "<kbd>?</kbd> this help",
    ]
    return f'<ul class="keys">{"".join(f"<li>{line}</li>" for line in lines)}</ul>'


def key_path(page: Path) -> Path:
    """Where the key of a page lies: beside it."""
    return page.with_suffix(".key.json")


def page_path(key: Path) -> Path:
    """Where the page of a key lies if neither was moved."""
    return key.with_name(key.name.removesuffix(".key.json") + ".html")


def write_page(path: Path, html: str, key: Key) -> None:
    """Write the page and its key, the key first: a page without one can't be scored."""
    write_bytes(key_path(path), dump(key))
    with writing(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def read_page(path: Path) -> tuple[dict[str, Any], list[bytes]]:
    """The data and the pictures of a page file; raises `UserError` when it is none."""
    try:
        text = path.read_text(encoding="utf-8")
        data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
        found = re.finditer(r'<script type="text/plain" id="p\d+">([^<]*)</script>', text)
        if data is None:
            raise ValueError("no data block")
        return json.loads(data[1]), [base64.b64decode(match[1]) for match in found]
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a rating page ({error})") from None


def task_named(name: str) -> Rating:
    """The task of a name that was read from a file; raises `UserError`."""
    if name not in RATINGS:
        raise UserError(f"task {name!r}: this version knows {', '.join(RATINGS)}")
    return RATINGS[name]
