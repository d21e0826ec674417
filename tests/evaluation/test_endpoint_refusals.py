"""Endpoints that refuse: what they name is asked otherwise, what they do not ends the run."""

import base64
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmark_build import write_build
from openai_server import answers, command, serving
from PIL import Image

from core.items import load_items, picture_bytes
from evaluation import command as evaluate

KEY = "sk-very-secret-key"


def recoded(build, picture_format):
    """The same build with its pictures in another format."""
    for path in (build / "data").rglob("*.parquet"):
        table = pq.read_table(path)
        rows = table.to_pylist()
        for row in rows:
            buffer = io.BytesIO()
            Image.open(io.BytesIO(row["image"]["bytes"])).save(
                buffer, picture_format, lossless=True
            )
            row["image"]["bytes"] = buffer.getvalue()
        pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path, row_group_size=7)
    return build


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return recoded(write_build(tmp_path_factory.mktemp("b"), manuals=4, test_manuals=2), "WEBP")


@pytest.fixture
def server():
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setattr("evaluation.runners.openai_endpoint._backoff", lambda state: 0.0)


def openai_says(message, param=None):
    return 400, {"error": {"message": message, "type": "invalid_request_error", "param": param}}


def refusing(*rules):
    """A server's rule: the first of (whether it applies to a body, what is said) that applies."""
    return lambda body: next((said for applies, said in rules if applies(body)), None)


def pictures(body):
    return [
        (kind, base64.b64decode(data))
        for message in body["messages"] if isinstance(message["content"], list)
        for part in message["content"] if part["type"] == "image_url"
        for kind, data in [part["image_url"]["url"].removeprefix("data:").split(";base64,")]
    ]  # fmt: skip


