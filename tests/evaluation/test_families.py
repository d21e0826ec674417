"""Families of models: who is of which, boxes there and back, prompts without a chat template."""

import dataclasses
import json

import pytest
from benchmark_build import write_build
from outside import MODEL_TEST

from core.answers import parse_boxes
from core.errors import UserError
from core.frames import MAX_PIXELS, MIN_PIXELS, RESIZES, SHARES, to_norm100
from core.items import load_items, picture_bytes
from derived import command as derive
from evaluation import command as evaluate
from evaluation.examples import fixed_examples
from evaluation.families import FAMILIES, chosen, family_of, prompt_text
from evaluation.prompts import Setting, ask, build_prompt, expected_answer

IDS = {
    "Qwen/Qwen-VL-Chat": "qwen-vl", "Qwen/Qwen2.5-VL-7B-Instruct": "qwen2.5-vl",
    "Qwen/Qwen3-VL-8B-Instruct": "qwen3-vl", "OpenGVLab/InternVL2_5-8B": "internvl",
    "Salesforce/blip2-opt-6.7b": "blip-2", "Salesforce/instructblip-vicuna-7b": "instructblip",
    "MAGAer13/mplug-owl2-llama2-7b": "mplug-owl2", "MAGAer13/mplug-owl-llama-7b": "mplug-owl",
    "Vision-CAIR/MiniGPT-4": "minigpt-4", "minigptv2_checkpoint": "minigpt-v2",
    "luodian/OTTER-Image-MPT7B": "otter", "llava-hf/llava-1.5-7b-hf": "llava",
    "gpt-4o": None, "Qwen/Qwen2.5-7B": None, "mPLUG/mPLUG-Owl3-7B-240728": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("b"), manuals=3, test_manuals=1)


@pytest.mark.parametrize(("model", "name"), IDS.items())
def test_the_family_is_told_by_the_id(model, name):
    assert family_of(model) == name


def test_every_family_is_found_by_some_id():
    assert {name for name in IDS.values() if name} == set(FAMILIES)


def test_a_folder_says_its_type(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "qwen2_5_vl"}')
    assert family_of(str(tmp_path)) == "qwen2.5-vl"
    assert chosen("auto", str(tmp_path))[0] == "qwen2.5-vl"
    assert chosen("blip-2", "Qwen/Qwen-VL")[0] == "blip-2"  # what is asked for counts
    with pytest.raises(UserError, match="--family auto: gpt-4o is of none; one of qwen3-vl, "):
        chosen("auto", "gpt-4o")


def setting_of(name: str) -> Setting:
    family = FAMILIES[name]
    pixels = (MIN_PIXELS, MAX_PIXELS) if family.frame == "resized_px" else None
    return Setting(examples="none", boxes=family.boxes, frame=family.frame, pixels=pixels)


@pytest.mark.parametrize("name", FAMILIES)
def test_boxes_there_and_back(build, name):
    """What a family writes is read as the row's boxes, within the rounding of its frame."""
    setting, seen = setting_of(name), 0
    for item in load_items(build, "object", "train"):
        found = parse_boxes(expected_answer(item, setting))
        assert found.status == "ok"
        # Shares are read as those of whatever the run says.
        assert found.frame in (None, setting.frame) or {found.frame, setting.frame} == {*SHARES}
        resized = RESIZES["qwen"](item.size_wh, MIN_PIXELS, MAX_PIXELS)
        gold = parse_boxes(item.answer).boxes
        assert [box.label for box in found.boxes] == [box.label for box in gold]
        for box, exact in zip(found.boxes, item.boxes_norm100, strict=True):
            back = to_norm100(box.box, setting.frame, item.size_wh, resized)
            assert back == pytest.approx(exact, abs=100 / min(resized))
            seen += 1
    assert seen > 10


