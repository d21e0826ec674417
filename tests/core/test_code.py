"""Keys of what is kept on disk: whatever a result depends on changes its key, and nothing else."""

import ast
import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from faulty_server import Reply, listing_html, manual_html, png, serving
from makers import saved_site, tiny_manual
from outside import ROOT

from builder import make, stages
from builder.annotate import ANNOTATORS, answers
from builder.annotate.models import ModelOptions
from builder.export.run import FORMATS
from builder.sources.audio import saved
from builder.sources.audio.crawl import CrawlOptions, crawl_site
from builder.sources.demo import manuals as demo
from builder.sources.released import importing as legacy
from builder.sources.released.source import RELEASED
from core import code
from core.build import records
from core.pictures import images
from core.pictures.media import encode
from tasks import part_modules

FOLDERS = ("core", "tasks", "builder", "synthesis", "evaluation", "review", "scripts")


assert RELEASED.ready_made
STAGES = (*stages.STAGES, stages.ready_made_stage(RELEASED.ready_made))


def copied(root: Path) -> Path:
    for name in FOLDERS:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "lego_arta.py", root)
    return root


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the code, for tests that put back what they change."""
    return copied(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Hashes are kept for a process's life; here code changes meanwhile."""
    code.of.cache_clear()
    yield
    code.of.cache_clear()


