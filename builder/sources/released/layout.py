"""What an import leaves of a manual of the released dataset, and how its files are named."""

import re
from pathlib import Path

import msgspec

PREFIX = "legacy:"  # of --source
ROOTS = {"scene": "lego", "object": "object_dataset/lego", "state": "step_dataset/lego"}
PAGE = "legacy.json"
FAKE = re.compile(r"_?fake\d+$")


class Told(msgspec.Struct, frozen=True):
    """One row of the lists: its picture by path below the folder, question and answer."""

    config: str
    image: str
    query: str
    answer: str


class Step(msgspec.Struct, frozen=True):
    """An instruction of a manual's JSON, as far as rows need it."""

    stem: str
    text: str
    session: str
    step_num: int | None
    is_eop: bool
    entities: list[dict[str, str]]
    color: str | None


class Page(msgspec.Struct, frozen=True):
    """Everything of one manual: what stage 1 leaves and stage 4 reads."""

    manual_id: str
    steps: list[Step]
    rows: list[Told]


def is_released(folder: Path) -> bool:
    """Whether a folder has this layout."""
    return (folder / "qwen_data").is_dir() and (folder / "lego").is_dir()


def other_name(image: str) -> str:
    """`fake1` is also looked for as `_fake1`, as the layout's readers do."""
    return re.sub(r"(?<!_)fake(\d+)(?=\.\w+$)", r"_fake\1", image)