def test_the_letters_of_qwen_vl(build):
    """Its own tags, to the letter; the directive shows them and names the frame."""
    item = load_items(build, "object", "train")[0]
    item = dataclasses.replace(
        item, answer="<p>2 red tiles</p> {<25><10><50><30>}", boxes_norm100=((25, 10, 50, 30),)
    )
    setting = setting_of("qwen-vl")
    wanted = "<ref>2 red tiles</ref><box>(250,100),(500,300)</box>"
    assert expected_answer(item, setting) == wanted
    assert "<box>(x1,y1),(x2,y2)</box>" in ask(item, setting)
    assert "[0,1000]" in ask(item, setting)


def test_fixed_examples_are_in_the_frame_that_is_asked_for():
    first = fixed_examples("object", Setting())[0].answer
    thousandths = fixed_examples("object", setting_of("qwen-vl"))[0].answer
    for box, ten in zip(parse_boxes(first).boxes, parse_boxes(thousandths).boxes, strict=True):
        assert ten.box == tuple(10 * value for value in box.box) and ten.label == box.label


PROMPTS = {
    "blip-2": "Question: Q1 Answer: A1 Question: Q2 Answer:",
    "instructblip": "Q1\nA1\n\nQ2",
    "mplug-owl2": "USER: <|image|>Q1 ASSISTANT: A1</s>USER: <|image|>Q2 ASSISTANT:",
    "minigpt-v2": "<s>[INST] <Img><ImageHere></Img> Q1 [/INST]A1"
    "<s>[INST] <Img><ImageHere></Img> Q2 [/INST]",
    "otter": "<image>User: Q1 GPT:<answer> A1<|endofchunk|><image>User: Q2 GPT:<answer>",
    "llava": "USER: <image>\nQ1 ASSISTANT: A1</s>USER: <image>\nQ2 ASSISTANT:",
}


@pytest.mark.parametrize(("name", "text"), PROMPTS.items())
def test_prompts_to_the_letter(build, name, text):
    item = load_items(build, "state", "test")[0]
    turns = build_prompt(item, Setting(examples="none")).turns
    turns = (
        turns[0]._replace(text="Q1"),
        turns[0]._replace(role="assistant", text="A1", image=None),
        turns[0]._replace(text="Q2"),
    )
    assert prompt_text(turns, FAMILIES[name].template) == text


def test_without_a_picture_there_is_no_sign(build):
    item = load_items(build, "state", "test")[0]
    turns = build_prompt(item, Setting(examples="none", image=False)).turns
    for family in FAMILIES.values():
        if family.template and family.template.image:
            said = prompt_text(turns, dataclasses.replace(family.template, before=""))
            assert family.template.image.strip() not in said and item.query in said


