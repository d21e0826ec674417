"""`--format ms-swift` through ms-swift's own loader and templates to the model's input."""

import json
import shlex
from pathlib import Path

import pytest
from export_build import all_rows
from exported import error_of, records, run
from outside import READER_TEST
from painted_build import enclosed, iou, painted_build, qwen_picture
from swift_trainer import swift

from core.answers import parse_boxes

pytest.importorskip("torch", reason="needs the extra `train`")

pytestmark = READER_TEST
# By template: how far one unit of its boxes is, None for a pixel of the picture that is seen.
TEMPLATES = {"qwen2_5_vl": None, "qwen2_vl": 1000}


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return painted_build(tmp_path_factory.mktemp("b") / "lego-arta")


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    from tiny_models import MAKERS

    return MAKERS["qwen"](tmp_path_factory.mktemp("m") / "tiny-qwen")


def trained_files(out: Path) -> list[str]:
    """The files that train.sh names."""
    script = (out / "train.sh").read_text().replace("\\\n", "")
    words = shlex.split(script, comments=True)
    names = words[words.index("--dataset") + 1 :]
    return names[: next(i for i, word in enumerate(names) if word.startswith("--"))]


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("most_tokens", [16384, 255])
def test_boxes_are_scaled_to_what_the_model_sees(
    build, qwen, tmp_path, monkeypatch, template, most_tokens
):
    """The same lines for a model of pixels and one of thousandths, with any bound on pictures."""
    trainer, rows = swift(tmp_path / "cache", monkeypatch), all_rows(build)
    from transformers import AutoProcessor

    out = run(build, tmp_path / "x", "ms-swift")
    script = (out / "train.sh").read_text()
    assert "QWENVL_BBOX_FORMAT=new" in script and "--max_pixels 2038400" in script
    # What the environment variable IMAGE_MAX_TOKEN_NUM sets: a bound on the picture.
    monkeypatch.setattr("qwen_vl_utils.vision_process.IMAGE_MAX_TOKEN_NUM", most_tokens)
    monkeypatch.chdir(out)  # as the script does
    processor = AutoProcessor.from_pretrained(qwen)
    processor.image_processor.size = {"shortest_edge": 3136, "longest_edge": 12845056}
    processor.model_info, processor.model_meta = trainer.info(str(qwen), model_type=template)
    encoder = trainer.template(processor, template_type=template)
    encoder.set_mode("train")
    seen = 0
    for name in trained_files(out):
        lines = records(out / name)
        loaded, _ = trainer.load_dataset([name], load_from_cache_file=False, use_hf=True)
        assert len(loaded) == len(lines)
        for line, row in list(zip(lines, loaded, strict=True))[:3]:
            encoded = encoder.encode(row)
            learnt = processor.tokenizer.decode([i for i in encoded["labels"] if i >= 0])
            answer = learnt.removesuffix("<|im_end|>\n").removesuffix("<|im_end|>")
            source = rows[line["id"]]
            text = processor.tokenizer.decode(encoded["input_ids"])
            assert "<image>" not in text and text.count("<|vision_start|>") == 1
            if source["config"] != "object":
                assert answer == source["answer"]
                continue
            picture = qwen_picture(encoded)
            height, width = picture.shape[:2]
            full = TEMPLATES[template]
            units = (width / full, height / full) if full else (1.0, 1.0)
            told = json.loads(answer)
            for entry in told:
                entry["bbox_2d"] = [v * u for v, u in zip(entry["bbox_2d"], units * 2, strict=True)]
            enclosed(picture, json.dumps(told), source)
            names = [box.label for box in parse_boxes(source["answer"]).boxes]
            assert [entry["label"] for entry in told] == names
            seen += 1
    assert seen


def test_lines_to_the_field(build, tmp_path):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "ms-swift", "--template", "think", "--boxes", "fenced")
    for path in sorted(out.glob("*.jsonl")):
        for line in records(path):
            row = rows[line["id"]]
            assert (out / line["images"][0]).read_bytes() == row["image"]["bytes"]
            user, assistant = line["messages"]
            assert user["content"].startswith("<image>") and user["content"].count("<image>") == 1
            assert "pixels" not in user["content"] and "<think>" in user["content"]
            assert assistant["content"].startswith("<answer>")
            assert ("objects" in line) == (row["config"] == "object")
            if "objects" in line:
                refs, boxes = line["objects"]["ref"], line["objects"]["bbox"]
                number = len(row["targets"])
                assert assistant["content"].count('"bbox_2d": <bbox>') == len(boxes) == number
                assert assistant["content"].count('"label": "<ref-object>"') == len(refs) == number
                for box, target in zip(boxes, row["targets"], strict=True):
                    assert iou(tuple(box), tuple(target["box_px"])) > 0.999


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--merge"], ("one layout",)),
        (["--frame", "norm1000"], ("--frame norm1000", "one of px")),
        (["--boxes", "angle"], ("--boxes angle", "json, fenced")),
    ],
)
def test_what_it_cannot_hold(build, tmp_path, capsys, more, words):
    from builder.export import command as export

    assert export.main([str(build), "--format", "ms-swift", "--out", str(tmp_path / "x"), *more])
    line = error_of(capsys)
    assert all(word in line for word in words)


def test_names_that_json_writes_another_way_are_drops(tmp_path):
    victims: list[str] = []

    def quoted(config, row):
        if config == "object" and len(victims) < 2:
            victims.append(row["id"])
            answer = row["answer"].replace("<p>1 ", '<p>1 "', 1)
            return {
                **row,
                "answer": answer if '"' in answer else row["answer"].replace("<p>", '<p>"', 1),
            }
        return row

    from export_build import export_build

    build = export_build(tmp_path / "b", quoted, manuals=2, test_manuals=1)
    out = run(build, tmp_path / "x", "ms-swift", "--config", "object")
    dropped = {line["id"]: line["reason"] for line in records(out / "dropped.jsonl")}
    assert dropped == dict.fromkeys(victims, "label_is_no_plain_text")
