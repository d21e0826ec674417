"""`--push-format messages`: a build whose rows are there as chat messages, too, and its push."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command import tiny_build
from datasets import load_dataset
from hub_server import environment, serving
from hub_store import User
from PIL import Image
from pusher import ANN, ROOT, commits, content, ok, pushing, tree

from builder.release import formats, validate
from core.build import MANIFEST
from core.errors import UserError

CONFIGS = ("scene", "object", "state")


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return tiny_build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def formatted(build) -> Path:
    return formats.with_format(build, "messages")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("hub")) as server:
        server.store.users[ANN] = User("ann", ("lab",))
        yield server


@pytest.fixture(scope="module")
def pusher(hub, tmp_path_factory):
    with pushing(hub, tmp_path_factory.mktemp("home")) as one:
        yield one


def test_it_is_a_build_with_every_row_once_more(build, formatted, tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    assert list(validate.violations(formatted)) == []
    for path in build.rglob("*.parquet"):
        assert (formatted / path.relative_to(build)).read_bytes() == path.read_bytes()
    for config in CONFIGS:
        rows = load_dataset(str(formatted), config)
        chats = load_dataset(str(formatted), f"{config}_messages")
        assert rows.keys() == chats.keys()
        for split, some in rows.items():
            assert some["id"][:] == chats[split]["id"][:]
            asked = chats[split][0]["messages"][0]["content"]
            assert [part["type"] for part in asked] == ["image", "text"]
            assert chats[split][0]["images"][0].size == some[0]["image"].size
    readme = (formatted / "README.md").read_text()
    assert "`state_messages`" in readme and readme.count("## For trainers") == 1
    again = formats.with_format(build, "messages")
    assert again == formatted and list(validate.violations(formatted)) == []


def spoilt(formatted: Path, tmp_path: Path, change) -> list[str]:
    """What validate says of a copy whose first shard of messages was changed, hashes and all."""
    copy = shutil.copytree(formatted, tmp_path / "copy")
    shard = next((copy / "data" / "state_messages").glob("train-*"))
    schema = pq.read_schema(shard)
    import pyarrow as pa

    rows = change(pq.read_table(shard).to_pylist())
    shard.unlink()  # a hard link would change the original
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), shard)
    return [line for line in validate.violations(copy) if line.startswith("state_messages/")]


def other_picture(rows: list[dict]) -> list[dict]:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "WEBP", lossless=True)
    rows[0]["images"][0]["bytes"] = buffer.getvalue()
    return rows


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[1:], "rows, found"),
        (other_picture, "rows and pictures of state"),
        (lambda rows: [{**rows[0], "id": "stranger"}, *rows[1:]], "stranger"),
        (lambda rows: [rows[1], *rows[1:]], "rows and pictures of state"),
    ],
    ids=["fewer", "picture", "stranger", "twice"],
)
def test_rows_that_are_not_the_build_s_are_told(formatted, tmp_path, change, words):
    found = spoilt(formatted, tmp_path, change)
    assert len(found) == 1 and words in found[0], found


def test_everything_goes_up_in_one_commit_and_away_again(build, hub, pusher):
    repo = "lab/lego-arta-formats"
    said = ok(pusher.push(build, "--repo-id", repo, "--push-format", "messages"))
    made = build.with_name("lego-arta-messages")
    assert commits(hub, repo) == 1 and tree(hub, repo) == content(made)
    assert "data/state_messages/train-00000-of-00001.parquet" in said
    assert "nothing to change" in ok(
        pusher.push(build, "--repo-id", repo, "--push-format", "messages")
    )
    code = f"""
import json
from datasets import load_dataset
print(json.dumps({{c: next(iter(load_dataset({repo!r}, c, split="train", streaming=True)))["id"]
                  for c in ("state", "state_messages")}}))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment(hub, None, pusher.home), cwd=ROOT,
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    ids = json.loads(run.stdout.splitlines()[-1])
    assert ids["state"] == ids["state_messages"]
    # A push without the format is the build alone: its configs go, nobody's else.
    ok(pusher.push(build, "--repo-id", repo))
    assert tree(hub, repo) == content(build) and commits(hub, repo) == 2


def test_what_has_no_pictures_or_such_rows_already_is_refused(formatted, tmp_path):
    for folder, word in ((tmp_path, "no build"), (formatted, "already")):
        with pytest.raises(UserError, match=word):
            formats.with_format(folder, "messages")
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    (recipe / MANIFEST).write_text(json.dumps({"dataset": "lego-arta", "kind": "recipe"}))
    with pytest.raises(UserError, match="no build with pictures"):
        formats.with_format(recipe, "messages")


@pytest.mark.parametrize("more", [[], ["--push", "--repo-id", "lab/x", "--recipe"]])
def test_make_refuses_it_before_the_work(tmp_path, capsys, more):
    from builder import make

    with pytest.raises(SystemExit) as ended:
        make.main(["--out", str(tmp_path / "o"), "--push-format", "messages", *more])
    assert ended.value.code == 2 and "--push-format messages" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
