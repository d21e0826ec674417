"""A gallery of a build: a folder with one page and small pictures, to look at before a push.

The page filters by config, split, manual, kind and confidence, shows wrong states beside their
right one, walks through the episode of a session (find, build, check), and saves the ids of rows
that are ticked, for builds and exports. No server is needed.
"""

import io
import shutil
import tempfile
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from core.build import BuildRow, picture_bytes, read_manifest
from core.errors import UserError
from core.selection import COLUMNS, FORMAT
from core.store import TEMPORARY
from review.page import content_security_policy, filled, json_block
from review.rows import entries_of, group_of, missing_rows, rank
from tasks import EVERY_TASK

FOLDER = Path(__file__).parent
PAGE, PICTURES = "index.html", "pictures"
MARK = '<meta name="generator" content="lego-arta gallery">'
SESSIONS = 60
# Pictures no wider and higher than this are copied as they are; larger ones are made smaller.
PREVIEW_PX, PREVIEW_QUALITY = 960, 85
KEPT = (
    "id", "manual_id", "session_id", "step_num", "query", "answer", "instruction",
    "previous_instruction", "confidence", "sample_weight", "verdict",
)  # fmt: skip


def write_gallery(
    build: Path,
    out: Path,
    number: int | None = SESSIONS,
    manuals: Collection[str] = (),
    seed: int = 42,
    workers: int = 2,
) -> dict[str, Any]:
    """Write the gallery of `number` sessions (None: all) to `out`; returns what it holds: counts
    of `rows` and `sessions`, `of` how many sessions, and what is `missing` of the build.

    Raises `UserError` when there is nothing to show or `out` is something else.
    """
    manifest = read_manifest(build)
    check_out(out)
    entries = [entry for config in EVERY_TASK for entry in entries_of(build, config)]
    missing = missing_rows(build, manifest)
    sessions = chosen_sessions(build, entries, number, manuals, seed)
    shown = [entry for entry in entries if entry.columns["session_id"] in sessions]
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=TEMPORARY, dir=out.parent))
    temporary.chmod(0o755)
    try:
        (temporary / PICTURES).mkdir()
        rows = _rows(temporary / PICTURES, shown, workers)
        all_sessions = len({entry.columns["session_id"] for entry in entries})
        data = {
            "build": build.resolve().name,
            "fingerprint": manifest.get("fingerprint"),
            "missing": missing,
            "selection": {"format": FORMAT, "columns": COLUMNS},
            "source": str(manifest.get("options", {}).get("source", "")),
            "sessions_in_build": all_sessions,
            "rows": rows,
            "episodes": episodes(shown),
        }
        (temporary / PAGE).write_text(page(data), encoding="utf-8")
        shutil.rmtree(out, ignore_errors=True)
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return {"rows": len(rows), "sessions": len(sessions), "of": all_sessions, "missing": missing}


