"""What must hold for turns: a known turn, and a history of questions and answers in turn."""

from collections.abc import Iterator

from tasks.episode.text import TURNS
from tasks.task import Check, Row


def violations(row: Row, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    """Yield what is wrong with a row."""
    name, roles = row["id"], [turn["role"] for turn in row["history"]]
    if row["turn"] not in TURNS or len(roles) != 2 * TURNS.index(row["turn"]):
        yield f"{name}: a turn of {TURNS} after those before it, found {row['turn']}, {len(roles)}"
    if roles != ["user", "assistant"] * (len(roles) // 2):
        yield f"{name}: questions and answers in turn, found {roles}"
    if (row["turn"] == "find") != bool(row["targets"]):
        yield f"{name}: targets where parts are to be found, found {len(row['targets'])}"


CHECK = Check(violations)
