"""A folder on storage and its copy here; the storage is this process's memory, where nothing waits
(`tests/builder/test_storage.py` has a real server)."""

import pytest

from core.errors import UserError
from core.mirror import Mirror
from core.storage import filesystem_of, place_of, tidying


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


def test_what_tidying_up_raises_does_not_hide_what_went_wrong(caplog):
    def fail():
        raise UserError("storage does not answer")

    with pytest.raises(ValueError, match="the fault"), tidying(fail):
        raise ValueError("the fault")
    assert "storage does not answer" in caplog.text
    with pytest.raises(UserError, match="does not answer"), tidying(fail):
        pass
