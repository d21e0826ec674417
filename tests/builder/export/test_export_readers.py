"""Exports as their readers read them: the real ones where they are packages, else to the field."""

import base64
import io
import itertools
import json
import re
import subprocess
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from datasets import load_dataset
from export_build import all_rows, export_build, pixels
from exported import records, run
from factory import llamafactory
from hypothesis import given
from hypothesis import strategies as st
from outside import READER_TEST
from PIL import Image

from builder.export.command import FRAMES
from builder.export.llamafactory import RECIPE
from core.answers import parse_boxes
from core.frames import RESIZES, SHARES, from_norm100, to_norm100, whole
from core.items import load_items
from evaluation.prompts import FRAME_WORDS, Setting, expected_answer

pytestmark = READER_TEST


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return export_build(tmp_path_factory.mktemp("b") / "lego-arta", manuals=3, by_row=True)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


# Frames ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("form", ["angle", "json", "fenced"])
def test_boxes_in_every_frame_come_back(build, tmp_path, frame, form):
    """From an answer's numbers to the row's own boxes, to half a unit of the frame."""
    rows = all_rows(build)
    more = ["--max-pixels", "4000"] if frame == "resized_px" else []
    out = run(build, tmp_path / "x", "llamafactory", "--config", "object", "--boxes", form,
              "--frame", frame, *more)  # fmt: skip
    record = json.loads((out / "export.json").read_text())
    assert (record["frame"], record["boxes"]) == (frame, form)
    assert f"`{frame}`" in (out / "README.md").read_text()
    for line in records(out / "object_test.jsonl"):
        row = rows[line["id"]]
        height, width = pixels(row["image"]["bytes"]).shape[:2]
        size = (width, height)
        resized = RESIZES["llamafactory"](size, 56 * 56, 4000)
        assert resized != size
        question, answer = (turn["value"] for turn in line["conversations"])
        assert FRAME_WORDS[frame] in question and question.endswith((".", "corner"))
        assert ("```json" in question) == ("```json" in answer) == (form == "fenced")
        found = parse_boxes(answer)
        assert found.form == ("angle" if form == "angle" else "json")
        assert len(found.boxes) == len(row["targets"])
        unit = 0.001 if frame == "padded_norm" else 1
        full = {"norm100": (100, 100), "norm1000": (1000, 1000), "px": size,
                "resized_px": resized, "padded_norm": (1, 0.75)}[frame]  # fmt: skip
        for said, target in zip(found.boxes, row["targets"], strict=True):
            assert all(round(value / unit, 6) == int(round(value / unit, 6)) for value in said.box)
            back = to_norm100(said.box, frame, size, resized)
            slack = [100 * 0.51 * unit / side for side in full * 2]
            assert all(np.abs(np.subtract(back, target["box_norm100"])) <= slack)


def test_a_query_in_words_that_are_not_known_is_asked_for_its_form_and_frame(tmp_path):
    def other_words(config, row):
        return {**row, "query": "[object] Where is the brick?"} if config == "object" else row

    build = export_build(tmp_path / "b", other_words, manuals=2, test_manuals=1)
    for name in ("vlm-r1", "llamafactory"):
        out = run(build, tmp_path / name, name, "--config", "object")
        for line in records(out / "object_train.jsonl"):
            text = line["conversations"][0]["value"]
            assert "Where is the brick? Give the positions" in text
            assert FRAME_WORDS["resized_px"] in text


@given(
    st.tuples(st.integers(20, 3000), st.integers(20, 3000)),
    st.lists(st.floats(0, 100), min_size=4, max_size=4),
    st.sampled_from(sorted({*FRAMES} - {*SHARES})),
)
def test_whole_boxes_keep_an_area_and_stay_in_the_frame(size, numbers, frame):
    x0, x1, y0, y1 = sorted(numbers[:2]) + sorted(numbers[2:])
    if x1 - x0 < 1e-6 or y1 - y0 < 1e-6:
        return
    full = from_norm100((0, 0, 100, 100), frame, size)[2:]
    box = whole(from_norm100((x0, y0, x1, y1), frame, size))
    assert 0 <= box[0] < box[2] <= full[0] and 0 <= box[1] < box[3] <= full[1]
    back = to_norm100(box, frame, size)
    units = [100 / side for side in full * 2]
    assert all(np.abs(np.subtract(back, (x0, y0, x1, y1))) <= np.multiply(units, 1.0001))


