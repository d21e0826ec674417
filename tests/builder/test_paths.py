"""Builds in folders of any name: brackets, stars and the like are names here, never patterns."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import load_dataset
from makers import div_row, page, tiny_manual
from review_build import Folder

from builder import make
from builder.export import command as export
from builder.probes import _row_groups
from builder.release import recipe, samples, validate
from builder.release.tally import tally
from core.build import as_patterns, configs_of, every_shard, loading_call, shards
from core.items import load_items
from evaluation import command as evaluate
from evaluation.prompts import Setting
from evaluation.training import training_rows
from lego_arta import SPLITS, LegoArta
from review import command as review
from review.rows import read_rows
from review.sheet import groups

# Each beside one that it would match, were it a pattern: a reader that took it for one would find
# the neighbour's rows, both folders' or none.
NAMES = {
    "we[ird] dir": "wei dir",
    "a*b?c": "axxbyc",
    "[!x]": "y",
    "br{a,c}es": "braes",
    "50%20 off #1": "50 off ",
    "quo'te\"s": "quotes",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return Folder(tmp_path_factory.mktemp("plain")).out


@pytest.fixture(params=NAMES, scope="module")
def odd(request, plain, tmp_path_factory) -> Path:
    """The build in an oddly named folder; in the folder that its name would match, another."""
    parent = tmp_path_factory.mktemp("odd")
    build = parent / request.param / "lego-arta"
    shutil.copytree(plain, build, copy_function=os.link)
    neighbour = parent / NAMES[request.param] / "lego-arta"
    shutil.copytree(plain, neighbour, copy_function=os.link)
    for path in every_shard(neighbour):
        path.rename(path.with_name(path.name.replace("-of-00001", "-of-00009")))
    return build


def loaded(build: Path, out: Path) -> list:
    found: list = []
    for config in configs_of(build):
        whole = LegoArta(config_name=config, data_dir=str(build), cache_dir=str(out / config))
        whole.download_and_prepare()
        found += [(config, split, rows["id"][:]) for split, rows in whole.as_dataset().items()]
        stream = LegoArta(config_name=config, data_dir=build).as_streaming_dataset()
        found += [(config, split, [r["id"] for r in rows]) for split, rows in stream.items()]
    return found


def as_parquet(build: Path, out: Path) -> list:
    files = {split: as_patterns(shards(build, "state", split)) for split in SPLITS}
    files = {split: paths for split, paths in files.items() if paths}
    loaded = load_dataset("parquet", data_files=files, cache_dir=str(out / "c"))
    return [(split, rows["id"][:]) for split, rows in loaded.items()]


def validated(build: Path, out: Path) -> list:
    return list(validate.violations(build))


def exported(build: Path, out: Path) -> list:
    """Into a folder whose name is as odd, by a format of each kind."""
    found = []
    for name in ("llava", "messages", "legacy", "webdataset"):
        place = out / build.parent.name / name
        assert export.main([str(build), "--format", name, "--split", "train", "--out", str(place),
                            "--workers", "1"]) == 0  # fmt: skip
        found.append((name, sorted(p.relative_to(place).as_posix() for p in place.rglob("*"))))
    return found


def reviewed(build: Path, out: Path) -> list:
    place = out / build.parent.name
    assert review.main(["gallery", str(build), "--out", str(place / "gallery")]) == 0
    page_file = place / "object.html"
    assert review.main(["make", str(build), "--task", "object", "--out", str(page_file)]) == 0
    return [
        sorted(p.name for p in place.rglob("*")),
        [entry.id for config in configs_of(build) for entry in read_rows(build, config)],
        groups(build, 2),
    ]


def evaluated(build: Path, out: Path) -> list:
    items = [item.id for split in SPLITS for item in _items(build, split)]
    setting = Setting(examples="none")
    split = next(s for s in SPLITS if _items(build, s))
    tsv = out / build.parent.name / "state.tsv"
    tsv.parent.mkdir(parents=True)
    command = ["tsv", str(build), "--config", "state", "--split", split, "--out", str(tsv)]
    assert evaluate.main(command) == 0
    return [items, tsv.read_bytes(), sorted(training_rows(build, ["state"], setting)["id"])]


def _items(build: Path, split: str) -> list:
    return load_items(build, "state", split) if shards(build, "state", split) else []


def probed(build: Path, out: Path) -> list:
    return [
        (path.relative_to(build), group, start)
        for path, group, start in _row_groups(shards(build, "state"))
    ]


def made_a_recipe_of(build: Path, out: Path) -> list:
    copied = out / build.parent.name / "lego-arta"
    shutil.copytree(build, copied)
    folder = recipe.write_recipe(copied)
    return sorted((p.relative_to(folder).as_posix(), p.stat().st_size) for p in every_shard(folder))


def sampled(build: Path, out: Path) -> list:
    copied = out / build.parent.name / "lego-arta"
    shutil.copytree(build, copied)
    return [*samples.write_samples(copied), *(tally(p, p.parent.name) for p in every_shard(copied))]


READERS: list[Callable[[Path, Path], list]] = [
    loaded, as_parquet, validated, exported, reviewed, evaluated, probed, made_a_recipe_of, sampled,
]  # fmt: skip


@pytest.fixture(scope="module")
def expected(plain, tmp_path_factory) -> dict[str, list]:
    return {reader.__name__: reader(plain, tmp_path_factory.mktemp("e")) for reader in READERS}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # third parties' about themselves
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__name__)
def test_every_reader_finds_the_rows_of_an_oddly_named_build(odd, reader, expected, tmp_path):
    assert reader(odd, tmp_path) == expected[reader.__name__]


def test_what_a_build_prints_loads_it_from_anywhere(odd, plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    wanted = LegoArta(config_name="state", data_dir=plain).as_streaming_dataset().keys()
    names = {"load_dataset": load_dataset, "LegoArta": LegoArta}
    for build in (plain, odd):
        assert eval(loading_call(build, "state"), names).keys() == wanted
    assert loading_call(plain, "state").startswith("load_dataset(")


EVERY_SIGN = "we[ird] {a,b} *? 50%20 #1 '\"!"


def test_a_build_from_and_to_folders_with_every_sign(tmp_path, capsys):
    """Source, work and out; what a killed run left beside the build goes."""
    base = tmp_path / EVERY_SIGN
    site = base / "site" / "lego-60001-car-readscr"
    site.mkdir(parents=True)
    html = ""
    for row in tiny_manual().rows[:4]:
        (site / str(row.name)).write_bytes(row.data or b"")
        html += div_row(row.name, "".join(row.lines))
    (site / "index.html").write_text(page(html))
    out = base / "o[u]t"
    leftover = base / ".o[u]t.killed.tmp"
    leftover.mkdir()
    arguments = ["--source", base / "site", "--work", base / "w[or]k", "--out", out]
    options = ["--workers", "1", "--no-probe"]
    assert make.main([*map(str, arguments), *options]) == 0
    assert not leftover.exists()
    assert not list(validate.violations(out))
    said = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("load it"))
    assert said == f"load it with: {loading_call(out, 'state')}"
    assert len(every_shard(out)) >= 1
    built = {p.name: p.stat().st_mtime_ns for p in (base / "w[or]k").rglob("done")}
    assert make.main([*map(str, arguments), *options]) == 0  # and the stages are found again
    assert {p.name: p.stat().st_mtime_ns for p in (base / "w[or]k").rglob("done")} == built


# What LegoArta is not given ------------------------------------------------------------------


def test_no_data_is_told_with_the_cure():
    builder = LegoArta(config_name="state")
    assert builder.info.features  # what needs no data works
    with pytest.raises(FileNotFoundError, match=r"no data; give data_dir.*config_name='state'"):
        builder.download_and_prepare()
    with pytest.raises(FileNotFoundError, match="no data; give data_dir"):
        builder.as_streaming_dataset()


def test_a_folder_that_is_not_there_or_is_no_build(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder, and not a Hub repository"):
        LegoArta(config_name="state", data_dir=tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match="it is not a build; make one with"):
        LegoArta(config_name="state", data_dir=tmp_path)


def test_a_name_that_the_hub_does_not_give_is_one_line(monkeypatch):
    """Without a network: the first refusal is told, nothing is tried for long."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match="data_dir the folder of a build") as caught:
        LegoArta(config_name="state", data_dir="nobody/lego-arta")
    assert str(caught.value).startswith("nobody/lego-arta: no such folder here")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a::b", "$HOME"])
def test_names_that_datasets_can_not_read_are_told(plain, tmp_path, name):
    build = tmp_path / name / "lego-arta"
    shutil.copytree(plain, build, copy_function=os.link)
    with pytest.raises(ValueError, match="rename the folder"):
        LegoArta(config_name="state", data_dir=build)
