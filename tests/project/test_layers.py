"""Who may import whom: one table, from the ground up, and no circle between rooms."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from outside import ROOT

# What each room may import of ours besides itself; a longer name in the table counts before a
# shorter one, and "builder" stands for all rooms of the builder.
MAY_IMPORT = {
    "lego_arta": (),
    "synthesis": (),
    "core": ("lego_arta", "synthesis.boxes"),
    "tasks": ("core", "synthesis"),
    # Test sets made from a finished build, without its manuals.
    "derived": ("lego_arta", "core", "tasks", "synthesis"),
    # Scoring predictions needs no crawler, no pictures and no GPU.
    "evaluation": ("core", "tasks", "synthesis.boxes"),
    "builder": ("lego_arta", "core", "tasks", "synthesis", "builder"),
    # Models are tuned on the prompts they are tested with; rows never depend on the benchmark.
    "builder.export": ("lego_arta", "core", "tasks", "evaluation", "builder"),
    # Who rewrites answers is asked by the benchmark's client, never by its prompts or scores.
    "builder.rewriting": ("core", "tasks", "evaluation.prompts", "evaluation.runners", "builder"),
    "builder.sources.released": ("core", "tasks", "synthesis", "evaluation.prompts", "builder"),
    # A page or a gallery needs no crawler and no model, only the rows of a build.
    "review": ("core", "tasks", "synthesis", "evaluation.bootstrap"),
    "benchmarks": ("lego_arta", "core", "tasks", "synthesis", "evaluation", "review", "builder",
                   "derived"),
}  # fmt: skip
MAY_IMPORT["scripts"] = (*MAY_IMPORT["benchmarks"], "benchmarks")
ARROWS_MOST = 60  # between the rooms of the builder


def _modules() -> dict[str, Path]:
    paths = [ROOT / "lego_arta.py"]
    for top in {name.split(".")[0] for name in MAY_IMPORT} - {"lego_arta"}:
        paths += sorted((ROOT / top).rglob("*.py"))
    names = (path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in paths)
    return {n.removesuffix(".__init__"): p for n, p in zip(names, paths, strict=True)}


MODULES = _modules()


def imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, wherever in it; of ours, whole modules."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            module = node.module or ""
            whole = {f"{module}.{alias.name}" for alias in node.names} & MODULES.keys()
            names |= whole or {module}
    return names


def _is_in(name: str, room: str) -> bool:
    return name == room or name.startswith(f"{room}.")


def _room_in_table(module: str) -> str:
    return max((room for room in MAY_IMPORT if _is_in(module, room)), key=len)


def room_of(module: str) -> str:
    """A room of the floor plan: a package at the top, and of the builder what lies in it."""
    parts = module.split(".")
    return ".".join(parts[: 2 if parts[0] == "builder" else 1])


def arrows() -> dict[str, set[str]]:
    """The rooms that each room imports from."""
    found: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        room = room_of(module)
        for name in imports(path) & MODULES.keys():
            if room_of(name) != room:
                found.setdefault(room, set()).add(room_of(name))
    return found


def test_there_is_something_to_look_at():
    assert MODULES.keys() >= {"lego_arta", "synthesis.boxes", "tasks.scene.rows"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_room_may(module):
    room = _room_in_table(module)
    ours = {name for name in imports(MODULES[module]) if name.split(".")[0] in
            {known.split(".")[0] for known in MAY_IMPORT} | {"tests"}}  # fmt: skip
    strange = {
        name for name in ours if not any(_is_in(name, may) for may in (room, *MAY_IMPORT[room]))
    }
    assert strange == set()


def test_no_rooms_import_each_other_in_a_circle():
    try:
        list(TopologicalSorter(arrows()).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_the_rooms_of_the_builder_are_few_and_so_are_the_arrows_between_them():
    between = {
        (room, other)
        for room, others in arrows().items()
        for other in others
        if room.startswith("builder.") and other.startswith("builder.")
    }
    assert len({room_of(module) for module in MODULES if module.startswith("builder.")}) <= 16
    assert len(between) <= ARROWS_MOST


def test_the_loader_imports_only_datasets_and_the_standard_library():
    """People copy this one file; it must run wherever `datasets` does."""
    top = {name.split(".")[0] for name in imports(ROOT / "lego_arta.py")}
    assert top <= {"datasets"} | set(sys.stdlib_module_names)


def test_synthesis_touches_no_disk():
    for module, path in MODULES.items():
        if _is_in(module, "synthesis"):
            assert not {"pathlib", "os", "io", "shutil", "tempfile"} & imports(path), module


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_module_says_what_it_is(module):
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    assert not tree.body or ast.get_docstring(tree)


def test_the_main_command_starts_without_heavy_libraries():
    """They take seconds; torch, which a build without a model does not need, gigabytes too."""
    code = (
        "import sys; import builder.make; "
        "print([n for n in ('torch', 'sklearn', 'scipy.stats') if n in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


if __name__ == "__main__":
    for room, others in sorted(arrows().items()):
        print(f"{room}: {', '.join(sorted(others))}")