def test_percent_are_the_text_s_own(build):
    """Angle to JSON and back gives the very answer (R1)."""
    from core.answers import format_boxes

    for item in load_items(build, "object", "test"):
        as_json = expected_answer(item, Setting(boxes="json"))
        again = [(box.label, box.box) for box in parse_boxes(as_json).boxes]
        assert format_boxes(again, "angle") == item.answer


# LLaMA-Factory -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def factory():
    return llamafactory()


@pytest.mark.parametrize("template", ["plain", "think"])
@pytest.mark.parametrize("examples", ["none", "fixed", "dynamic"])
def test_llamafactory_reads_every_row(build, tmp_path, factory, template, examples):
    """Its parser, converter and placeholder check, on all six data sets."""
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "llamafactory", "--template", template,
              "--examples", examples, "--previous")  # fmt: skip
    names = [f"lego_arta_{c}_{s}" for c in ("scene", "object", "state") for s in ("train", "test")]
    assert list(json.loads((out / "dataset_info.json").read_text())) == names
    plugin = factory.plugin.get_mm_plugin("qwen2_vl", image_token="<|image_pad|>")
    arguments = types.SimpleNamespace(media_dir=str(out))
    seen = 0
    for attributes in factory.parser.get_dataset_list(names, str(out)):
        convert = factory.converter.get_dataset_converter("sharegpt", attributes, arguments)
        file = str(out / attributes.dataset_name)
        for line in load_dataset("json", data_files=file, split="train"):
            made = convert(line)
            messages = made["_prompt"] + made["_response"]
            plugin._validate_messages(messages, made["_images"], [], [])
            assert all(Path(path).is_file() for path in made["_images"])
            row, answer = rows[line["id"]], made["_response"][0]["content"]
            assert Path(made["_images"][-1]).read_bytes() == row["image"]["bytes"]
            assert answer.startswith("<answer>") == (template == "think")
            question = made["_prompt"][-1]["content"]
            before = f"Previous instruction: {row['previous_instruction']}\n"
            assert (before in question) == (row["config"] != "object")
            assert ("<think> </think>" in question) == (template == "think")
            assert "{Question}" not in question
            if row["config"] == "state":
                assert row["answer"] in answer
            seen += 1
    assert seen == len(rows)


def test_llamafactory_s_recipe(build, tmp_path):
    out = run(build, tmp_path / "x", "llamafactory", "--examples", "dynamic")
    ours, base = (yaml.safe_load(p.read_text()) for p in (out / "sft.yaml", RECIPE))
    assert ours.pop("mask_history") is True  # examples are shown, not learnt
    assert ours.pop("dataset_dir") == "." and base.pop("dataset_dir")
    assert ours.pop("cutoff_len") > 3 * 2600 > base.pop("cutoff_len")  # three pictures a row
    assert ours == base  # the recipe's names of data sets among it
    r13 = {"lora_rank": 8, "lora_target": "all", "template": "qwen2_vl",
           "per_device_train_batch_size": 1, "gradient_accumulation_steps": 8,
           "learning_rate": 1e-4, "num_train_epochs": 3.0, "lr_scheduler_type": "cosine",
           "warmup_ratio": 0.1, "bf16": True, "video_max_pixels": 16384}  # fmt: skip
    assert r13.items() <= ours.items() and "max_samples" not in ours
    more = ["--frame", "resized_px", "--min-pixels", "784", "--max-pixels", "5000"]
    bound = yaml.safe_load(
        (run(build, tmp_path / "y", "llamafactory", *more) / "sft.yaml").read_text()
    )
    assert (bound["image_min_pixels"], bound["image_max_pixels"]) == (784, 5000)
    assert bound["cutoff_len"] == 4096


