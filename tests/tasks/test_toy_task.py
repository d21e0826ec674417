"""A task that is added from outside, in two lines and a folder, and everything that walks tasks."""

import json
import os
import subprocess
import sys

from hub_server import environment, serving
from hub_store import User
from outside import ROOT

TOKEN = "hf_toy_secret"


def test_a_new_task_is_built_checked_pushed_exported_scored_and_shown(tmp_path):
    with serving(tmp_path / "hub") as hub:
        hub.store.users[TOKEN] = User("ann", ("lab",))
        done = subprocess.run(
            [sys.executable, "-m", "toy_task.walk", str(tmp_path), "lab/toy"],
            env={**environment(hub, TOKEN, tmp_path), "PYTHONPATH": os.pathsep.join(
                [str(ROOT / "tests/helpers"), str(ROOT)])},
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr + done.stdout
        files = hub.store.repos["lab/toy"].commit("main").files
        card = hub.store.object_path(files["README.md"].sha256).read_text(encoding="utf-8")
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["violations"] == []
    assert all(found["rows"].values())
    assert found["scores"]["run"] == 100 and found["scores"]["copy-query"] == 0
    assert found["exported"] == dict.fromkeys(("llava", "webdataset"), sum(found["rows"].values()))
    assert found["shown"] == found["all"]
    assert {path.split("/")[1] for path in files if path.endswith(".parquet")} >= {"toy", "state"}
    assert "config_name: toy" in card and "assets/toy.webp" in card and "Counting" in card
