"""A folder on storage and its copy here; the storage is this process's memory, where nothing waits
(`tests/builder/test_storage.py` has a real server)."""

import pytest

from core.mirror import Mirror
from core.storage import filesystem_of, place_of


@pytest.fixture
def shared(tmp_path, request):
    place = place_of(f"memory://{request.node.name}")
    yield Mirror(place, tmp_path / "scratch")
    fs, path = filesystem_of(place)
    if fs.exists(path):
        fs.rm(path, recursive=True)


def stored(shared, folder):
    fs, root = filesystem_of(shared.place)
    return {path.removeprefix(f"{root}/") for path in fs.find(f"{root}/{folder}")}


def test_what_a_killed_download_left_is_not_uploaded(shared):
    for name in ("0_demo/page", "0_demo/.half.tmp/0", "0_demo/old.tmp/1", "0_demo/half.tmp"):
        path = shared.scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    shared.send("0_demo")
    assert stored(shared, "0_demo") == {"0_demo/page"}


def test_of_small_files_those_that_are_there_are_brought(shared):
    fs, root = filesystem_of(shared.place)
    fs.pipe_file(f"{root}/3_answers/x/b.json", b"b")
    shared.pull_if_there()
    shared.pull_if_there("3_answers/x/a.json", "3_answers/x/b.json", "3_answers/x/b.json")
    assert [path.name for path in (shared.scratch / "3_answers/x").iterdir()] == ["b.json"]
    assert (shared.scratch / "3_answers/x/b.json").read_bytes() == b"b"


def test_what_is_only_added_to_keeps_what_others_wrote(shared):
    fs, root = filesystem_of(shared.place)
    (shared.scratch / "3_answers").mkdir(parents=True)
    (shared.scratch / "3_answers/ours.json").write_text("1")
    fs.pipe_file(f"{root}/3_answers/theirs.json", b"2")
    shared.send("3_answers", only_add=True)
    assert stored(shared, "3_answers") == {"3_answers/ours.json", "3_answers/theirs.json"}
    shared.send("3_answers")
    assert stored(shared, "3_answers") == {"3_answers/ours.json"}
