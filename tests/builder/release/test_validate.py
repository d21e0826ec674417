"""Checks of a build's pictures, each broken once: what is told, and that nothing else is."""

import hashlib
import io
from pathlib import Path

import pytest
from export_build import all_rows, export_build
from PIL import Image

from builder.release import validate


def told(folder: Path, change) -> dict[str, list[str]]:
    """What validate says of the rows' pictures, by row id."""
    build = export_build(folder / "lego-arta", change, manuals=2, test_manuals=1)
    found: dict[str, list[str]] = {}
    for line in validate.violations(build):
        where, _, rule = line.partition(": ")
        if where in all_rows(build) and "image" in rule:
            found.setdefault(where, []).append(rule)
    return found


def named(data: bytes) -> dict:
    return {"bytes": data, "path": f"{hashlib.sha256(data).hexdigest()[:32]}.webp"}


def with_exif(data: bytes) -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x010E] = "a description"
    Image.open(io.BytesIO(data)).save(buffer, "WEBP", lossless=True, exif=exif)
    return buffer.getvalue()


BROKEN = {
    "decoded": lambda image: named(image["bytes"][: len(image["bytes"]) // 2]),
    "hash of its bytes": lambda image: {**image, "path": "step.webp"},
    "no metadata": lambda image: named(with_exif(image["bytes"])),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_picture_is_one_line(tmp_path, rule):
    victims: list[str] = []

    def change(config, row):
        if len(victims) == ["scene", "object", "state"].index(config):
            victims.append(row["id"])
            return {**row, "image": BROKEN[rule](row["image"])}
        return row

    found = told(tmp_path, change)
    assert list(found) == victims and len(victims) == 3
    assert all(len(lines) == 1 and rule in lines[0] for lines in found.values())


@pytest.mark.parametrize("image", [None, {"bytes": None, "path": None}, named(b"no picture")])
def test_a_row_without_a_picture_is_told_of_each_time(tmp_path, image):
    """Two rows that share their bytes are told of both."""
    victims: list[str] = []

    def change(config, row):
        if config == "object" and len(victims) < 2:
            victims.append(row["id"])
            return {**row, "image": image}
        return row

    found = told(tmp_path, change)
    assert list(found) == victims
    assert all("the image can be decoded" in lines[-1] for lines in found.values())