# VLM-R1 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("examples", ["none", "dynamic"])
def test_vlm_r1_lines_to_the_field(build, tmp_path, examples):
    """What its grpo_jsonl.py takes from a line: paths, question, solution, reward method."""
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "vlm-r1", "--examples", examples, "--frame", "px")
    for path in out.glob("*.jsonl"):
        lines = list(load_dataset("json", data_files=str(path), split="train"))  # one schema
        for line in lines:
            row = rows[line["id"]]
            images = line["image"] if examples == "dynamic" else [line["image"]]
            assert isinstance(images, list) and not any(":" in image for image in images)
            assert (out / images[-1]).read_bytes() == row["image"]["bytes"]
            human, gpt = line["conversations"]  # exactly two, it reads no more
            assert (human["from"], gpt["from"]) == ("human", "gpt")
            assert human["value"].startswith("<image>" * len(images))
            assert human["value"].count("<image>") == len(images)
            assert len(re.findall(r"\bExample \(picture \d\)", human["value"])) == len(images) - 1
            if row["config"] == "object":
                boxes = json.loads(gpt["value"].removeprefix("```json\n").removesuffix("\n```"))
                assert [set(box) for box in boxes] == [{"bbox_2d", "label"}] * len(boxes)
                px = [target["box_px"] for target in row["targets"]]
                assert np.abs(np.subtract([b["bbox_2d"] for b in boxes], px)).max() <= 0.51
            elif row["config"] == "state":
                assert gpt["value"] == row["answer"]


def test_vlm_r1_s_script(build, tmp_path):
    """bash starts it, and every option that R14 names has R14's value."""
    out = run(build, tmp_path / "x", "vlm-r1")
    repo = tmp_path / "repo" / "src" / "open-r1-multimodal"
    repo.mkdir(parents=True)
    (tmp_path / "torchrun").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "torchrun").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "REPO": str(tmp_path / "repo"),
                   "REWARDS": "accuracy format state_acc grnd", "CUSTOM": "true"}  # fmt: skip
    said = subprocess.run(["bash", str(out / "train.sh")], env=environment, text=True,
                          capture_output=True, check=True).stdout.splitlines()  # fmt: skip
    given = dict(itertools.pairwise(said))
    assert given["--data_file_paths"].split(":") == [
        str(out / f"{config}_train.jsonl") for config in ("scene", "object", "state")
    ]
    assert given["--image_folders"].split(":") == [str(out)] * 3
    at = said.index("--reward_funcs")
    assert said[at + 1 : at + 5] == ["accuracy", "format", "state_acc", "grnd"]
    r14 = {"--learning_rate": "1e-5", "--beta": "0.04", "--num_generations": "2",
           "--max_completion_length": "164", "--per_device_train_batch_size": "4",
           "--gradient_accumulation_steps": "2", "--lora_r": "8", "--lora_alpha": "64",
           "--lora_dropout": "0.05", "--freeze_vision_modules": "true",
           "--max_steps": "500"}  # fmt: skip
    assert r14.items() <= given.items()
    bad = run(build, tmp_path / "y", "vlm-r1").rename(tmp_path / "a:b")
    ended = subprocess.run(["bash", str(bad / "train.sh")], env=environment, capture_output=True)
    assert ended.returncode == 1 and b"splits paths" in ended.stderr


# Otter -------------------------------------------------------------------------------------------


def test_otter_to_the_field(build, tmp_path):
    """MIMIC-IT as its loader takes it: links, pictures in the links' order, one shape a group."""
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "otter")
    groups = yaml.safe_load((out / "otter_test.yaml").read_text())
    assert set(groups) <= {"IMAGE_TEXT", "IMAGE_TEXT_IN_CONTEXT"}
    trained = set()
    for group, sets in groups.items():
        data: dict = {}
        frames, config = {}, {}
        for one in sets.values():
            assert one["num_samples"] == -1  # the loader takes none without it
            loaded = json.loads((out / one["mimicit_path"]).read_text())
            assert set(loaded["meta"]) == {"version", "time", "author"}
            data |= loaded["data"]
            frames[one["images_path"]] = pd.read_parquet(out / one["images_path"])
            config |= json.loads((out / one["train_config_path"]).read_text())
        images = pd.concat(frames.values())
        assert images.index.is_unique and list(images.columns) == ["base64"]
        for key, links in config.items():
            entry, row = data[key], rows[key.removeprefix("LA_INS_")]
            assert row["split"] == "test"
            assert links == entry["rel_ins_ids"] and all(link in data for link in links)
            assert len(links) == (2 if group == "IMAGE_TEXT_IN_CONTEXT" else 0)
            assert [i[7:] for i in entry["image_ids"]] == [i[7:] for i in (*links, key)]
            assert (entry["instruction"], entry["answer"]) == (row["query"], row["answer"])
            for image in entry["image_ids"]:
                data_of = base64.urlsafe_b64decode(images.loc[image]["base64"])
                assert data_of == rows[image.removeprefix("LA_IMG_")]["image"]["bytes"]
            assert key not in trained
            trained.add(key)
    assert len(trained) == sum(row["split"] == "test" for row in rows.values())
    schema = pq.read_schema(next(out.glob("*_images.parquet")))
    assert schema.names == ["base64", "__index_level_0__"]


