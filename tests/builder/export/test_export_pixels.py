"""One row of every format followed to the model's input: its boxes enclose the parts there.

Trainers that are packages run here, others by their own rule, written out. The pictures are painted
so that a part is found again in what the model gets.
"""

import base64
import io
import itertools
import json
import shlex
import tarfile
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from datasets import load_dataset
from export_build import all_rows, pixels
from exported import records, run
from factory import llamafactory
from outside import READER_TEST
from painted_build import (
    LEAST_IOU,
    enclosed,
    iou,
    llava_picture,
    measured,
    painted_build,
    qwen_picture,
    qwen_processor,
    same_share,
)
from PIL import Image

from core.frames import RELEASED_PIXELS

pytestmark = READER_TEST


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return painted_build(tmp_path_factory.mktemp("b") / "lego-arta")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


# LLaMA-Factory -----------------------------------------------------------------------------------

FRAMES = [[], ["--max-pixels", "589824"], ["--max-pixels", "200000"],
          ["--min-pixels", "900000", "--max-pixels", "1200000"]]  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [*FRAMES, ["--example-manuals", "any", "--examples", "dynamic"]],
    ids=lambda more: more[-1] if more else "default",
)
def test_llamafactory(build, tmp_path, more):
    """Its loader, converter, template, label masking and picture plugin, with its own recipe."""
    factory, rows = llamafactory(), all_rows(build)
    out = run(build, tmp_path / "x", "llamafactory", *more)
    recipe = yaml.safe_load((out / "sft.yaml").read_text())
    trained = Trained(factory, recipe)
    names = recipe["dataset"].split(",")
    arguments = types.SimpleNamespace(media_dir=str(out))
    for attributes in factory.parser.get_dataset_list(names, str(out)):
        convert = factory.converter.get_dataset_converter("sharegpt", attributes, arguments)
        lines = load_dataset("json", data_files=str(out / attributes.dataset_name), split="train")
        for line in itertools.islice(lines, 4):
            row, answer = rows[line["id"]], line["conversations"][-1]["value"]
            inputs, learnt, image_tokens = trained(convert(line))
            assert learnt == f"{answer}<|im_end|>\n"  # all of the last answer and nothing else
            grids = np.asarray(inputs["image_grid_thw"])
            assert image_tokens == sum(np.prod(grid) // 4 for grid in grids)
            assert len(grids) == len(line["images"])
            if row["config"] == "object":
                picture = qwen_picture(inputs, len(grids) - 1)
                enclosed(picture, answer, row)
                same_share(answer, row, "resized_px", picture.shape[1::-1])


class Trained:
    """LLaMA-Factory's own way from a row to what the model gets, as its recipe sets it up."""

    def __init__(self, factory: types.SimpleNamespace, recipe: dict):
        from tiny_models import qwen_tokenizer

        self.tokenizer = qwen_tokenizer()
        self.processor = types.SimpleNamespace(
            tokenizer=self.tokenizer,
            image_processor=qwen_processor(RELEASED_PIXELS),
            image_min_pixels=recipe["image_min_pixels"],
            image_max_pixels=recipe["image_max_pixels"],
        )
        data = types.SimpleNamespace(
            template=recipe["template"],
            cutoff_len=recipe["cutoff_len"] * 8,  # this tokenizer needs a token a letter
            mask_history=recipe.get("mask_history", False),
            train_on_prompt=False, tool_format=None, default_system=None,
        )  # fmt: skip
        self.template = factory.template.get_template_and_fix_tokenizer(self.tokenizer, data)
        self.supervised = factory.supervised(
            template=self.template, tokenizer=self.tokenizer, processor=self.processor,
            data_args=data,
        )  # fmt: skip

    def __call__(self, row: dict) -> tuple[dict, str, int]:
        made = self.supervised.preprocess_dataset({key: [value] for key, value in row.items()})
        ids, labels = made["input_ids"][0], made["labels"][0]
        plugin = self.template.mm_plugin
        pictures = made["images"][0]
        inputs = plugin.get_mm_inputs(
            pictures, [], [], [len(pictures)], [0], [0], [ids], self.processor
        )
        learnt = self.tokenizer.decode([label for label in labels if label >= 0])
        image_id = self.tokenizer.convert_tokens_to_ids("<|image_pad|>")
        return inputs, learnt, ids.count(image_id)


def test_llamafactory_cuts_no_row_at_the_largest_pictures(tmp_path, build):
    """`cutoff_len` holds all pictures of a row when each is as large as the bound allows."""
    for more, pictures in (([], 1), (["--examples", "dynamic", "--shots", "3"], 4)):
        out = run(build, tmp_path / f"x{pictures}", "llamafactory", *more)
        recipe = yaml.safe_load((out / "sft.yaml").read_text())
        plugin = llamafactory().plugin.get_mm_plugin("qwen2_vl", image_token="<|image_pad|>")
        shrunk = plugin._preprocess_image(
            Image.new("1", (3001, 2503)), image_min_pixels=recipe["image_min_pixels"],
            image_max_pixels=recipe["image_max_pixels"],
        )  # fmt: skip
        made = qwen_processor(RELEASED_PIXELS)(images=[shrunk.convert("RGB")], return_tensors="np")
        tokens = int(np.prod(made["image_grid_thw"][0])) // 4
        assert pictures * tokens + 500 <= recipe["cutoff_len"]


# VLM-R1 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", FRAMES, ids=lambda more: more[-1] if more else "default")
def test_vlm_r1(build, tmp_path, more):
    """Small sides to 28, then Qwen's processor with the bounds that the script passes on."""
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "vlm-r1", "--config", "object", *more)
    words = shlex.split((out / "train.sh").read_text().split("torchrun")[1], comments=True)
    given = dict(itertools.pairwise(words))
    bounds = (int(given["--min_pixels"]), int(given["--max_pixels"]))
    record = json.loads((out / "export.json").read_text())
    assert list(bounds) == record["pixels"]
    for line in records(out / "object_train.jsonl")[:5]:
        row, answer = rows[line["id"]], line["conversations"][1]["value"]
        with Image.open(out / line["image"]) as image:
            assert min(image.size) >= 28
            made = qwen_processor(bounds)(images=[image], return_tensors="np")
        picture = qwen_picture(made)
        enclosed(picture, answer, row)
        same_share(answer, row, "resized_px", picture.shape[1::-1])


