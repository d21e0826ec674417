"""Names of branches and tags, against git itself."""

import random
import shutil
import subprocess

import pytest

from builder.publish.git_refs import problem

GOOD = ("v1.0.0", "main", "next/1", "refs/pr/1", "a.b/c-d", "v1@2", "größe", "@", "1")
BAD = ("", "v 1", "v\t1", "a\n", "a..b", "a.", ".a", "a/.b", "a.lock", "a.lock/b", "/a", "a/",
       "a//b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "a@{b", "a\x7f")  # fmt: skip


def git_takes(name: str, kind: str) -> bool:
    ended = subprocess.run(["git", "check-ref-format", f"refs/{kind}/{name}"])
    return ended.returncode == 0


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name):
    assert problem(name) is None and git_takes(name, "tags")


@pytest.mark.parametrize("name", BAD)
def test_bad_names(name):
    assert problem(name) and not git_takes(name, "heads")


@pytest.mark.parametrize("name", ["HEAD", "-x", "0123456789abcdef" * 2 + "01234567"])
def test_names_that_mean_something_else(name):
    """git takes them as a part of a path, but its commands and the Hub do not as a name."""
    assert problem(name)


def test_random_names_as_git_has_it():
    assert shutil.which("git")
    rng = random.Random(3)
    pieces = ["a", ".", "..", "/", "@", "{", ".lock", "-", " ", "~", "é", "v1", "\\"]
    names = {"a" + "".join(rng.choices(pieces, k=rng.randrange(5))) for _ in range(120)}
    told = {name: problem(name) is None for name in names}
    assert told == {name: git_takes(name, "tags") for name in names}
    assert 20 < sum(told.values()) < len(names) - 20