def test_parts_and_shards_are_cut_by_size(build, tmp_path, monkeypatch):
    from builder.export import otter, webdataset

    rows = [r for r in all_rows(build).values() if r["config"] == "state"]
    size = sum(len(row["image"]["bytes"]) for row in rows) // 6
    monkeypatch.setattr(otter, "PART_BYTES", size)
    monkeypatch.setattr(webdataset, "SHARD_BYTES", size)
    parts = sorted(run(build, tmp_path / "o", "otter", "--config", "state").glob("*.parquet"))
    tars = sorted(run(build, tmp_path / "w", "webdataset", "--config", "state").glob("*.tar"))
    assert len(parts) > 4 and len(tars) > 4
    encoded = [pd.read_parquet(part)["base64"].str.len().sum() for part in parts]
    assert max(encoded) <= size * 1.05
    assert sum(len(pd.read_parquet(part)) for part in parts) == len(rows)


# COCO and WebDataset -----------------------------------------------------------------------------


def test_coco_through_pycocotools(build, tmp_path, capsys):
    pycocotools = pytest.importorskip("pycocotools.coco")
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "coco")
    names: dict[str, dict[int, str]] = {}
    for file in sorted(out.glob("*_t*.json")):
        coco = pycocotools.COCO(str(file))
        names[file.name] = {number: cat["name"] for number, cat in coco.cats.items()}
        expected = [r for r in rows.values() if f"{r['config']}_{r['split']}.json" == file.name]
        assert len(coco.imgs) == len(expected)
        for image in coco.imgs.values():
            row = rows[image["lego_arta_id"]]
            shown = pixels((out / image["file_name"]).read_bytes())
            assert shown.shape[:2] == (image["height"], image["width"])
            boxes = [a["bbox"] for a in coco.imgToAnns[image["id"]]]
            if row["config"] == "state":
                wanted = [row["part_box_px"]]
            else:
                parts = row["targets"] + row["distractors"]
                wanted = [box for part in parts for box in part["instances_px"]]
                told = [names[file.name][a["category_id"]] for a in coco.imgToAnns[image["id"]]]
                assert [t.rstrip("s") for t in told] == [
                    part["label"].rstrip("s") for part in parts for _ in part["instances_px"]
                ]
            made = [[x, y, x + w, y + h] for x, y, w, h in boxes]
            np.testing.assert_allclose(made, wanted, atol=1e-3)
        found = coco.loadRes([{"image_id": i, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 1}
                              for i in coco.imgs])  # fmt: skip
        assert len(found.anns) == len(coco.imgs)
    assert len({json.dumps(n) for n in names.values()}) == 1  # the same ids in every file
    capsys.readouterr()


def alike(config: str, row: dict) -> dict:
    """Rows of a step show one picture: two rows can ask for parts of one collage."""
    return {**row, "image": {"bytes": ONE_PICTURE, "path": f"{'0' * 32}.webp"}}


def webp_of(color: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (80, 60), color).save(buffer, "WEBP", lossless=True)
    return buffer.getvalue()


ONE_PICTURE = webp_of((200, 210, 220))


def test_coco_through_supervision(tmp_path):
    """It wants every image of a file in a file of its own, though rows have equal pictures."""
    supervision = pytest.importorskip("supervision")
    build = export_build(tmp_path / "b", alike, manuals=2, test_manuals=1)
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "coco")
    for config in ("object", "state"):
        for split in ("train", "test"):
            wanted = {
                row["id"]: row for row in rows.values()
                if (row["config"], row["split"]) == (config, split)
            }  # fmt: skip
            dataset = supervision.DetectionDataset.from_coco(
                str(out), str(out / f"{config}_{split}.json")
            )
            assert len(dataset) == len(wanted)
            for path, picture, found in dataset:
                row = wanted.pop(Path(path).stem)
                assert picture.shape == (60, 80, 3) and found.mask is None
                parts = row.get("targets", []) + row.get("distractors", [])
                boxes = [box for part in parts for box in part["instances_px"]]
                boxes = boxes or [row["part_box_px"]]
                np.testing.assert_allclose(sorted(found.xyxy.tolist()), sorted(boxes), atol=1e-3)
            assert not wanted