def check_out(out: Path) -> None:
    """Refuse to replace anything but an older gallery; raises `UserError`."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    page_file = out / PAGE
    if not page_file.is_file() or MARK not in page_file.read_text("utf-8", "replace")[:2000]:
        raise UserError(f"--out {out}: it is no gallery; choose a folder that does not exist yet")


def chosen_sessions(
    build: Path,
    entries: Sequence[BuildRow],
    number: int | None,
    manuals: Collection[str],
    seed: int,
) -> set[str]:
    """Sessions to show, at random when there are more than wanted; raises `UserError` for none."""
    known = {entry.columns["manual_id"] for entry in entries}
    unknown = sorted(set(manuals) - known)
    if unknown:
        raise UserError(f"--manual {unknown[0]}: not in {build}, which has {_few(sorted(known))}")
    found = {
        e.columns["session_id"] for e in entries if not manuals or e.columns["manual_id"] in manuals
    }
    if not found:
        raise UserError(f"{build}: it has no rows")
    return set(sorted(found, key=lambda name: rank(seed, name))[:number])


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _rows(folder: Path, shown: Sequence[BuildRow], workers: int) -> list[dict[str, Any]]:
    """The rows of the page; writes each distinct picture once."""
    files: dict[str, tuple[int, int]] = {}

    def written(entry: BuildRow) -> tuple[str, tuple[int, int]]:
        data = picture_bytes(entry.place)
        name = f"{entry.columns['id']}.webp"
        (folder / name).write_bytes(_preview(data))
        if mask := entry.columns.get("mask"):
            (folder / _mask_name(entry)).write_bytes(_veil(mask["bytes"]))
        with Image.open(io.BytesIO(data)) as image:
            return name, image.size

    # In file order, so that a row group is read once.
    with ThreadPoolExecutor(workers) as pool:
        bar = tqdm(pool.map(written, shown), "pictures", len(shown), disable=None)
        files = dict(bar)
    return [_row(entry, files[f"{entry.columns['id']}.webp"]) for entry in shown]


def _preview(data: bytes) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        if image.format == "WEBP" and max(image.size) <= PREVIEW_PX:
            return data
        small = image.convert("RGB")
    small.thumbnail((PREVIEW_PX, PREVIEW_PX), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=PREVIEW_QUALITY)
    return buffer.getvalue()


def _mask_name(entry: BuildRow) -> str:
    return f"{entry.columns['id']}.mask.png"


def _veil(mask: bytes) -> bytes:
    """A mask as a picture to lay over a row's: white, with holes where the mask is."""
    with Image.open(io.BytesIO(mask)) as image:
        alpha = Image.eval(image.convert("L"), lambda value: 255 - value)
    alpha.thumbnail((PREVIEW_PX, PREVIEW_PX))
    veil = Image.merge("LA", (Image.new("L", alpha.size, 255), alpha))
    buffer = io.BytesIO()
    veil.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _row(entry: BuildRow, size_wh: tuple[int, int]) -> dict[str, Any]:
    row, show = entry.columns, EVERY_TASK[entry.config].show
    return {
        **{name: row.get(name) for name in KEPT},  # older builds lack some
        "config": entry.config,
        "split": entry.split,
        "group": group_of(entry),
        "picture": f"{PICTURES}/{row['id']}.webp",
        "size": list(size_wh),
        "mask": f"{PICTURES}/{_mask_name(entry)}" if row.get("mask") else None,
        "annotator": row["provenance"]["annotator"],
        "kind": show.kind(row),
        "correction": row.get("correction"),
        "line": show.line(row),
        "said": show.said(row),
        "alt": show.alt(row),
        "boxes": [{"name": b.name, "role": b.role, "px": b.box_xyxy_px} for b in show.boxes(row)],
    }


def episodes(shown: Sequence[BuildRow]) -> list[dict[str, Any]]:
    """Sessions as steps, each with the groups of what is found, built and checked (null: none).

    A step finds what its text says was found before it; objects no step refers to stand last.
    """
    objects: dict[str, dict[str, str]] = {}  # by session: group by instruction
    states: dict[tuple, str] = {}
    for entry in shown:
        row = entry.columns
        if entry.config == "object":
            objects.setdefault(row["session_id"], {})[group_of(entry)] = row["instruction"]
        elif entry.config == "state":
            states[(row["session_id"], row["step_num"], row["instruction"])] = group_of(entry)
    by_session: dict[str, list[dict]] = {}
    for entry in shown:
        if entry.config != "scene":
            continue
        row = entry.columns
        waiting = objects.get(row["session_id"], {})
        group = next(
            (g for g, text in waiting.items() if text == row["previous_instruction"]), None
        )
        waiting.pop(group or "", None)
        by_session.setdefault(row["session_id"], []).append(
            {
                "object": group,
                "scene": row["id"],
                "state": states.get((row["session_id"], row["step_num"], row["instruction"])),
            }
        )
    for session, waiting in objects.items():
        steps = by_session.setdefault(session, [])
        steps += [{"object": group, "scene": None, "state": None} for group in waiting]
    return [{"session": session, "steps": steps} for session, steps in sorted(by_session.items())]


def page(data: dict[str, Any]) -> str:
    """The page: template, style, script and the rows."""
    css = (FOLDER / "gallery.css").read_text(encoding="utf-8")
    scripts = ("gallery.js", "gallery_select.js", "gallery_views.js")
    js = "".join((FOLDER / name).read_text(encoding="utf-8") for name in scripts)
    js = f'"use strict";\n(() => {{\n{js}}})();\n'
    return filled(
        (FOLDER / "gallery.html").read_text(encoding="utf-8"),
        {
            "mark": MARK,
            "csp": content_security_policy(css, js, "'self' file:"),
            "css": css,
            "js": js,
            "data": json_block("data", data),
        },
    )
