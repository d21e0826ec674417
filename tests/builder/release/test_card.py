"""The card and the metadata of a build: what people read, copy and run, and what machines read."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from command import make
from datasets import Features
from datasets.info import DatasetInfosDict
from huggingface_hub import DatasetCard, DatasetCardData
from outside import ROOT
from PIL import Image
from snippets import run_snippets

from builder.release import card, card_parts, croissant, samples, tally, validate
from builder.release.validate_metadata import metadata_violations
from builder.sources.terms import FAIR_PLAY_URL, Terms, lego
from core.build import every_shard
from lego_arta import CONFIGS, FEATURES
from tasks.drawing import RIGHT_RGB, pixels


@pytest.fixture(scope="module")
def build(demo) -> Path:
    return demo / "lego-arta"


@pytest.fixture
def copy(build, tmp_path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(build, tmp_path / "lego-arta"))


def manifest_of(out: Path) -> dict:
    return json.loads((out / "build.json").read_text())


def text_of(out: Path) -> str:
    return (out / "README.md").read_text(encoding="utf-8")


def test_the_snippets_of_the_card_run(build, tmp_path):
    pytest.importorskip("torch")
    said = run_snippets(text_of(build), build.parent, tmp_path)
    assert "torch.Size([8, 3, 448, 448])" in said
    assert re.search(r"^\d+ of \d+ rows$", said, re.MULTILINE)


def test_the_snippets_of_the_readme_run(build, tmp_path):
    said = run_snippets((ROOT / "README.md").read_text(), build.parent, tmp_path)
    assert "[state]" in said
    said = run_snippets((ROOT / "docs/building.md").read_text(), build.parent, tmp_path)
    assert "correct_box_px" in said  # the dataset's columns


def test_the_cards_yaml_is_what_the_hub_takes(build):
    """Parsed by the Hub's own classes, and by `datasets`, to the very features of the code."""
    parsed = DatasetCard(text_of(build))
    assert isinstance(parsed.data, DatasetCardData)
    assert parsed.data.to_yaml() == yaml.safe_dump(
        parsed.data.to_dict(), sort_keys=False, allow_unicode=True
    ).strip()  # fmt: skip
    infos = DatasetInfosDict.from_dataset_card_data(parsed.data)
    assert {config: info.features for config, info in infos.items()} == FEATURES
    assert parsed.data.license == "apache-2.0" and parsed.data.size_categories == ["n<1K"]
    assert [c["config_name"] for c in parsed.data.configs if c.get("default")] == ["scene"]


def tallies_of(build: Path) -> dict[str, tally.Tally]:
    return tally.added_up(
        (path.parent.name, tally.tally(path, path.parent.name)) for path in every_shard(build)
    )


def rendered(build: Path, terms: Terms) -> str:
    """The card of a build whose source says these terms."""
    infos = DatasetInfosDict.from_dataset_card_data(DatasetCard(text_of(build)).data)
    manifest = manifest_of(build)
    parts = card_parts.parts(build, samples.write_samples(build), tallies_of(build))
    parts |= card.state_parts(manifest["options"], [], {}) | {"split_rule": "", "mask_quality": ""}
    return card.render(
        infos, manifest["statistics"], manifest["rows"], {}, manifest["options"], terms, parts
    )


def test_the_cards_licence_is_the_sources(build):
    text = text_of(build)
    assert DatasetCard(text).data.license == "apache-2.0" and "no LEGO material" in text
    text = rendered(build, lego("manuals"))
    data = DatasetCard(text).data
    assert (data.license, data.license_link) == ("other", FAIR_PLAY_URL)
    assert "non-commercial research" in text and text.count(FAIR_PLAY_URL) == 2


@pytest.mark.parametrize(
    "word",
    ["2507.05515", "mastersthesis", "AssemblySessions", "Why by set", "Agreement", "kappa",
     "hurt", "Seed", "pyarrow", "croissant.json", "streaming=True", "DataLoader"],
)  # fmt: skip
def test_the_card_tells_what_people_look_for(word, build):
    assert word.lower() in text_of(build).lower()


def test_dataset_infos_say_the_same_as_the_card(build):
    infos = json.loads((build / "dataset_infos.json").read_text())
    of_card = DatasetInfosDict.from_dataset_card_data(DatasetCard(text_of(build)).data)
    for config, info in of_card.items():
        assert Features.from_dict(infos[config]["features"]) == info.features
        for split, part in info.splits.items():
            assert infos[config]["splits"][split]["num_examples"] == part.num_examples


def test_numbers_on_the_card_are_the_rows(build):
    """The confidence table adds up to the rows; the boxes counted are those of the shards."""
    rows = manifest_of(build)["rows"]
    tallies = tallies_of(build)
    table = tally.confidence_table(tallies)
    for column, config in enumerate(CONFIGS, 1):
        counted = sum(int(line[column].replace(",", "")) for line in table)
        assert counted == sum(rows[config].values())
    agreeing, labels = tallies["object"][1:3]
    assert 0 < agreeing <= labels
    assert f"{agreeing:,} of {labels:,} labels" in text_of(build)