def test_prompts_as_files(build, tmp_path, capsys):
    out = tmp_path / "p"
    words = ["prompts", str(build), "--config", "object", "--out", str(out), "--limit", "3",
             "--examples", "fixed-train"]  # fmt: skip
    assert evaluate.main([*words, "--family", "mplug-owl2"]) == 0
    items = load_items(build, "object", "test")[:3]
    lines = [json.loads(line) for line in (out / "prompts.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [item.id for item in items]
    for line in lines:
        assert line["prompt"].count("<|image|>") == len(line["images"]) == 3
        assert all((out / name).is_file() for name in line["images"])
        assert line["images"][-1].startswith(f"images/{line['id']}.")
        assert [m["role"] for m in line["messages"]] == ["user", "assistant"] * 2 + ["user"]
    assert "--model replay:FILE" in capsys.readouterr().out
    assert evaluate.main([*words, "--family", "blip-2"]) == 1
    assert "not empty" in capsys.readouterr().err
    words[5] = str(tmp_path / "q")
    assert evaluate.main([*words, "--family", "blip-2"]) == 0  # its examples are text alone
    for text in (tmp_path / "q/prompts.jsonl").read_text().splitlines():
        line = json.loads(text)
        assert len(line["images"]) == 1 and line["prompt"].startswith("Question: ")


def test_every_picture_of_a_conversation_is_its_own_file(demo, tmp_path):
    """The turns of an episode show several pictures of one row."""
    built = tmp_path / "episodes"
    assert derive.main([str(demo / "lego-arta"), "episode", "--out", str(built)]) == 0
    (config,) = {path.parent.name for path in built.glob("data/*/*.parquet")}
    words = ["prompts", str(built), "--config", config, "--out", str(tmp_path / "p"),
             "--examples", "none"]  # fmt: skip
    assert evaluate.main(words) == 0
    lines = [json.loads(x) for x in (tmp_path / "p/prompts.jsonl").read_text().splitlines()]
    assert max(len(line["images"]) for line in lines) > 1
    for item, line in zip(load_items(built, config, "test"), lines, strict=True):
        turns = build_prompt(item, Setting(examples="none")).turns
        wanted = [picture_bytes(one) for turn in turns for one in turn.images]
        assert [(tmp_path / "p" / name).read_bytes() for name in line["images"]] == wanted


def test_the_setting_of_a_run_follows_the_model(build, tmp_path, capsys):
    words = ["run", str(build), "--config", "object", "--model", "Qwen/Qwen3-VL-8B-Instruct"]

    def setting(*more: str) -> Setting:
        return evaluate._setting(evaluate.parser().parse_args([*words, *more]))

    assert (setting().boxes, setting().frame) == ("angle", "norm100")  # the papers', for all
    auto = setting("--family", "auto")
    assert (auto.boxes, auto.frame) == ("json", "norm1000")
    other = setting("--family", "Qwen/Qwen-VL-Chat")
    assert (other.boxes, other.frame) == ("qwen-vl", "norm1000")
    forms = setting("--family", "auto", "--boxes", "angle", "--example-frame", "norm100")
    assert (forms.boxes, forms.frame) == ("angle", "norm100")
    assert setting("--family", "blip-2", "--examples", "dynamic").example_pictures == "no"
    with pytest.raises(UserError, match="fixed examples speak of percent; give"):
        setting("--family", "qwen2.5-vl")
    qwen = setting("--family", "qwen2.5-vl", "--examples", "dynamic")
    assert (qwen.frame, qwen.pixels[0]) == ("resized_px", MIN_PIXELS)


class TestBlip:
    pytestmark = MODEL_TEST

    @pytest.fixture(scope="class")
    def blip(self, tmp_path_factory):
        pytest.importorskip("torch", reason="needs the extra `train`")
        from tiny_models import make_blip

        return make_blip(tmp_path_factory.mktemp("m") / "any-name")

    def test_a_model_without_a_chat_template_gets_its_family_s_prompt(self, build, blip):
        from evaluation.runners import RunnerOptions, local

        options = RunnerOptions(str(blip), max_new_tokens=4)
        model, processor = local.load_model(options)
        item = load_items(build, "scene", "test")[0]
        prompt = build_prompt(item, Setting(examples="none"))
        assert family_of(model.config.model_type) == "blip-2"
        text = local.chat_text(prompt, processor, "blip-2")
        assert text == f"Question: {item.query} Answer:"
        (reply,) = local._batch([prompt], model, processor, options)
        # A sign for each of its four queries, which the processor puts in front, then the text.
        bare = processor.tokenizer(text)["input_ids"]
        assert reply.tokens_in == 4 + len(bare) and 0 < reply.tokens_out <= 4

    def test_its_examples_are_text(self, build, blip, tmp_path, capsys):
        words = ["run", str(build), "--model", str(blip), "--config", "state", "--limit", "2",
                 "--examples", "dynamic", "--max-new-tokens", "4", "--out"]  # fmt: skip
        assert evaluate.main([*words, str(tmp_path / "a")]) == 1
        assert "give --example-pictures no" in capsys.readouterr().err
        more = ["--family", "auto", "--batch-size", "2"]
        assert evaluate.main([*words, str(tmp_path / "b"), *more]) == 0
        (path,) = (tmp_path / "b").glob("*.jsonl")
        for line in map(json.loads, path.read_text().splitlines()):
            assert ["image" in turn for turn in line["prompt"]] == [False] * 4 + [True]
