"""What must hold for spatial rows: known labels, answers that say them, right boxes."""

from collections.abc import Iterator

from core.relations import CONVERSATIONS, OPPOSITE, RELATIONS, WORDS, by_information
from tasks.invariants import box_violations
from tasks.spatial.text import LINE_BREAK
from tasks.task import Check, Row


def violations(row: Row, size_wh: tuple[int, int], imported: bool) -> Iterator[str]:
    """Yield what is wrong with a row."""
    name, relations = row["id"], list(row["relations"])
    if not relations or by_information(relations) != relations:
        yield f"{name}: relations are some of {RELATIONS}, the most telling first: {relations}"
        return
    if any(OPPOSITE.get(one) in relations for one in relations):
        yield f"{name}: no relation and its opposite, found {relations}"
    kind = row["conversation_type"]
    kind = CONVERSATIONS[kind] if isinstance(kind, int) else kind
    if kind == "classification" and row["answer"] != WORDS[relations[0]]:
        yield f"{name}: the answer is {WORDS[relations[0]]!r}, found {row['answer']!r}"
    if kind == "open" and len(row["answer"].split(LINE_BREAK)) != 3:
        yield f"{name}: an open answer has three lines, found {row['answer']!r}"
    if not row["descriptions_v1"]:
        yield f"{name}: there is at least one short description"
    if row["subject"]["label"] == row["object"]["label"]:
        yield f"{name}: two different names, found {row['subject']['label']!r} twice"
    for thing in ("subject", "object"):
        yield from box_violations(name, row[thing]["box_px"], (0, 0, *size_wh))


CHECK = Check(violations)
