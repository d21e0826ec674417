"""What the card and the manifest say of spatial rows is what the rows are."""

import collections

import pytest
from PIL import Image
from spatial_build import contradicting

from builder.release import relations, tally
from core.build import every_shard, manifest_of, read_rows
from core.relations import CONVERSATIONS, WORDS


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return contradicting(tmp_path_factory.mktemp("relations"))


def test_the_manifest_counts_every_row_by_relation_source_and_conversation(build):
    """Against a count by another way: the confidence says where gold comes from."""
    by_confidence = {0.8: "image", 0.2: "contradiction"}
    counted = collections.Counter(
        (row["relations"][0], by_confidence[round(row["confidence"], 2)],
         CONVERSATIONS[row["conversation_type"]])
        for row in (entry.columns for entry in read_rows(build, "spatial"))
    )  # fmt: skip
    told = manifest_of(build)["relation_counts"]
    flat = {(relation, source, conversation): number
            for relation, by_source in told.items()
            for source, by_conversation in by_source.items()
            for conversation, number in by_conversation.items()}  # fmt: skip
    assert flat == counted and sum(flat.values()) == sum(
        manifest_of(build)["rows"]["spatial"].values()
    )
    assert flat["under", "contradiction", "classification"] == 1 and list(told) == ["on", "under"]


def test_counts_of_shards_add_up_in_any_order(build):
    shards = [path for path in every_shard(build) if path.parent.name == "spatial"]
    parts = [(path.parent.name, tally.tally(path, "spatial")) for path in shards]
    assert len(parts) == 2
    one, other = tally.added_up(parts), tally.added_up(parts[::-1])
    assert relations.nested(one["spatial"].kinds) == manifest_of(build)["relation_counts"]
    assert relations.nested(other["spatial"].kinds) == relations.nested(one["spatial"].kinds)


@pytest.mark.parametrize(
    ("text", "image", "scene", "source"),
    [(["on"], ["on"], ["on"], "scene"), (["on"], ["on", "left"], [], "agree"),
     (["on"], [], [], "text"), ([], ["left"], [], "image"),
     (["on"], ["under"], [], "contradiction")],
)  # fmt: skip
def test_where_gold_is_from_is_read_off_a_row(text, image, scene, source):
    row = {"relations": text or image, "relations_text": text, "relations_image": image,
           "relations_scene": scene, "conversation_type": 2}  # fmt: skip
    assert relations.kind_of(row) == ((text or image)[0], source, "open")


def test_the_card_has_a_line_a_relation_and_their_sum(build):
    text = (build / "README.md").read_text()
    (section,) = (part for part in text.split("\n## ") if part.startswith("Spatial relations"))
    lines = [[cell.strip() for cell in line.strip("|").split("|")]
             for line in section.splitlines() if line.startswith("|")][2:]  # fmt: skip
    assert [line[0] for line in lines] == [*WORDS.values(), "all"]
    numbers = [[int(cell) for cell in line[1:]] for line in lines]
    assert [sum(column) for column in zip(*numbers[:-1], strict=True)] == numbers[-1]
    assert all(line[0] == sum(line[3:]) for line in numbers)  # a classification row is a pair
    assert numbers[0][:3] == [4, 8, 4] and numbers[3] == [1, 2, 1, 0, 0, 0, 0, 1]


def test_the_picture_has_a_tile_for_every_relation_that_is_sure(build):
    """On alone: the other one is said of a pair whose picture shows something else."""
    rows = list(relations._examples(build))
    assert [row.columns["relations"][0] for row in rows] == ["on"]
    width, height = relations.TILE_WH
    with Image.open(build / relations.PICTURE) as picture:
        assert picture.width - width < width and picture.height - height < height
    assert f"]({relations.PICTURE})" in (build / "README.md").read_text()


def test_a_build_without_spatial_rows_says_nothing_of_them(tmp_path):
    assert relations.section(tmp_path, {}) == "" and not any(tmp_path.iterdir())
