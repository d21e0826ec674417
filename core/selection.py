"""Rows that somebody chose: the files that a gallery saves, and lists of ids made elsewhere."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from core.build import manifest_of
from core.cli import command
from core.errors import UserError

FORMAT = "lego-arta selection 1"
COLUMNS = ("id", "config", "split", "manual_id", "build", "fingerprint")  # of the CSV file


class Selection(NamedTuple):
    """Ids of rows in the order of the file, and the build they are of (None: not said)."""

    ids: tuple[str, ...]
    build: str | None = None
    fingerprint: str | None = None


def is_selection(data: bytes) -> bool:
    """Whether a file is one that a gallery saved, JSON or CSV."""
    try:
        text = data.decode("utf-8-sig")
        if text.lstrip().startswith("{"):
            value = json.loads(text)
            return isinstance(value, dict) and value.get("format") == FORMAT
    except ValueError:
        return False
    return text.splitlines()[:1] == [",".join(COLUMNS)]


def read_selection(option: str, file: Path) -> Selection:
    """The ids in a JSON, CSV or plain file, each once; `option` is named in a `UserError`.

    JSON: what a gallery saved, or a list of ids. CSV: a column `id`. Plain: an id a line.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
        found = _parsed(text)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"{option} {file}: no list of row ids ({error}); give the JSON or CSV file that a "
            "gallery saved, or a text file with an id a line"
        ) from None
    if not found.ids:
        raise UserError(f"{option} {file}: it holds no ids; select rows in a gallery and save them")
    return found._replace(ids=tuple(dict.fromkeys(found.ids)))


def check_build(option: str, build: Path, file: Path, chosen: Selection) -> None:
    """Raise `UserError` where the rows are of another build than this one."""
    here = (manifest_of(build) or {}).get("fingerprint")
    if chosen.fingerprint is not None and chosen.fingerprint != here:
        raise UserError(
            f"{option} {file}: its rows are of another build ({chosen.build}, fingerprint "
            f"{chosen.fingerprint[:12]}; {build} has {str(here)[:12]}); give that build, or select "
            f"again in a gallery of this one: {command('gallery', build)}"
        )


def _parsed(text: str) -> Selection:
    """Raises `ValueError` for a file in none of the forms."""
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(json.loads(text))
    lines = text.splitlines()
    header = next(csv.reader(lines[:1]), [])
    if "id" in header:
        return _from_csv(text)
    ids = tuple(line.strip() for line in lines if line.strip())
    strange = next((one for one in ids if not one.isalnum()), None)
    if strange is not None:
        raise ValueError(f"{strange[:40]!r} is no id, and no column is named id")
    return Selection(ids)


def _from_json(value: Any) -> Selection:
    if isinstance(value, list):
        return Selection(_texts(value))
    if value.get("format") != FORMAT:
        raise ValueError(f"format {value.get('format')!r}, this reads {FORMAT!r}")
    build = value.get("build")
    if not isinstance(build, Mapping) or not isinstance(value.get("ids"), list):
        raise ValueError("build or ids are missing")
    return Selection(_texts(value["ids"]), build.get("name"), build.get("fingerprint"))


def _texts(values: list[Any]) -> tuple[str, ...]:
    strange = next((one for one in values if not isinstance(one, str)), None)
    if strange is not None:
        raise ValueError(f"{json.dumps(strange)[:40]} is no id")
    return tuple(values)


def _from_csv(text: str) -> Selection:
    rows = list(csv.DictReader(io.StringIO(text), strict=True))
    ids = tuple(row["id"].strip() for row in rows if row["id"] and row["id"].strip())
    prints = {row.get("fingerprint") for row in rows} - {None, ""}
    if len(prints) > 1:
        raise ValueError("rows of more than one build")
    return Selection(ids, rows[0].get("build") if rows else None, next(iter(prints), None))
