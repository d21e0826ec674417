"""A manual as sessions of rows: which eop and which step come before a row (A4, A18)."""

from typing import NamedTuple

from core.finding import is_find_row
from core.image_names import EOP_CLASSES
from core.part_names import part_labels
from core.records import Instruction, Manual

UNNAMED = "unnamed"


class ManualRow(NamedTuple):
    """One eop or step row in its session, with the rows the tasks refer to.

    `eop` is the latest eop at or before the row in the session, `directly` whether it is the row
    just before and `eop_distance` how many rows before; `step_before` the previous step row by
    order, not by number.
    """

    instruction: Instruction
    session_id: str
    is_eop: bool
    eop: Instruction | None
    directly: bool
    eop_distance: int | None
    step_before: Instruction | None


def session_rows(manual: Manual) -> dict[str, list[ManualRow]]:
    """Rows by session id, sessions in page order. Rows that are neither eop nor step are left out.

    Sessions are told apart by the sign in the file name, whatever its capitals; `session_id` is
    unique over manuals.
    """
    signs = _signs(manual.instructions)
    sessions: dict[str, list[ManualRow]] = {}
    latest_eop: dict[str, Instruction | None] = {}
    eop_at: dict[str, int] = {}  # its place in the session
    for instruction, sign in zip(manual.instructions, signs, strict=True):
        if sign is None:
            continue
        session_id = f"{manual.manual_id}/{sign}"
        is_eop = is_find_row(instruction)
        if not is_eop and instruction.VLM.step_class != "step":
            # Parts that nobody was asked to find: what was found before them is not the latest.
            if part_labels(instruction):
                latest_eop[session_id] = None
            continue
        rows = sessions.setdefault(session_id, [])
        steps = [row.instruction for row in rows if not row.is_eop]
        rows.append(
            ManualRow(
                instruction,
                session_id,
                is_eop,
                latest_eop.get(session_id),
                bool(rows) and rows[-1].is_eop,
                len(rows) - eop_at[session_id] if latest_eop.get(session_id) else None,
                steps[-1] if steps else None,
            )
        )
        if is_eop:
            latest_eop[session_id], eop_at[session_id] = instruction, len(rows) - 1
    return sessions


def _signs(instructions: list[Instruction]) -> list[str | None]:
    """The session sign of every row, None for rows outside sessions.

    An eop row without a picture has no file name: it belongs to the row that follows it.
    """
    first_spelling: dict[str, str] = {}
    signs: list[str | None] = [None] * len(instructions)
    following: str | None = None
    for index in range(len(instructions) - 1, -1, -1):
        tags = instructions[index].VLM
        if tags.step_class not in (*EOP_CLASSES, "step"):
            continue
        signs[index] = following if instructions[index].img is None else tags.id_sign or UNNAMED
        following = signs[index]
    for index, sign in enumerate(signs):
        if sign is not None:
            signs[index] = first_spelling.setdefault(sign.casefold(), sign)
    return signs
