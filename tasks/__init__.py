"""The tasks: one folder a config, and TASKS, the only list of them.

A new one is a folder with the parts of `tasks/task.py`, a line here, and its columns and its line
in `lego_arta.py`; docs/adding.md goes through it.
"""

from collections import ChainMap

from tasks.task import PARTS, Task

TASKS = {
    task.name: task
    for task in (
        Task("scene", "tasks.scene"),
        Task("object", "tasks.object"),
        Task("state", "tasks.state"),
        Task("state_balanced", "tasks.state_balanced"),
        Task("spatial", "tasks.spatial"),
        Task("mask", "tasks.mask"),  # last: it asks about pictures of the others
    )
}
# Of test sets that are made from a finished build (`derived/kinds.py`): no build has rows of them,
# so they have no `rows`, and everything that reads rows knows them.
DERIVED = {
    task.name: task
    for task in (
        Task("hard_detection", "tasks.hard_detection"),
        Task("mistake", "tasks.mistake"),
        Task("state_reference", "tasks.state_reference"),
        Task("sequence", "tasks.sequence"),
        Task("episode", "tasks.episode"),
    )
}
EVERY_TASK = ChainMap(DERIVED, TASKS)  # those of builds come first


EXAMPLE = "state"  # which printed lines load, to show how


def part_modules(*parts: str) -> tuple[tuple[str, str], ...]:
    """(module that loads, module loaded) of all tasks' parts, of all parts if none are named: for
    `core/code.py`, which can't read names that are computed."""
    return tuple(
        ("tasks.task", f"{task.package}.{part}")
        for task in TASKS.values()
        for part in parts or PARTS
    )