def test_parameters_that_are_named_are_renamed_or_left_out(build, server, tmp_path, caplog):
    """As reasoning models refuse them, one at a time; found out once for the run."""
    server.refuse = refusing(
        (lambda b: "max_tokens" in b, openai_says(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.", "max_tokens")),
        (lambda b: b.get("temperature", 1) != 1, openai_says(
            "Unsupported value: 'temperature' does not support 0.0 with this model.")),
        (lambda b: "top_p" in b, (422, {"detail": [
            {"loc": ["body", "top_p"], "msg": "Extra inputs are not permitted"}]})),
        (lambda b: "stop" in b, (400, {"message": "\"stop\" can not be used here"})),
    )  # fmt: skip
    more = ["--parameter", "top_p=0.5", "--parameter", 'stop=["#"]', "--parameter", "seed=7"]
    assert evaluate.main([*command(build, server, tmp_path, *more), "--concurrency", "1"]) == 0
    lines = answers(tmp_path)
    assert len(lines) == 40 and all(line["answer"] == "No." for line in lines)
    told = ["max_tokens as max_completion_tokens", "without temperature", "without top_p",
            "without stop"]  # fmt: skip
    assert all(sorted(line["changes"]) == sorted(told) for line in lines)
    assert len(server.bodies) == 40 + 4
    last = server.bodies[-1]
    assert (last["max_completion_tokens"], last["seed"]) == (128, 7)
    assert not {"max_tokens", "temperature", "top_p", "stop"} & set(last)
    assert len(caplog.records) == 4
    # the scores say so
    assert evaluate.main(["score", str(build), str(tmp_path), "--out", str(tmp_path / "s")]) == 0
    warnings = json.loads((tmp_path / "s/scores.json").read_text())["warnings"]
    assert any("without temperature" in warning for warning in warnings)


def test_neither_name_of_the_longest_answer_is_taken(build, server, tmp_path):
    server.refuse = lambda body: (
        openai_says("max_tokens and max_completion_tokens: unknown")
        if {"max_tokens", "max_completion_tokens"} & set(body) else None
    )  # fmt: skip
    assert evaluate.main(command(build, server, tmp_path, "--limit", "2")) == 0
    assert not {"max_tokens", "max_completion_tokens"} & set(server.bodies[-1])


@pytest.mark.parametrize(
    ("status", "said"),
    [(400, "failed to load image"), (415, "unsupported media type image/webp"),
     (422, "cannot identify image file"), (500, "Failed to load image: webp")],
)  # fmt: skip
def test_pictures_that_are_refused_are_sent_as_png(build, server, tmp_path, status, said):
    refused = (status, {"error": {"message": said}})
    server.refuse = lambda body: (
        refused if any(data[:4] == b"RIFF" for _, data in pictures(body)) else None
    )
    assert evaluate.main(command(build, server, tmp_path, "--concurrency", "1")) == 0
    assert all(line["changes"] == ["pictures as PNG"] for line in answers(tmp_path))
    assert len(server.bodies) == 40 + 1
    kind, data = pictures(server.bodies[-1])[-1]
    assert kind == "image/png"
    wanted = {np.asarray(Image.open(io.BytesIO(picture_bytes(item))).convert("RGB")).tobytes()
              for item in load_items(build, "state", "test")}  # fmt: skip
    assert np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).tobytes() in wanted


def test_jpeg_is_the_last_resort_and_told(build, server, tmp_path, caplog):
    server.refuse = lambda body: (
        openai_says("only image/jpeg is supported")
        if any(kind != "image/jpeg" for kind, _ in pictures(body)) else None
    )  # fmt: skip
    assert evaluate.main(command(build, server, tmp_path, "--limit", "3")) == 0
    assert all(line["changes"] == ["pictures as JPEG"] for line in answers(tmp_path))
    assert "changes pixels" in caplog.text


@pytest.mark.parametrize(
    "said",
    ["This model does not exist for you", "max_tokens is too large: at most 64",
     "this model does not support image input", f"no credit left for {KEY}"],
)  # fmt: skip
def test_a_run_that_is_refused_ends_soon_with_the_server_s_words(
    build, server, tmp_path, capsys, said
):
    server.refuse = lambda body: openai_says(f"{said} (request {len(server.bodies)})")
    assert evaluate.main(command(build, server, tmp_path / "p", "--concurrency", "2")) == 1
    told = capsys.readouterr().err
    assert said.replace(KEY, "...") in told and KEY not in told
    assert told.strip().count("\n") <= 2 and len(server.bodies) < 16
    assert not (tmp_path / "p").exists()  # neither predictions nor cache


def test_refusals_of_single_items_do_not_end_a_run(build, server, tmp_path, capsys):
    """A filter that hits some items among others that are answered."""
    server.refuse = lambda body: (
        openai_says("blocked by the content filter") if len(server.bodies) % 3 == 0 else None
    )
    run = command(build, server, tmp_path, "--concurrency", "1")
    assert evaluate.main(run) == 0
    told = capsys.readouterr().out
    assert "13 items have no answer" in told and "content filter" in told
    server.refuse = lambda body: None
    assert evaluate.main(run) == 0
    assert {line["id"] for line in answers(tmp_path) if line["answer"]} == {
        item.id for item in load_items(build, "state", "test")
    }


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"choices": [{"message": {"content": ""}, "finish_reason": "length"}]}, "max-new-tokens"),
        ({"choices": [{"message": {"content": None, "refusal": "I can't"}}]}, "I can't"),
        ({"choices": [{"message": {"content": None}}]}, "gave no text"),
        ({"error": {"message": "no such model here", "code": 400}}, "no such model here"),
        ({"choices": []}, "IndexError"),
    ],
)
def test_answers_without_a_text_are_no_answers(build, server, tmp_path, capsys, answer, said):
    server.answer = lambda body: answer
    run = command(build, server, tmp_path / "p", "--limit", "3")
    assert evaluate.main(run) == 1
    assert said in capsys.readouterr().err and not (tmp_path / "p").exists()
    # nothing of it is remembered
    server.answer = lambda body: "Yes."
    assert evaluate.main(run) == 0
    assert [line["answer"] for line in answers(tmp_path / "p")] == ["Yes."] * 3
