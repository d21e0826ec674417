"""The code that a result depends on, found from imports, so that no list of files can be forgotten.

A result that is kept on disk is kept with the hash of the code that made it: of every module of
ours that its own reaches by imports, wherever in the files they stand, of the data files that these
modules name, and of the versions of the libraries they use. Modules are read, never imported.
"""

import ast
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from core.cli import EXTRAS

ROOT = Path(__file__).resolve().parent.parent
# What a scan of each file found, by the hash of its content: reading Python takes half a second.
SCANS = Path(__file__).parent / "__pycache__" / "imports.json"
SCANS_KEPT = 2000
IMPORTERS = {"import_module", "__import__"}
# Names of libraries that are not those of their packages.
PACKAGES = {"PIL": "pillow", "cv2": "opencv-python-headless", "sklearn": "scikit-learn",
            "yaml": "pyyaml"}  # fmt: skip
# Libraries that change no byte: progress, locks, threads, retries, caches, transfers. Those of
# extras are not counted either: who has them must get the same hash as who does not.
UNCOUNTED = {"anyio", "cachetools", "filelock", "fsspec", "tenacity", "threadpoolctl", "tqdm"}
UNCOUNTED |= {name for names in EXTRAS.values() for name in names}
_FILE_NAME = re.compile(r"[\w-][\w./-]*\.\w+")

Scan = dict[str, Any]  # "imports": [[name, level]], "computed": lines, "names": of files


class Closure(NamedTuple):
    """Files below the root by path, and libraries by the names they are imported under; sorted."""

    files: tuple[str, ...]
    libraries: tuple[str, ...]
    outside: tuple[Path, ...] = ()  # of chosen modules that are not in the checkout


@functools.cache
def of(
    *modules: str,
    root: Path | None = None,
    chosen: tuple[tuple[str, str], ...] = (),
    with_libraries: bool = True,
) -> str:
    """Hash of all that the modules depend on in a checkout (this one). `chosen` see `closure`."""
    root = root or ROOT
    reached = closure(*modules, root=root, chosen=chosen)
    libraries = versions(reached.libraries if with_libraries else ())
    digest = hashlib.sha256(repr(sorted(libraries.items())).encode())
    for file in [*reached.files, *map(str, reached.outside)]:
        digest.update(f"\n{file}\n".encode() + (root / file).read_bytes())
    return digest.hexdigest()


def closure(
    *modules: str, root: Path | None = None, chosen: Collection[tuple[str, str]] = ()
) -> Closure:
    """Everything that the modules reach.

    `chosen` are (module, name) pairs for modules that import by a name that they compute: which
    names are meant here. Raises `LookupError` for such a module without any, and for a name in
    `modules` or `chosen` that is no module.
    """
    root = root or ROOT
    named: dict[str, list[str]] = {}
    for module, name in chosen:
        named.setdefault(module, []).append(name)
    outside: list[Path] = []
    for name in (*modules, *(name for _, name in chosen)):
        if not _file_of(root, name):
            spec = None if _is_ours(root, name) else importlib.util.find_spec(name)
            if spec is None or spec.origin is None:
                raise LookupError(f"{name}: no such module in {root}")
            outside.append(Path(spec.origin))
    waiting = list(modules)
    seen: set[str] = set()
    files: set[Path] = set()
    libraries: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        file = _file_of(root, name)
        if file is None:
            if not _is_ours(root, name):
                libraries.add(name.split(".")[0])
            continue
        scan = _scan(file.read_bytes())
        if scan["computed"] and name not in named:
            raise LookupError(
                f"{file}, line {scan['computed'][0]}: imports a module by a name that is computed; "
                "whoever asks for the hash must say which (`chosen`)"
            )
        waiting += named.get(name, [])
        files.add(file)
        files.update(_data_files(root, file, scan["names"]))
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        if package:
            waiting.append(package)
            waiting.append(package.rpartition(".")[0] or package)
        waiting += [_absolute(target, level, package) for target, level in scan["imports"]]
    _keep_scans()
    return Closure(
        tuple(sorted(file.relative_to(root).as_posix() for file in files)),
        tuple(sorted(libraries - sys.stdlib_module_names)),
        tuple(sorted(outside)),
    )


