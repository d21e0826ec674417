"""Who may import whom: the loader must stay light and the pure code pure."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from outside import ROOT

FOLDERS = ("core", "builder", "synthesis", "evaluation", "review", "benchmarks", "scripts")
OURS = {*FOLDERS, "lego_arta", "tests"}
MODULES = [
    ROOT / "lego_arta.py",
    *(p for name in FOLDERS for p in sorted((ROOT / name).rglob("*.py"))),
]


def _imports(path: Path) -> set[str]:
    """Dotted names of all modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _of_ours(path: Path) -> set[str]:
    return {name for name in _imports(path) if name.split(".")[0] in OURS}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _in(folder: str) -> list:
    return [pytest.param(p, id=_name(p)) for p in MODULES if p.is_relative_to(ROOT / folder)]


def test_there_is_something_to_look_at():
    assert {_name(path) for path in MODULES} >= {"lego_arta.py", "synthesis/boxes.py"}


def test_the_loader_imports_only_datasets_and_the_standard_library():
    """People copy this one file; it must run wherever `datasets` does."""
    top = {name.split(".")[0] for name in _imports(ROOT / "lego_arta.py")}
    assert top <= {"datasets"} | set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", _in("core"))
def test_the_ground_floor_stands_on_nothing_of_ours_and_is_light(path):
    """Every command imports it before it can answer `--help`."""
    top = {name.split(".")[0] for name in _imports(path)}
    assert top <= {"core"} | set(sys.stdlib_module_names)


@pytest.mark.parametrize("path", _in("synthesis"))
def test_synthesis_knows_nothing_of_ours_and_no_disk(path):
    assert {name for name in _of_ours(path) if not name.startswith("synthesis")} == set()
    assert not {"pathlib", "os", "io", "shutil", "tempfile"} & _imports(path)


@pytest.mark.parametrize("path", _in("evaluation"))
def test_evaluation_uses_only_box_arithmetic(path):
    """Scoring predictions must need no crawler, no pictures and no GPU."""
    allowed = {"synthesis", "synthesis.boxes", "evaluation", "core"}
    strange = {
        name
        for name in _of_ours(path)
        if name not in allowed and not name.startswith(("synthesis.boxes.", "evaluation.", "core."))
    }
    assert strange == set()


@pytest.mark.parametrize("path", _in("review"))
def test_review_reads_builds_and_runs_none(path):
    """A page or a gallery needs no crawler and no model, only the rows of a build."""
    allowed = (
        "core", "review", "synthesis", "core.records", "core.store", "evaluation.bootstrap",
    )  # fmt: skip
    strange = {
        name
        for name in _of_ours(path)
        if name not in ("builder", "evaluation")
        and not any(name == a or name.startswith(f"{a}.") for a in allowed)
    }
    assert strange == set()


@pytest.mark.parametrize("path", _in("builder"))
def test_the_builder_never_imports_scripts_or_tests(path):
    forbidden = {"scripts", "tests", "review", "benchmarks"}
    assert {name for name in _of_ours(path) if name.split(".")[0] in forbidden} == set()


@pytest.mark.parametrize("path", _in("builder"))
def test_only_exports_and_imports_of_prompts_use_the_benchmark(path):
    """Models are tuned on the prompts they are tested with; rows never depend on the benchmark.

    A chat model's boxes are read by the same reader, as an annotator's or as an answer.
    """
    may = _name(path).startswith(
        ("builder/export/", "builder/sources/legacy", "builder/annotate/qwen_vl")
    )
    assert may or not {n for n in _of_ours(path) if n.split(".")[0] == "evaluation"}
    assert "evaluation" not in {n.split(".")[0] for n in _of_ours(ROOT / "core/parquet.py")}


@pytest.mark.parametrize("path", [pytest.param(p, id=_name(p)) for p in MODULES])
def test_every_module_says_what_it_is(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
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
