"""Models run in this process: tiny random Qwen2.5-VL and LLaVA through their own processors."""

import importlib.util
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmark_build import write_build
from needs_torch import torch
from outside import MODEL_TEST, ROOT
from tiny_models import MAKERS

from core.items import load_items
from evaluation import command as evaluate
from evaluation.prompts import Setting, build_prompt
from evaluation.runners import RunnerOptions, local

pytestmark = MODEL_TEST
NEW_TOKENS = ("--max-new-tokens", "8")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("b"), manuals=3, test_manuals=1)


@pytest.fixture(scope="module", params=sorted(MAKERS))
def model(request, tmp_path_factory):
    return MAKERS[request.param](tmp_path_factory.mktemp("m") / f"tiny-{request.param}")


def run(build, model, out, *more, config="state"):
    arguments = ["run", str(build), "--model", str(model), "--config", config, "--out", str(out)]
    assert evaluate.main([*arguments, *NEW_TOKENS, *more]) == 0
    (path,) = [p for p in Path(out).glob("*.jsonl") if f".{config}." in p.name]
    return {line["id"]: line for line in map(json.loads, path.read_text().splitlines())}


def test_batches_answer_as_single_questions_do(build, model, tmp_path):
    """Prompts and pictures of different lengths, so that padding matters."""
    more = ("--examples", "dynamic", "--limit", "12")
    for config in ("state", "object"):
        one = run(build, model, tmp_path / "one", *more, config=config)
        three = run(build, model, tmp_path / "three", "--batch-size", "5", *more, config=config)
        assert {k: v["answer"] for k, v in one.items()} == {
            k: v["answer"] for k, v in three.items()
        }
        assert len({line["answer"] for line in one.values()}) > 1
        tokens = {k: v["tokens_in"] for k, v in one.items()}
        assert tokens == {k: v["tokens_in"] for k, v in three.items()}
        assert len(set(tokens.values())) > 1
        assert all(0 < line["tokens_out"] <= 8 for line in one.values())


def test_the_picture_matters_and_can_be_left_out(build, model, tmp_path):
    seen = run(build, model, tmp_path / "a", "--setting", "no-examples", "--limit", "6")
    blind = run(
        build, model, tmp_path / "b", "--setting", "no-examples", "--without", "image",
        "--limit", "6",
    )  # fmt: skip
    assert all("image" in line["prompt"][-1] for line in seen.values())
    assert not any("image" in turn for line in blind.values() for turn in line["prompt"])
    assert all(seen[k]["tokens_in"] > blind[k]["tokens_in"] for k in seen)
    assert all(line["size_wh"] == [80, 60] for line in seen.values())
    if "qwen" in model.name:  # 80 x 60 -> whole patches of 28
        assert all(line["resized_wh"] == [84, 56] for line in seen.values())


def test_pictures_can_be_bounded(build, model, tmp_path, capsys):
    small = ("--max-pixels", str(2 * 28 * 28), "--limit", "2")
    if "qwen" in model.name:
        lines = run(build, model, tmp_path / "a", *small).values()
        assert all(line["resized_wh"] == [28, 28] for line in lines)
        return
    arguments = ["run", str(build), "--model", str(model), "--config", "state", *small]
    assert evaluate.main([*arguments, "--out", str(tmp_path)]) == 1
    assert "fixed size" in capsys.readouterr().err


def test_attention_is_how_not_what(build, model, tmp_path):
    """Both ways give the same answers, and one goes on where the other stopped."""
    first = run(build, model, tmp_path, "--limit", "2", "--attention", "eager")
    whole = run(build, model, tmp_path, "--limit", "4", "--attention", "sdpa")
    assert list(whole)[:2] == list(first) and len(whole) == 4
    again = run(build, model, tmp_path / "sdpa", "--limit", "4", "--attention", "sdpa")
    assert {k: v["answer"] for k, v in again.items()} == {k: v["answer"] for k, v in whole.items()}
    loaded, _ = local.load_model(RunnerOptions(str(model), attention="eager"))
    assert loaded.config._attn_implementation == "eager"


def test_a_run_goes_on_and_asks_nothing_twice(build, model, tmp_path, monkeypatch):
    first = run(build, model, tmp_path, "--limit", "4")
    asked = []
    batch = local._batch
    monkeypatch.setattr(
        local, "_batch", lambda prompts, *rest: asked.extend(prompts) or batch(prompts, *rest)
    )
    whole = run(build, model, tmp_path, "--limit", "9", "--batch-size", "2")
    assert [p.item.id for p in asked] == [k for k in whole if k not in first]
    assert list(whole)[:4] == list(first) and len(whole) == 9
    monkeypatch.setattr(local, "load_model", lambda options: pytest.fail("nothing to ask"))
    assert run(build, model, tmp_path, "--limit", "9") == whole


