"""OpenAI-compatible endpoints against a loopback server that fails in every way it can."""

import base64
import io
import signal
import subprocess
import sys
import time

import pytest
from benchmark_build import write_build
from openai_server import answers, command, question_of, serving
from outside import ROOT
from PIL import Image

from core.items import load_items, picture_bytes
from evaluation import command as evaluate
from evaluation.runners import openai_endpoint

KEY = "sk-very-secret-key"


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("b"), manuals=4, test_manuals=2)


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def test_what_is_asked_is_the_prompt_with_its_picture(build, server, tmp_path):
    server.answer = lambda body: f"about {question_of(body)[:20]}"
    assert evaluate.main(command(build, server, tmp_path, "--examples", "dynamic")) == 0
    items = {item.id: item for item in load_items(build, "state", "test")}
    lines = answers(tmp_path)
    assert {line["id"] for line in lines} == set(items)
    assert all(line["answer"].startswith("about [state]") for line in lines)
    assert all(line["tokens_in"] == 11 and line["seconds"] >= 0 for line in lines)
    assert all(len(line["examples"]) == 2 and line["examples"][0]["id"] for line in lines)
    body = server.bodies[0]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("tiny", 0.0, 128)
    assert [m["role"] for m in body["messages"]] == ["user", "assistant", "user", "assistant",
                                                     "user"]  # fmt: skip
    picture, text = body["messages"][-1]["content"]
    data = picture["image_url"]["url"]
    assert data.startswith("data:image/png;base64,")
    raw = base64.b64decode(data.partition(",")[2])
    asked = [item for item in items.values() if picture_bytes(item) == raw]
    assert Image.open(io.BytesIO(raw)).size == (80, 60)
    assert text["text"] in {item.query for item in asked}
    assert server.keys[0] == f"Bearer {KEY}"


def test_no_secret_is_written_or_said(build, server, tmp_path, capsys):
    server.faults = [(400, {})]
    assert evaluate.main(command(build, server, tmp_path)) == 0
    server.faults = [(401, {})] * 8
    assert evaluate.main(command(build, server, tmp_path, "--name", "other")) == 1
    said = capsys.readouterr()
    assert "environment variable OPENAI_API_KEY" in said.err
    written = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert KEY not in said.out + said.err and KEY.encode() not in written


def test_faults_are_met_with_patience(build, server, tmp_path, monkeypatch):
    monkeypatch.setattr(openai_endpoint, "_backoff", lambda state: 0.05)
    server.faults = [(429, {"Retry-After": "0"}), (500, {"Retry-After": "0"}),
                     (503, {"Retry-After": "0.1"}), (0, {}), (529, {})]  # fmt: skip
    assert evaluate.main(command(build, server, tmp_path, "--concurrency", "1")) == 0
    lines = answers(tmp_path)
    assert all(line["answer"] == "No." for line in lines)
    assert len(server.bodies) == len(lines) + 5


def test_an_item_that_fails_is_recorded_and_asked_again(build, server, tmp_path, capsys):
    server.faults = [(400, {}), (200, {})]
    run = command(build, server, tmp_path)
    assert evaluate.main(run) == 0
    assert "2 items have no answer" in capsys.readouterr().out
    failed = [line for line in answers(tmp_path) if line["answer"] is None]
    assert len(failed) == 2 and any("answered 400" in line["error"] for line in failed)
    before = len(server.bodies)
    assert evaluate.main(run) == 0
    assert len(server.bodies) - before == 2  # only those
    assert evaluate.main(["score", str(build), str(tmp_path), "--out", str(tmp_path / "s")]) == 0
    assert "others count as wrong" not in capsys.readouterr().out


