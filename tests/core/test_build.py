"""Reading a build: pictures of the build that is meant."""

from pathlib import Path

import pytest
from benchmark_build import write_build

from core.build import Place, configs_of, picture_bytes, read_rows
from core.errors import UserError


def test_a_relative_path_means_the_build_that_lies_there_now(tmp_path, monkeypatch):
    found = []
    for steps in (2, 5):
        folder = tmp_path / str(steps)
        build = write_build(folder / "b", manuals=2, test_manuals=1, steps=steps)
        monkeypatch.chdir(folder)
        places = [row.place for row in read_rows(Path("b"), "state", "train", ["id"])]
        assert [place.path.is_absolute() for place in places[:1]] == [False]
        found.append([picture_bytes(place) for place in places])
        assert configs_of(build) == ("object", "scene", "state")
    assert len(found[0]) < len(found[1])


def test_a_shard_that_is_gone_is_named(tmp_path):
    with pytest.raises(UserError, match="not a shard of a build"):
        picture_bytes(Place(tmp_path / "train-00000-of-00001.parquet", 0, 0))
