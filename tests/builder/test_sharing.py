"""Two machines that work in one folder on storage, one after the other."""

from types import SimpleNamespace

import pytest

from builder import sharing
from core.mirror import Mirror
from core.storage import filesystem_of, place_of
from core.store import DEMO


@pytest.fixture
def place(request):
    place = place_of(f"memory://{request.node.name}")
    yield place
    fs, path = filesystem_of(place)
    if fs.exists(path):
        fs.rm(path, recursive=True)


def source(*names, fails=False):
    """It draws files and finds no manuals."""

    def bring(options, engine):
        for name in names:
            path = options.work / DEMO / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        if fails:
            raise OSError("killed")
        return SimpleNamespace(manual_ids=[])

    return SimpleNamespace(bring=bring)


def run(place, scratch, what):
    sharing.bring(what, SimpleNamespace(work=scratch), None, Mirror(place, scratch))


def there(place):
    fs, root = filesystem_of(place)
    return sorted(path.rpartition("/")[2] for path in fs.find(f"{root}/{DEMO}"))


def test_what_one_left_unsent_is_sent_when_it_goes_on(place, tmp_path):
    with pytest.raises(OSError, match="killed"):
        run(place, tmp_path / "a", source("one", fails=True))
    assert there(place) == []
    run(place, tmp_path / "a", source("two"))
    assert there(place) == ["one", "two"]


def test_what_one_left_unsent_does_not_undo_what_another_did_since(place, tmp_path):
    run(place, tmp_path / "a", source("one"))
    with pytest.raises(OSError, match="killed"):
        run(place, tmp_path / "a", source("two", fails=True))
    run(place, tmp_path / "b", source("three"))
    run(place, tmp_path / "a", source("four"))
    assert there(place) == ["four", "one", "three", "two"]
    assert (tmp_path / "a" / DEMO / "three").read_text() == "three"


def test_killed_between_the_two_tokens_what_is_unsent_still_counts(place, tmp_path, monkeypatch):
    run(place, tmp_path / "a", source("one"))
    write = sharing.store.write_bytes

    def killed(path, data):
        if path.name == sharing.SENT:
            raise OSError("killed")
        write(path, data)

    monkeypatch.setattr(sharing.store, "write_bytes", killed)
    with pytest.raises(OSError, match="killed"):
        run(place, tmp_path / "a", source("two"))
    monkeypatch.setattr(sharing.store, "write_bytes", write)
    monkeypatch.setattr(Mirror, "bring", lambda self, name: pytest.fail("what is here is newer"))
    run(place, tmp_path / "a", source())
    assert there(place) == ["one", "two"]