# LLaVA and Otter ---------------------------------------------------------------------------------


def vicuna(conversations: list[dict]) -> str:
    """What LLaVA learns of a sample: its `preprocess_v1` masks all up to ` ASSISTANT: `."""
    (human, gpt), seps = (turn["value"] for turn in conversations), (" ", "</s>")
    human = "<image>\n" + human.replace("<image>", "").strip()
    text = f"A chat.{seps[0]}USER: {human}{seps[0]}ASSISTANT: {gpt}{seps[1]}"
    learnt = []
    for turn in text.split(seps[1]):
        parts = turn.split(" ASSISTANT: ")
        if turn and len(parts) == 2:
            learnt.append(parts[1] + seps[1])
    return "".join(learnt)


def test_llava(build, tmp_path):
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "llava")
    assert "--image_aspect_ratio pad" in (out / "train.sh").read_text()
    assert "padded to a square" in (out / "README.md").read_text()
    for config in ("object", "state", "scene"):
        for line in records(out / f"{config}_train.json")[:6]:
            answer = line["conversations"][1]["value"]
            assert vicuna(line["conversations"]) == f"{answer}</s>"
            if config == "object":
                row = rows[line["id"]]
                assert "padded to a square" in line["conversations"][0]["value"]
                enclosed(llava_picture(out / line["image"]), answer, row, 336)
                same_share(answer, row, "padded_norm")


def test_otter(build, tmp_path):
    """Pictures are squeezed into 224 x 224, so percent of the picture are percent of the square."""
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "otter", "--config", "object")
    sets = yaml.safe_load((out / "otter_train.yaml").read_text())
    assert sets
    for one in (one for group in sets.values() for one in group.values()):
        data = json.loads((out / one["mimicit_path"]).read_text())["data"]
        images = pd.read_parquet(out / one["images_path"])
        for key in itertools.islice(json.loads((out / one["train_config_path"]).read_text()), 5):
            entry, row = data[key], rows[key.removeprefix("LA_INS_")]
            text = f"<image>User:{entry['instruction']} GPT:<answer>{entry['answer']}<|endofchunk|>"
            learnt = text.split("<answer>")[1].split("<|endofchunk|>")[0]
            bytes_ = base64.urlsafe_b64decode(images.loc[entry["image_ids"][-1]]["base64"])
            with Image.open(io.BytesIO(bytes_)) as opened:
                squeezed = opened.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
            enclosed(np.asarray(squeezed), learnt, row, 2.24)
            same_share(learnt, row, "norm100")


# Files that keep the row's own pixels ------------------------------------------------------------


def test_coco(build, tmp_path):
    pycocotools = pytest.importorskip("pycocotools.coco")
    rows = all_rows(build)
    out = run(build, tmp_path / "x", "coco")
    for name in ("object_train.json", "state_train.json"):
        coco = pycocotools.COCO(str(out / name))
        for image in itertools.islice(coco.imgs.values(), 5):
            picture = pixels((out / image["file_name"]).read_bytes())
            row, annotations = rows[image["lego_arta_id"]], coco.imgToAnns[image["id"]]
            px = [t["box_px"] for t in row["targets"]] if "targets" in row else [row["part_box_px"]]
            assert len(annotations) == len(px)
            for part, annotation in enumerate(annotations):
                x, y, width, height = annotation["bbox"]
                box = (x, y, x + width, y + height)
                assert iou(box, measured(picture, part)) >= LEAST_IOU
                assert iou(box, tuple(px[part])) >= LEAST_IOU


def test_webdataset_and_legacy(build, tmp_path):
    rows = all_rows(build)
    shards = run(build, tmp_path / "w", "webdataset", "--config", "object")
    seen = 0
    with tarfile.open(next(shards.glob("object-train-*.tar"))) as tar:
        for name in (name for name in tar.getnames() if name.endswith(".json")):
            record = json.load(tar.extractfile(name))
            data = tar.extractfile(name.replace(".json", ".webp")).read()
            picture = pixels(data)
            for part, target in enumerate(record["targets"]):
                assert iou(tuple(target["box_px"]), measured(picture, part)) >= LEAST_IOU
                seen += 1
    assert seen
    old = run(build, tmp_path / "old", "legacy", "--config", "object")
    objects = [row for row in rows.values() if row["config"] == "object"]
    by_pixels = {pixels(row["image"]["bytes"]).tobytes(): row for row in objects}
    for line in (old / "qwen_data" / "object_qwen_new.jsonl").read_text().splitlines():
        user, assistant = json.loads(line)
        answer = assistant["content"][0]["text"]
        path = old / "object_dataset" / user["content"][0]["image"].split("object_dataset/", 1)[1]
        picture = pixels(path.read_bytes())
        row = by_pixels[picture.tobytes()]
        same_share(answer, row, "norm100")