def test_pictures_are_those_of_rows_with_boxes_drawn(build):
    """The scene's is a row's picture; the object's differs from its row's at boxes only."""
    row = samples._first_rows(build, "scene")[0]
    scene = np.array(Image.open(build / "assets/scene.webp").convert("RGB"))
    assert np.array_equal(scene, pixels(row))
    row = samples._first_rows(build, "object")[0]
    drawn = np.array(Image.open(build / "assets/object.webp").convert("RGB"))
    changed = (drawn != pixels(row)).any(axis=2)
    assert (drawn[changed] == RIGHT_RGB).all(axis=1).any()
    near = np.zeros_like(changed)
    for entry in row["targets"] + row["distractors"]:
        for x0, y0, x1, y1 in entry["instances_px"]:
            near[max(int(y0) - 4, 0) : int(y1) + 5, max(int(x0) - 4, 0) : int(x1) + 5] = True
    assert changed.any() and not (changed & ~near).any()


def test_the_same_build_gives_the_same_files(build, tmp_path):
    work = shutil.copytree(build.parent / "w", tmp_path / "w")
    run = make("--limit", 2, "--work", work, "--out", tmp_path / "other", "--workers", 1)
    assert run.returncode == 0, run.stderr
    assert manifest_of(tmp_path / "other") == manifest_of(build)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries it stands on
def test_croissant_is_valid_and_reads_every_row(build):
    """Through MLCommons' own reader."""
    mlcroissant = pytest.importorskip("mlcroissant")
    dataset = mlcroissant.Dataset(jsonld=build / croissant.FILE)
    issues = dataset.metadata.ctx.issues
    assert not issues.errors
    # A date of publication would make the same build differ from day to day.
    assert all("datePublished" in warning for warning in issues.warnings)
    manifest = manifest_of(build)
    for config, splits in manifest["rows"].items():
        rows = list(dataset.records(config))
        assert len(rows) == sum(splits.values())
        assert {row[f"{config}/split"] for row in rows} == {name.encode() for name in splits}
        assert rows[0][f"{config}/image"].size[0] > 0
    boxes = next(iter(dataset.records("state")))["state/correct_box_px"]
    assert len(boxes) == 4 and all(isinstance(value, float) for value in boxes)


def spoil_card(out: Path, old: str, new: str) -> None:
    text = text_of(out)
    assert old in text
    (out / "README.md").write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ("## Statistics", "## Statistics $rows", "$rows"),  # a value that was forgotten
        ("## Statistics", "## Statistics {{ rows }}", "{{"),
        ("## Statistics", "## TODO", "TODO"),
        ("(assets/scene.webp)", "(assets/gone.webp)", "gone.webp"),  # a picture that is not there
        ("num_examples: ", "num_examples: 9", "rows"),  # a number that is wrong
        ("path: data/state/train-*", "path: data/state/test-*", "the files of state"),
        ("license: apache-2.0\n", "", "licence"),
        ("---\n", "---\n: : [\n", "can be read"),  # no YAML
    ],
)
def test_a_card_that_lies_is_found(old, new, word, copy):
    spoil_card(copy, old, new)
    assert any(word in line for line in metadata_violations(copy, manifest_of(copy)))


def test_metadata_that_lie_are_found(copy):
    manifest = manifest_of(copy)
    assert list(validate.violations(copy)) == []
    for name in ("croissant.json", "dataset_infos.json"):
        path = copy / name
        text = path.read_text()
        path.write_text(re.sub(r'("sha256": "|"num_examples": )\w', r"\g<1>9", text))
        assert any(name in line for line in metadata_violations(copy, manifest)), name
        path.unlink()
        assert any("can be read" in line for line in metadata_violations(copy, manifest))
        path.write_text(text)


def test_a_placeholder_that_nothing_fills_is_an_error(build, monkeypatch, tmp_path):
    template = tmp_path / "card.md"
    template.write_text(card.TEMPLATE.read_text() + "\n$nobody_knows\n")
    monkeypatch.setattr(card, "TEMPLATE", template)
    with pytest.raises(KeyError, match="nobody_knows"):
        rendered(build, lego("manuals"))


def test_every_column_is_explained(build):
    text = text_of(build)
    for config, features in FEATURES.items():
        for name in features:
            (line,) = [row for row in text.splitlines() if row.startswith(f"| `{name}` |")]
            assert all(cell.strip() for cell in line.strip("|").split("|")[3:]), config
    assert "| `targets.box_px` | list of 4 float32 | pixels |" in text


def test_no_question_of_the_card_is_cut_off(build):
    """A code block does not wrap: what is longer than a page is wide has to be scrolled."""
    blocks = re.findall(r"```text\n(.*?)```", text_of(build), re.DOTALL)
    assert len(blocks) == len(CONFIGS)
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 100
