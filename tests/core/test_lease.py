"""Leases where the storage is this process's memory (`tests/builder/test_storage.py` has a real
server and other processes)."""

import errno
import json
import threading

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from core import lease
from core.errors import UserError
from core.lease import leased, tidying
from core.storage import filesystem_of, place_of


@pytest.fixture
def place(monkeypatch, request):
    monkeypatch.setattr(lease, "LOOK_S", 0.01)
    monkeypatch.setattr(lease, "RENEW_S", 0.02)
    place = place_of(f"memory://{request.node.name}/.lease")
    yield place
    fs, path = filesystem_of(place)
    if fs.exists(path):
        fs.rm(path)


def lose(place):
    """Work until another has the lease and this run has seen it."""
    fs, path = filesystem_of(place)
    for _ in range(3000):
        fs.pipe_file(path, b'{"id": "other"}')  # again: it may just have been renewed
        threading.Event().wait(0.1)
    pytest.fail("it went on")


def test_who_loses_its_lease_is_stopped_and_touches_nothing(place):
    fs, path = filesystem_of(place)
    tidied = []
    with pytest.raises(UserError, match="another run took it over"), leased(place, "--work", "x"):
        with tidying(lambda: tidied.append(place)):
            lose(place)
    assert fs.cat_file(path) == b'{"id": "other"}' and not tidied
    assert not [one for one in threading.enumerate() if one.name == "lease"]


def test_a_lease_held_with_one_that_is_lost_stops_too(place):
    inner = place_of("memory://inner/.lease")
    with pytest.raises(UserError, match="--work: another"), leased(place, "--work", "x"):
        with leased(inner, "--out", "x"):
            lose(place)
    assert not [one for one in threading.enumerate() if one.name == "lease"]
    filesystem_of(inner)[0].rm(filesystem_of(inner)[1])


def test_what_tidying_up_raises_does_not_hide_what_went_wrong(caplog):
    def fail():
        raise UserError("storage does not answer")

    with pytest.raises(ValueError, match="the fault"), tidying(fail):
        raise ValueError("the fault")
    assert "storage does not answer" in caplog.text
    with pytest.raises(UserError, match="does not answer"), tidying(fail):
        pass


def test_an_interrupt_of_the_user_stays_one(place):
    with pytest.raises(KeyboardInterrupt), leased(place, "--work", "x"):
        raise KeyboardInterrupt
    assert not filesystem_of(place)[0].exists(filesystem_of(place)[1])


def test_a_number_of_a_process_means_nothing_on_a_copy_of_this_machine(place, monkeypatch):
    """The same name, the same first space of numbers; only started at another time."""
    here = lease._machine()
    note = {"machine": here.rpartition(" ")[0] + " another", "pid": 2**30, "id": "x", "beats": 1}
    assert not lease._owner_died_here(note)
    assert lease._owner_died_here(note | {"machine": here})


@pytest.mark.parametrize("error", [OSError(errno.ENOSYS, "501"), NotImplementedError()])
def test_storage_that_can_only_overwrite_still_gives_one(place, monkeypatch, error):
    refuse(monkeypatch, error)
    with leased(place, "--work", "x"):
        assert json.loads(filesystem_of(place)[0].cat_file(filesystem_of(place)[1]))["id"]


def test_a_conflict_means_that_another_has_it_and_any_other_refusal_is_told(place, monkeypatch):
    fs, path = filesystem_of(place)
    refuse(monkeypatch, OSError(errno.EIO, "409"), lambda: fs.pipe_file(path, b'{"id": "other"}'))
    with pytest.raises(UserError, match="busy"), leased(place, "--work", "busy"):
        raise AssertionError
    fs.rm(path)
    refuse(monkeypatch, PermissionError(errno.EACCES, "403"))
    with pytest.raises(UserError, match="not allowed"), leased(place, "--work", "busy"):
        raise AssertionError


def refuse(monkeypatch, error, before=lambda: None):
    """Storage on which a file can't be made only if there is none."""
    write = MemoryFileSystem.pipe_file

    def refusing(self, path, value, mode="overwrite", **options):
        if mode == "create":
            monkeypatch.setattr(MemoryFileSystem, "pipe_file", write)
            before()
            monkeypatch.setattr(MemoryFileSystem, "pipe_file", refusing)
            raise error
        return write(self, path, value, mode=mode, **options)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", refusing)
