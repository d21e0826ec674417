"""Rows that are exported alone: the ids of `--ids FILE`, checked against the build."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from core.build import read_rows
from core.errors import UserError
from core.selection import check_build, read_selection
from tasks import EVERY_TASK


def ids_of(build: Path, file: Path) -> tuple[frozenset[str], list[str]]:
    """The ids of a file, and notes about groups that are only in part among them.

    Raises `UserError` for ids that the build doesn't have and for a selection of another build.
    """
    chosen = read_selection("--ids", file)
    check_build("--ids", build, file, chosen)
    ids = frozenset(chosen.ids)
    groups: dict[tuple[str, str], set[str]] = {}
    for config in EVERY_TASK:
        groups |= _groups(build, config)
    known = {one for members in groups.values() for one in members}
    unknown = [one for one in chosen.ids if one not in known]
    if unknown:
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise UserError(
            f"--ids {file}: {build} has no row {', '.join(unknown[:3])}{more}; take ids from the "
            "column id of this build"
        )
    return ids, list(_notes(groups, ids))


def _groups(build: Path, config: str) -> dict[tuple[str, str], set[str]]:
    """Ids of a config by what their rows share."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    task = EVERY_TASK[config]
    for row in read_rows(build, config, columns=list({"id", *task.text.shared})):
        found[(config, task.group_of(row.columns))].add(row.id)
    return found


def _notes(groups: Mapping[tuple[str, str], set[str]], wanted: frozenset[str]) -> Iterator[str]:
    for config, task in EVERY_TASK.items():
        parts = [
            m for key, m in groups.items() if key[0] == config and 0 < len(m & wanted) < len(m)
        ]
        if parts:
            left = sum(len(members - wanted) for members in parts)
            name = task.text.shared_name
            yield (
                f"of {len(parts):,} {name} only a part is chosen ({left:,} rows are not); "
                "select whole ones if they are to be compared or scored"
            )