def test_it_scores(build, model, tmp_path):
    for config in ("scene", "object", "state"):
        run(build, model, tmp_path / "p", config=config)
    arguments = ["score", str(build), str(tmp_path / "p"), "--out", str(tmp_path / "s")]
    assert evaluate.main(arguments) == 0
    scores = json.loads((tmp_path / "s/scores.json").read_text())["scores"]
    mine = {s["config"]: s for s in scores if not s["baseline"]}
    assert set(mine) == {"scene", "object", "state"}
    assert all(s["answered"] == s["total"] and s["seconds"] > 0 for s in mine.values())
    # random weights can't beat chance, and say nothing readable about boxes
    assert mine["object"]["values"]["iou"] < 10
    assert mine["scene"]["values"]["bleu"] < 10


def test_the_chat_template_is_the_model_s_own(build, model):
    _, processor = local.load_model(RunnerOptions(str(model)))
    item = load_items(build, "state", "test")[0]
    text = local.chat_text(build_prompt(item, Setting()), processor)
    sign = "<|image_pad|>" if "qwen" in model.name else "<image>"
    assert text.count(sign) == 1 and item.query in text
    assert text.rstrip().endswith(("assistant", "ASSISTANT:"))
    processor.chat_template = None
    plain = local.chat_text(build_prompt(item, Setting()), processor)
    assert plain == f"USER: {processor.image_token}\n{item.query}\nASSISTANT:"


def test_an_adapter_makes_the_tuned_column(build, model, tmp_path):
    peft = pytest.importorskip("peft", reason="needs the extra `train`")
    from transformers import AutoModelForImageTextToText

    base = AutoModelForImageTextToText.from_pretrained(model)
    tuned = peft.get_peft_model(base, peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"]))
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    tuned.save_pretrained(tmp_path / "adapter")
    plain = run(build, model, tmp_path / "p", "--limit", "6")
    more = ("--adapter", str(tmp_path / "adapter"), "--limit", "6")
    assert evaluate.main(["run", str(build), "--model", str(model), "--config", "state", "--out",
                          str(tmp_path / "p"), *NEW_TOKENS, *more]) == 0  # fmt: skip
    (path,) = (tmp_path / "p").glob("*.tuned.state.full.jsonl")
    changed = [json.loads(line)["answer"] for line in path.read_text().splitlines()]
    assert changed != [line["answer"] for line in plain.values()]
    scored = ["score", str(build), str(tmp_path / "p"), "--common", "--out", str(tmp_path / "s")]
    assert evaluate.main(scored) == 0
    head, first = (tmp_path / "s/state.csv").read_text().splitlines()[:2]
    assert head.split(",")[1:3] == ["F1 ↑ w/o", "F1 ↑ w/"] and "-" not in first.split(",")[1:3]


def test_a_model_that_is_none(build, tmp_path, capsys):
    (tmp_path / "m").mkdir()
    arguments = ["run", str(build), "--model", str(tmp_path / "m"), "--config", "state"]
    assert evaluate.main([*arguments, "--out", str(tmp_path / "p")]) == 1
    errors = capsys.readouterr().err
    assert "can't be loaded" in errors and errors.count("\n") == 1
    assert not list((tmp_path / "p").glob("*.json*"))


def test_a_killed_run_goes_on(build, tmp_path):
    """SIGKILL in the middle of a run in a process of its own."""
    model = MAKERS["llava"](tmp_path / "tiny-llava")
    out = tmp_path / "p"
    script = ROOT / "tests/helpers/tiny_models.py"
    command = [sys.executable, str(script), "run", str(build), "--model",
               str(model), "--config", "object", "--out", str(out), *NEW_TOKENS]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, env=_path(), stderr=subprocess.DEVNULL)
    path = out / "tiny-llava.object.full.jsonl"
    while (not path.exists() or path.read_bytes().count(b"\n") < 3) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = path.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    done = run(build, model, out, config="object")
    assert path.read_bytes().startswith(kept)
    assert path.read_bytes().count(b"\n") == len(done) == len(load_items(build, "object", "test"))


def _path():
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_what_torchvision_is_missing_for_is_said(build, tmp_path, capsys):
    """Qwen2.5-VL's own processor class: its video half needs torchvision."""
    if importlib.util.find_spec("torchvision"):
        pytest.skip("torchvision is installed, so nothing is missing")
    model = MAKERS["qwen"](tmp_path / "m")
    for path in model.glob("*.json"):
        path.write_text(path.read_text().replace("PictureQwenProcessor", "Qwen2_5_VLProcessor"))
    arguments = ["run", str(build), "--model", str(model), "--config", "state"]
    assert evaluate.main([*arguments, "--out", str(tmp_path / "p")]) == 1
    errors = capsys.readouterr().err
    assert "torchvision" in errors and "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("error: --model")