def test_nothing_is_asked_twice(build, server, tmp_path):
    """The same run again asks nothing; a new file of the same questions takes the cache."""
    run = command(build, server, tmp_path)
    assert evaluate.main(run) == 0
    asked = len(server.bodies)
    assert evaluate.main(run) == 0 and len(server.bodies) == asked
    (path,) = tmp_path.glob("*.jsonl")
    first = answers(tmp_path)
    path.unlink()
    assert evaluate.main(run) == 0 and len(server.bodies) == asked
    again = {line["id"]: line["answer"] for line in answers(tmp_path)}
    assert again == {line["id"]: line["answer"] for line in first}
    # another question is another request
    assert evaluate.main(command(build, server, tmp_path, "--setting", "neither")) == 0
    assert len(server.bodies) > asked
    # a broken cache file is asked anew
    for kept in (tmp_path / "cache").rglob("*.json"):
        kept.write_text("{")
    path.unlink()
    before = len(server.bodies)
    assert evaluate.main(run) == 0 and len(server.bodies) == before + len(first)


def test_several_at_a_time_and_no_more(build, server, tmp_path):
    def answer(_):
        while server.most_at_once < 3:
            time.sleep(0.005)
        time.sleep(0.02)  # a fourth would come now
        return "No."

    server.answer = answer
    assert evaluate.main(command(build, server, tmp_path, "--concurrency", "3")) == 0
    assert server.most_at_once == 3


def test_the_rate_is_kept(build, server, tmp_path, monkeypatch):
    """1,200 a minute: every request waits for its turn, 50 ms after the one before, all threads."""
    slept = []
    monkeypatch.setattr(openai_endpoint.time, "monotonic", lambda: 7.0)
    monkeypatch.setattr(openai_endpoint.time, "sleep", slept.append)
    pace = openai_endpoint.Pace(1200)
    for _ in range(10):
        pace.wait()
    assert slept == pytest.approx([0.05 * turn for turn in range(10)])
    monkeypatch.undo()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    turns = []
    monkeypatch.setattr(openai_endpoint.Pace, "wait", lambda pace: turns.append(pace._step_s))
    more = ("--requests-per-minute", "1200", "--limit", "10", "--concurrency", "8")
    assert evaluate.main(command(build, server, tmp_path, *more)) == 0
    assert turns == [0.05] * 10 == [0.05] * len(server.times)


@pytest.mark.parametrize(
    ("status", "said"), [(404, "does the address end in /v1?"), (403, "answered 403")]
)
def test_hopeless_requests_stop_the_run_at_once(build, server, tmp_path, capsys, status, said):
    server.faults = [(status, {})] * 100
    assert evaluate.main(command(build, server, tmp_path)) == 1
    errors = capsys.readouterr().err
    assert said in errors and errors.count("\n") == 1
    assert len(server.bodies) < 20


def test_nobody_there(build, server, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(openai_endpoint, "_backoff", lambda state: 0.0)
    url = server.url.replace(str(server.server_address[1]), "9")  # the discard port
    run = command(build, server, tmp_path, "--limit", "2")
    run[run.index("--base-url") + 1] = url
    assert evaluate.main(run) == 1
    assert "nobody answers at 127.0.0.1:9 (" in capsys.readouterr().err


def test_a_killed_run_goes_on_where_it_was(build, server, tmp_path):
    server.wait_s = 0.1
    run = [sys.executable, str(ROOT / "scripts/evaluate.py"), *command(build, server, tmp_path)]
    process = subprocess.Popen([*run, "--concurrency", "2"], cwd=tmp_path)
    while sum(path.read_bytes().count(b"\n") for path in tmp_path.glob("*.jsonl")) < 4:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (path,) = tmp_path.glob("*.jsonl")
    kept = path.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    with path.open("ab") as file:  # as if it had been killed in the middle of a line
        file.write(b'{"id": "half a li')
    time.sleep(0.3)
    while server.at_once:  # its last requests
        time.sleep(0.01)
    before = len(server.bodies)
    assert 0 < kept.count(b"\n") < len(load_items(build, "state", "test"))
    assert evaluate.main(command(build, server, tmp_path)) == 0
    assert path.read_bytes().startswith(kept)
    lines = answers(tmp_path)
    items = [item.id for item in load_items(build, "state", "test")]
    assert sorted(line["id"] for line in lines) == sorted(items)
    # at most the requests under way when it was killed were asked twice
    assert len(server.bodies) - before <= len(items) - kept.count(b"\n")
    assert len(server.bodies) <= len(items) + 4