def change(path: Path) -> None:
    """Change what the first function of a module does, or the text of a data file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        path.write_text(text + "\n", encoding="utf-8")
        return
    tree = ast.walk(ast.parse(text))
    function = next((n for n in tree if isinstance(n, ast.FunctionDef)), None)
    lines = text.splitlines(keepends=True)
    if function is None:
        lines.append("CHANGED = True\n")
    else:
        last = function.body[-1]
        lines.insert(last.lineno - 1, " " * last.col_offset + "changed = True\n")
    path.write_text("".join(lines), encoding="utf-8")
    ast.parse("".join(lines))


def keys(root: Path, annotators: str = "foreground") -> dict[str, str]:
    """The key of every stage, and of a build, in a checkout as it is now."""
    code.of.cache_clear()
    found = {stage.name: stages.code_of(stage, annotators, root) for stage in STAGES}
    drawn, looked = (code.of(module.__name__, root=root) for module in (demo, images))
    return {**found, "demo": drawn, "pictures": looked, "build": stages.code_sha256(root)}


unchanged = functools.cache(keys)


def moved(root: Path, file: str, annotators: str = "foreground") -> set[str]:
    """The keys that a change of a file moves."""
    before, data = unchanged(root, annotators), (root / file).read_bytes()
    change(root / file)
    try:
        after = keys(root, annotators)
    finally:
        (root / file).write_bytes(data)
    return {stage for stage in before if before[stage] != after[stage]}


ROWS = {"annotate", "tasks", "ready_made"}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("builder/sources/demo/bricks.py", {"demo", "build"}),
        ("builder/sources/audio/fetch.py", {"build"}),
        ("builder/sources/released/importing.py", {"build"}),
        ("core/pictures/images.py", {"pictures", "parse", "build"}),
        ("core/image_names.py", {"parse", "tasks", "ready_made", "build"}),
        ("builder/parse/manual.py", {"parse", "build"}),
        ("builder/parse/manual.schema.json", {"parse", "build"}),
        ("builder/sources/audio/charset.py", {"parse", "build"}),
        ("builder/annotate/foreground.py", {"annotate", "build"}),
        ("builder/annotate/qwen_vl.py", {"build"}),  # it is not asked
        ("core/pictures/media.py", {*ROWS, "pictures", "parse", "build"}),
        ("tasks/state/rows.py", {"tasks", "build"}),
        ("tasks/prompts.py", {"tasks", "ready_made", "build"}),
        ("tasks/state/text.py", {"tasks", "ready_made", "build"}),
        ("tasks/state/check.py", set()),
        ("core/parquet.py", {"tasks", "ready_made", "build"}),
        ("builder/sources/released/rows.py", {"ready_made", "build"}),
        ("synthesis/negatives.py", {"tasks", "build"}),
        ("synthesis/boxes.py", {*ROWS, "build"}),
        ("core/answers/boxes.py", {"ready_made", "build"}),  # its boxes are read as answers are
        ("core/metrics.py", set()),
        ("builder/release/split.py", {"build"}),
        ("builder/release/card.md", {"build"}),
        ("builder/probes/patches.py", {"build"}),
        ("lego_arta.py", {"tasks", "ready_made", "build"}),
        (
            "builder/__init__.py",
            {"demo", "parse", "annotate", "ready_made", "build"},
        ),  # imports run it
        ("builder/publish/push.py", set()),
        ("builder/release/validate.py", set()),
        ("review/page.py", set()),
        ("scripts/measure.py", set()),
    ],
)
def test_a_change_moves_the_stages_that_depend_on_it_and_no_others(file, expected, checkout):
    assert moved(checkout, file) == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("builder/annotate/foreground.py", {"build"}),
        ("builder/annotate/qwen_vl.py", {"annotate", "build"}),
        ("builder/annotate/qwen_vl_reading.py", {"annotate", "build"}),
        ("core/answers/boxes.py", {"annotate", "ready_made", "build"}),
        ("builder/annotate/owlv2.py", {"build"}),
    ],
)
def test_only_the_annotators_that_are_asked_count(file, expected, checkout):
    assert moved(checkout, file, "qwen-vl") == expected


@pytest.mark.parametrize("name", [n for n, m in ANNOTATORS.items() if answers.needs_model(n)])
def test_answers_of_models_are_asked_anew_when_what_asks_them_changes(name, checkout, monkeypatch):
    """And not when what reads them does: that costs no GPU."""
    monkeypatch.setattr(code, "ROOT", checkout)
    places = tuple((place, "ORG/NAME/FILE") for place in (name, "eva-vit", "llama"))

    def identity(file: str = "") -> str:
        data = (checkout / file).read_bytes() if file else b""
        if file:
            change(checkout / file)
        code.of.cache_clear()
        try:
            return answers.identity_of(name, ModelOptions(places))
        finally:
            if file:
                (checkout / file).write_bytes(data)

    file = ANNOTATORS[name].replace(".", "/") + ".py"
    assert identity() == identity()
    asked = {identity(), identity(file), identity("core/pictures/media.py")}
    assert len(asked) == 3
    for file in ("core/answers/boxes.py", "builder/annotate/labelling.py",
                 "builder/annotate/consensus.py", "tasks/state/rows.py"):  # fmt: skip
        assert identity(file) == identity()
    if name == "minigpt-v2":
        assert identity("builder/annotate/minigpt_v2_files.py") not in asked
        assert identity("builder/annotate/minigpt_v2_reading.py") == identity()


def test_libraries_count_but_those_that_change_no_byte(checkout, monkeypatch):
    before = keys(checkout)
    real = code._version
    for library, expected in (
        ("cv2", {"demo", *ROWS, "build"}),
        ("selectolax", {"parse", "build"}),
        ("tqdm", set()),
        ("torch", set()),
    ):
        monkeypatch.setattr(
            code, "_version", lambda name, other=library: "x" if name == other else real(name)
        )
        after = keys(checkout)
        assert {stage for stage in before if before[stage] != after[stage]} == expected, library
    known = stages.library_versions()
    assert known["pillow"] and "torch" not in known and "none" not in known.values()


def test_no_module_that_a_stage_loads_is_missing_from_its_code():
    """Checked by Python itself: what really gets imported, function-level imports aside."""
    program = (
        "import importlib, json, sys\n"
        f"for module in {[stage.module for stage in STAGES]}:\n"
        "    importlib.import_module(module)\n"
        "print(json.dumps([m.__file__ for m in sys.modules.values() if getattr(m, '__file__', 0)]))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    loaded = {Path(file) for file in json.loads(run.stdout) if Path(file).is_relative_to(ROOT)}
    ours = {p.relative_to(ROOT).as_posix() for p in loaded if ".venv" not in p.parts}
    ours = {name for name in ours if not name.startswith("tests/")}  # of how tests start it
    reached = code.closure(stages.ASSEMBLE, chosen=stages.every_choice())
    assert len(ours) > 50 and ours <= set(reached.files)


def test_every_data_file_is_named_by_a_module_beside_it():
    """A template that no module names would be in no key; it would not be read either."""
    formats = [f"builder.export.{name.replace('-', '_')}" for name in FORMATS]
    reached = code.closure(
        "builder.make", "builder.export.run", *formats, "review.page", "review.report",
        "review.gallery", "review.swatches",
        chosen=[*stages.every_choice(), *part_modules("score"),
                ("builder.export.run", formats[0]),
                ("evaluation.runners", "evaluation.runners.openai_endpoint")],
    )  # fmt: skip
    data = {
        path.relative_to(ROOT).as_posix()
        for folder in ("core", "builder", "synthesis", "review")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and "__pycache__" not in path.parts
    }
    assert {
        "builder/release/card.md",
        "builder/release/recipe.md",
        "builder/export/readme.md",
    } <= data
    assert data <= set(reached.files)
    assert "scripts/train/llamafactory_sft.yaml" in reached.files


# Imports of every form -----------------------------------------------------------------------

TREE = {
    "pack/__init__.py": "from pack import always\n",
    "pack/always.py": "",
    "pack/start.py": '"""Text: pack.never."""\nimport json, numpy\nimport pack.plain as p\n'
    "from pack import member, VALUE\nfrom pack.inner import deep\n"
    "if True:\n    import pack.branch\n"
    "try:\n    import gone\nexcept ImportError:\n    from pack import fallback\n"
    "def late():\n    from pack.function import thing\n    import PIL.Image\n"
    "    return importlib.import_module('pack.literal')\n"
    'PAGE = "page.html"\nOTHER = "data/other.json"\n',
    "pack/inner/__init__.py": "from . import sibling\nfrom ..up import x\n",
    "pack/inner/sibling.py": "from .cousin import y\n",
    "top.py": "NAME = 'pack.never'\n",
    "pack/page.html": "<p>",
    "data/other.json": "{}",
    "page.html": "not beside the module",
    **{f"pack/{n}.py": "" for n in ("plain member branch fallback function literal up never "
                                    "inner/deep inner/cousin").split()},
}  # fmt: skip


@pytest.fixture
def tree(tmp_path) -> Path:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_imports_of_every_form_are_followed(tree):
    found = code.closure("pack.start", root=tree)
    names = ("__init__ always start plain member inner/__init__ inner/sibling inner/cousin up "
             "inner/deep branch fallback function literal").split()  # fmt: skip
    expected = {f"pack/{name}.py" for name in names} | {"pack/page.html", "data/other.json"}
    assert set(found.files) == expected
    assert found.libraries == ("PIL", "gone", "numpy")
    assert code.versions(found.libraries).keys() == {"pillow", "gone", "numpy"}


@pytest.mark.parametrize(
    "text",
    ["importlib.import_module(f'pack.{name}')", "__import__(NAMES[0])",
     "from importlib import import_module\nimport_module(name)", "load = import_module(name=n)"],
)  # fmt: skip
def test_a_computed_import_must_be_said(text, tree):
    (tree / "top.py").write_text(f"import pack\n{text}\n")
    with pytest.raises(LookupError, match=r"top\.py, line \d: imports a module by a name"):
        code.closure("top", root=tree)
    found = code.closure("top", root=tree, chosen=[("top", "pack.never")])
    assert set(found.files) == {"top.py", "pack/__init__.py", "pack/always.py", "pack/never.py"}
    # Where it is not reached, what was chosen for it counts for nothing.
    assert code.closure("pack.up", root=tree, chosen=[("top", "pack.never")]) == code.closure(
        "pack.up", root=tree
    )
    with pytest.raises(LookupError, match=r"pack\.lost: no such module"):
        code.closure("top", root=tree, chosen=[("top", "pack.lost")])


def test_scans_are_kept_and_never_trusted_blindly(tree, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(code, "SCANS", tmp_path / "kept" / "imports.json")
    scanned = []
    real = code.scan_of
    monkeypatch.setattr(code, "scan_of", lambda data: scanned.append(1) or real(data))

    def fresh() -> tuple[code.Closure, int]:
        code._scans.cache_clear()
        scanned.clear()
        return code.closure("pack.start", root=tree), len(scanned)

    expected, number = fresh()  # the folder is not there: nothing kept, nothing wrong
    assert number > 0
    (tmp_path / "kept").mkdir()
    assert fresh() == (expected, number)
    assert fresh() == (expected, 0)
    (tree / "pack/up.py").write_text("import pack.never\n")
    found, again = fresh()
    assert again == 1 and set(found.files) == {*expected.files, "pack/never.py"}
    for spoilt in (b"", b"[]", b'{"by": "another version"}'):
        code.SCANS.write_bytes(spoilt)
        assert fresh()[0] == found
    code._scans.cache_clear()


# In builds -----------------------------------------------------------------------------------


def test_a_changed_box_parser_rebuilds_an_import(checkout, tmp_path, monkeypatch):
    root, shown = tmp_path / "ARTA_LEGO", "lego/lego-10001-hut-readscr/images/Hut-0_eop_A_tl.png"
    collage = root / "object_dataset" / shown
    collage.parent.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
    collage.write_bytes(encode(pixels, "png"))
    told = legacy.Told("object", f"object_dataset/{shown}", "[object] positions of 1 red brick",
                       "[{'bbox_2d': [10, 10, 30, 30], 'label': '1 red brick'}]")  # fmt: skip
    page = legacy.Page("lego-10001-hut-readscr", [], [told])
    manual_id = legacy.import_manual(root, page, tmp_path / "w" / "1_crawl")
    options = stages.BuildOptions(tmp_path / "w", ready_made=RELEASED.ready_made)
    monkeypatch.setattr(code, "ROOT", checkout)
    assert stages.build_manual(manual_id, options) == (manual_id, True)
    assert stages.build_manual(manual_id, options) == (manual_id, False)
    for file, expected in (
        ("core/answers/boxes.py", True),
        ("tasks/state/rows.py", False),
    ):
        data = (checkout / file).read_bytes()
        change(checkout / file)
        code.of.cache_clear()
        assert stages.build_manual(manual_id, options) == (manual_id, expected)
        (checkout / file).write_bytes(data)
        code.of.cache_clear()
        assert stages.build_manual(manual_id, options) == (manual_id, expected)


def test_a_page_that_changed_where_no_row_looks_is_in_the_manifest(tmp_path):
    """Else a recipe names a page that is not what it was made from."""
    page = saved_site(tmp_path / "site", tiny_manual().rows[:4])
    places = ["--work", str(tmp_path / "w"), "--out", str(tmp_path / "lego-arta")]

    def built() -> dict:
        source = ["--source", str(tmp_path / "site"), "--workers", "1", "--no-probe", "--debug"]
        assert make.main([*source, *places]) == 0
        return json.loads((tmp_path / "lego-arta/build.json").read_text())

    def page_of() -> str:
        (manual,) = records(tmp_path / "lego-arta", {}, "inputs")
        return manual["page_sha256"]

    before = built()
    page_before = page_of()
    assert built() == before
    page.write_text(page.read_text().replace("<body>", "<body><!-- seen by nobody -->"))
    after = built()
    assert page_before != page_of()
    shards = [{n: e for n, e in m["files"].items() if n.startswith("data/")}
              for m in (before, after)]  # fmt: skip
    assert shards[0] == shards[1]


@pytest.fixture
def stricter(monkeypatch):
    """Call it, and code has changed: from then on pictures 24 px wide are none."""
    looks: list[int] = []
    inspect, of = images.inspect_image, code.of

    def counting(data: bytes, max_pixels: int) -> images.ImageInfo:
        looks.append(len(data))
        return inspect(data, max_pixels)

    def change_code() -> None:
        def refusing(data: bytes, max_pixels: int) -> images.ImageInfo:
            info = counting(data, max_pixels)
            if info.size_wh[0] == 24:
                raise images.ImageError("broken_image", "refused now")
            return info

        monkeypatch.setattr(images, "inspect_image", refusing)
        monkeypatch.setattr(code, "of", lambda *modules, **more: f"new {of(*modules, **more)}")

    monkeypatch.setattr(images, "inspect_image", counting)
    change_code.looks = looks
    return change_code


def test_pictures_of_a_saved_site_are_looked_at_again_by_new_code(tmp_path, stricter):
    page = tmp_path / "site" / "lego-7-a-thing-readscr" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_bytes(manual_html(["a.png", "b.png"]))
    (page.parent / "a.png").write_bytes(png(1, (24, 16)))
    (page.parent / "b.png").write_bytes(png(2, (25, 16)))

    def errors() -> list[str | None]:
        saved.import_manual(tmp_path / "site", page, tmp_path / "1_crawl")
        record = json.loads((tmp_path / "1_crawl/lego-7-a-thing-readscr/crawl.json").read_text())
        return [image["error"] for image in record["images"]]

    assert (errors(), errors(), len(stricter.looks)) == ([None, None], [None, None], 2)
    stricter()
    assert (errors(), len(stricter.looks)) == (["broken_image", None], 4)
    assert (errors(), len(stricter.looks)) == (["broken_image", None], 5)  # only what failed


def test_pictures_of_a_crawl_are_looked_at_again_by_new_code(tmp_path, stricter):
    """On disk: the server is asked for what has changed, as ever, and for what is refused now."""
    with serving() as server:
        srcs = ["/pics/a.png", "/pics/b.png"]
        for path, picture in zip(srcs, (png(1, (24, 16)), png(2, (25, 16))), strict=True):
            server.pages[path] = Reply(picture)
        server.pages["/list/"] = Reply(listing_html(["/lego-7-a-thing-readscr/"]))
        server.pages["/lego-7-a-thing-readscr/"] = Reply(manual_html(srcs))

        def errors() -> list[str | None]:
            options = CrawlOptions(delay_s=0.0, backoff_s=0.01, retries=1)
            (manual_id,), *_ = crawl_site(f"{server.url}/list/", tmp_path / "1_crawl", options)
            record = json.loads((tmp_path / "1_crawl" / manual_id / "crawl.json").read_text())
            return [image["error"] for image in record["images"]]

        assert (errors(), errors(), len(stricter.looks)) == ([None, None], [None, None], 2)
        stricter()
        assert errors() == ["broken_image", None]
        assert errors() == ["broken_image", None]