def versions(libraries: Collection[str]) -> dict[str, str]:
    """Versions of the libraries that count, by the names of their packages."""
    return {PACKAGES.get(name, name): _version(name) for name in libraries if name not in UNCOUNTED}


@functools.cache
def _version(library: str) -> str:
    try:
        return importlib.metadata.version(PACKAGES.get(library, library))
    except importlib.metadata.PackageNotFoundError:
        if importlib.util.find_spec(library) is None:
            return "none"
        packages = importlib.metadata.packages_distributions().get(library, ())  # slow
        return ", ".join(f"{p} {importlib.metadata.version(p)}" for p in sorted(set(packages)))


def _is_ours(root: Path, name: str) -> bool:
    """Whether a name lies in a package of ours, and may be anything in a module there."""
    top = root / name.split(".")[0]
    return (top / "__init__.py").is_file() or top.with_suffix(".py").is_file()


def _file_of(root: Path, name: str) -> Path | None:
    """The file of a module of ours; None for a library, and for what is no module."""
    if not name or not _is_ours(root, name):
        return None
    path = root.joinpath(*name.split("."))
    files = (path / "__init__.py", path.with_name(f"{path.name}.py"))
    return next((file for file in files if file.is_file()), None)


def _absolute(target: str, level: int, package: str) -> str:
    """The full name of what is imported in a package: `level` dots stand before it."""
    if not level:
        return target
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - level + 1], target]).rstrip(".")


def _data_files(root: Path, file: Path, names: Collection[str]) -> Iterator[Path]:
    """Files that stand beside a module, or at a path below the root, and that it names."""
    for name in names:
        candidates = [file.parent / name, *([root / name] if "/" in name else [])]
        for path in candidates:
            if path.is_file() and ".." not in path.parts:
                yield path


def _scan(data: bytes) -> Scan:
    """What a file imports, and the file names it holds."""
    key = hashlib.sha256(data).hexdigest()
    scans = _scans()
    if key not in scans:
        scans[key] = scan_of(data)
        scans[""] = "new"
    found: Scan = scans[key]
    return found


def scan_of(data: bytes) -> Scan:
    """Imports with their dots, lines that import by a computed name, and names of files."""
    imports: list[tuple[str, int]] = []
    computed: list[int] = []
    names: set[str] = set()
    for node in _run(ast.parse(data)):
        if isinstance(node, ast.Import):
            imports += [(alias.name, 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            imports.append((base, node.level))
            imports += [(f"{base}.{a.name}".lstrip("."), node.level) for a in node.names]
        elif isinstance(node, ast.Call) and _called(node.func) in IMPORTERS:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                imports.append((first.value.lstrip("."), 0))
            else:
                computed.append(node.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if len(node.value) < 100 and _FILE_NAME.fullmatch(node.value):
                names.add(node.value)
    return {"imports": sorted(set(imports)), "computed": computed, "names": sorted(names)}


def _run(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes below one, without what only type checkers read."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _called(child.test) == "TYPE_CHECKING":
            yield from (below for other in child.orelse for below in (other, *_run(other)))
            continue
        yield child
        yield from _run(child)


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


@functools.cache
def _scans() -> dict[str, Any]:
    """Scans by hash of the file; those that another version of this module made do not count."""
    own = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    try:
        kept = json.loads(SCANS.read_bytes())
    except (OSError, ValueError):
        kept = {}
    return kept if isinstance(kept, dict) and kept.get("by") == own else {"by": own}


def _keep_scans() -> None:
    """Write new scans down, where Python may write what it compiles; never a matter of failure."""
    scans = _scans()
    if not scans.pop("", None) or sys.dont_write_bytecode or len(scans) > SCANS_KEPT:
        return
    try:
        handle, name = tempfile.mkstemp(dir=SCANS.parent, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            json.dump(scans, file)
        Path(name).replace(SCANS)
    except OSError:
        return