def test_coco_s_boxes_can_be_shown(build, tmp_path, capsys):
    """pycocotools refuses annotations without a segmentation, and draws boxes when asked to."""
    coco_module = pytest.importorskip("pycocotools.coco")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    out = run(build, tmp_path / "x", "coco", "--config", "object", "--split", "test")
    coco = coco_module.COCO(str(out / "object_test.json"))
    annotations = coco.imgToAnns[coco.getImgIds()[0]]
    figure = pyplot.figure()
    coco.showAnns(annotations, draw_bbox=True)
    drawn = [len(shape.get_paths()) for shape in figure.gca().collections]
    pyplot.close(figure)
    assert sum(drawn) >= len(annotations) > 0
    capsys.readouterr()


def test_webdataset_through_its_own_reader(build, tmp_path):
    webdataset = pytest.importorskip("webdataset")
    out = run(build, tmp_path / "x", "webdataset", "--split", "train")
    readme = (out / "README.md").read_text()
    code = re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1]
    names: dict = {}
    exec(code.replace('"x/', f'"{out}/'), names)
    scenes = list(names["rows"])
    wanted = [r for r in all_rows(build).values() if r["split"] == "train"]
    assert {s["__key__"] for s in scenes} == {r["id"] for r in wanted if r["config"] == "scene"}
    urls = [str(path) for path in sorted(out.glob("*.tar"))]
    seen = {s["__key__"]: s for s in webdataset.WebDataset(urls, shardshuffle=False).decode()}
    assert list(seen) != sorted(seen)  # the build's order, not that of names
    for row in wanted:
        sample = seen.pop(row["id"])
        assert (sample["json"]["query"], sample["json"]["answer"]) == (row["query"], row["answer"])
        if row["config"] != "scene":
            key = "targets" if row["config"] == "object" else "part_box_px"
            assert sample["json"][key] == row[key]
    assert not seen
    raw = next(iter(webdataset.WebDataset(urls[:1], shardshuffle=False)))
    assert raw["webp"] == next(r for r in wanted if r["id"] == raw["__key__"])["image"]["bytes"]


def sparse(config, row):
    """The first rows lack what later ones have, as in any build: nulls and empty lists."""
    late = int(row["id"][:4], 16) % 3 == 0
    sparse.seen += 1
    if late and sparse.seen > 12:
        return row
    lacking = {
        "step_num": None,
        "previous_instruction": None,
        "entities": [],
        "correction": None,
        "negative_kind": None,
        "part_box_px": None,
        "distractors": [],
    }
    return {**row, **{name: value for name, value in lacking.items() if name in row}}


@pytest.mark.parametrize("merge", [False, True])
def test_webdataset_through_datasets(tmp_path, merge):
    """Types that hold for all rows, though the first have nulls where later ones have values."""
    sparse.seen = 0
    build = export_build(tmp_path / "b", sparse, manuals=3, test_manuals=1)
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "webdataset", *(["--merge"] if merge else []))
    seen = {}
    for config in ["default"] if merge else ["scene", "object", "state"]:
        for split, loaded in load_dataset(str(out), config).items():
            for sample in loaded:
                record = sample["json"]
                assert record["split"] == split and sample["webp"].size == (80, 60)
                more = json.loads(record.pop("columns")) if merge else {}
                seen[sample["__key__"]] = {**record, **more}
    assert len(seen) == len(rows)
    for row_id, record in seen.items():
        row = {name: value for name, value in rows[row_id].items() if name != "image"}
        assert record == row
    if merge:  # the tars alone, types told by the first rows
        files = {split: str(out / f"{split}-*.tar") for split in ("train", "test")}
        alone = load_dataset("webdataset", data_files=files)
        ids = {record["id"] for part in alone.values() for record in part["json"]}
        assert ids == set(rows)
