"""VLM-R1's own reading of an export: a right answer earns 1, nonsense nothing.

Its rules are written out here as its `grpo_jsonl.py` has them: how a line becomes question and
solution, and what each `accu_reward_method` makes of a solution and a completion.
"""

import contextlib
import io
import itertools
import json
import re
import shlex
from pathlib import Path

import pytest
from export_build import all_rows, export_build
from exported import records, run
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from evaluation.rewards import REWARDS

TEMPLATES = {
    "default": "{Question} First output the thinking process in <think> </think> tags and then "
    "output the final answer in <answer> </answer> tags.",
    "rec": "{Question} First output the thinking process in <think> </think> tags and then output "
    "the final answer in <answer> </answer> tags. Output the final answer in JSON format.",
}
NONSENSE = ("I do not know", "1", "2", "Yes and no", "[]", "", "```json\n[]\n```", "Put it there.",
            '[{"bbox_2d": [1, 2, 3, 4], "label": "part"}]',
            '```json\n[{"bbox_2d": [1, 2, 3, 4], "label": "part"}]\n```')  # fmt: skip


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    return export_build(tmp_path_factory.mktemp("b") / "lego-arta", manuals=3, test_manuals=1)


# The trainer's rules ------------------------------------------------------------------------------


def loaded(line: dict, task_type: str) -> tuple[str, str]:
    """Prompt text and solution as the trainer makes them of a line."""
    human, gpt = line["conversations"][:2]
    problem = human["value"].replace("<image>", "")
    solution = gpt["value"].replace("<answer>", "").replace("</answer>", "").strip()
    template = TEMPLATES.get(task_type, TEMPLATES["default"])
    return template.format(Question=problem), f"<answer> {solution} </answer>"


def answers_in(text: str) -> list[str]:
    return re.findall(r"<answer>(.*?)</answer>", text, re.DOTALL)


def od_ap(content: str, solution: str) -> float:
    """Average precision of the boxes in the last ```json block; both without one count as 1."""
    said, gold = answers_in(content), answers_in(solution)
    if not said:
        return 0.0
    if said[-1].strip() == gold[0].strip() == "None":
        return 1.0
    blocks = [re.findall(r"```json(.*?)```", text, re.DOTALL) for text in (said[-1], gold[0])]
    try:
        found = json.loads(blocks[0][-1]) if blocks[0] else []
    except ValueError:
        found = []
    wanted = json.loads(blocks[1][-1]) if blocks[1] else []
    if not found or not wanted:
        return float(not found and not wanted)
    return average_precision(found, wanted)


def average_precision(found: list[dict], wanted: list[dict]) -> float:
    ids = {box["label"]: number for number, box in enumerate(wanted)}
    gold = COCO()
    gold.dataset = {
        "info": {},
        "images": [{"id": 0, "width": 2048, "height": 2048, "file_name": "image_0.jpg"}],
        "categories": [{"id": number, "name": label} for label, number in ids.items()],
        "annotations": [{"id": number, **annotation(box, ids), "iscrowd": 0}
                        for number, box in enumerate(wanted, 1)],
    }  # fmt: skip
    made = [{**annotation(box, ids), "score": 1.0} for box in found if box["label"] in ids]
    if not made:
        return 0.0
    with contextlib.redirect_stdout(io.StringIO()):
        gold.createIndex()
        result = COCOeval(gold, gold.loadRes(made), "bbox")
        result.evaluate()
        result.accumulate()
        result.summarize()
    return float(result.stats[0])


def annotation(box: dict, ids: dict[str, int]) -> dict:
    x0, y0, x1, y1 = box["bbox_2d"]
    return {"image_id": 0, "category_id": ids[box["label"]], "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": (x1 - x0) * (y1 - y0)}  # fmt: skip


def clean(text: str) -> str:
    text = (answers_in(text) or [text])[-1]
    for sign in "\n\r":
        text = re.sub(rf"(?<=\s){sign}", "", text)
        text = re.sub(rf"(?<!\s){sign}", " ", text)
    return text.strip().rstrip(".").lower()


def all_match(content: str, solution: str) -> float:
    return float(clean(content) == clean(solution))


METHODS = {"od_ap": od_ap, "all_match": all_match}


# What they make of an export ----------------------------------------------------------------------


def task_type(out: Path) -> str:
    """Of the script, unless TASK says otherwise."""
    return re.search(r'--task_type "\$\{TASK:-(\w+)\}"', (out / "train.sh").read_text())[1]


def other_form(answer: str) -> str:
    """The same answer, differently written: spaced JSON, a full stop less."""
    block = re.fullmatch(r"```json\n(.*)\n```", answer, re.DOTALL)
    if block:
        return f"Here:\n```json\n{json.dumps(json.loads(block[1]), indent=2)}\n```\n"
    return answer.rstrip(". ")


@pytest.mark.parametrize("template", ["plain", "think"])
@pytest.mark.parametrize("examples", ["none", "fixed", "dynamic"])
def test_right_answers_earn_1_and_nonsense_nothing(build, tmp_path, template, examples):
    out = run(build, tmp_path / "x", "vlm-r1", "--template", template, "--examples", examples)
    rows, asked_for = all_rows(build), task_type(out)
    seen = set()
    for line in (line for path in out.glob("*.jsonl") for line in records(path)):
        reward = METHODS[line["accu_reward_method"]]
        config = rows[line["id"]]["config"]
        seen.add((config, line["accu_reward_method"]))
        question, solution = loaded(line, asked_for)
        assert ("```json" in question) == (config == "object")
        assert "<image>" not in question and "Output the final answer in JSON" not in (
            question if config == "state" else ""
        )
        answer = line["conversations"][1]["value"]
        answer = answer.removeprefix("<answer>").removesuffix("</answer>")
        for right in (answer, other_form(answer)):
            assert reward(f"<think>No, 2.</think><answer>{right}</answer>", solution) == (
                pytest.approx(1.0)
            )
        for wrong in NONSENSE:
            assert reward(f"<think>{answer}</think><answer>{wrong}</answer>", solution) == 0.0
            assert reward(wrong, solution) == 0.0
    assert seen == {("scene", "all_match"), ("object", "od_ap"), ("state", "all_match")}


def test_the_wrong_state_and_boxes_nearby_earn_less(build, tmp_path):
    out = run(build, tmp_path / "x", "vlm-r1")
    for line in records(out / "state_train.jsonl"):
        solution = loaded(line, "default")[1]
        other = {"Yes.": "No.", "No.": "Yes."}[line["conversations"][1]["value"]]
        assert METHODS[line["accu_reward_method"]](f"<answer>{other}</answer>", solution) == 0.0
    for line in records(out / "object_train.jsonl"):
        gold = line["conversations"][1]["value"]
        boxes = json.loads(re.search(r"\[.*\]", gold, re.DOTALL)[0])
        for box in boxes:
            box["bbox_2d"] = [value + 1 for value in box["bbox_2d"]]
        near = f"<answer>```json\n{json.dumps(boxes)}\n```</answer>"
        assert 0.0 < od_ap(near, loaded(line, "default")[1]) < 1.0


@pytest.mark.parametrize("form", ["angle", "json", "lego-r1"])
def test_other_forms_of_boxes_are_not_given_to_a_reward_that_cannot_read_them(
    build, tmp_path, form
):
    out = run(build, tmp_path / "x", "vlm-r1", "--config", "object", "--boxes", form)
    for line in records(out / "object_train.jsonl"):
        reward, solution = METHODS[line["accu_reward_method"]], loaded(line, "default")[1]
        answer = line["conversations"][1]["value"]
        assert reward(f"<answer>{answer}</answer>", solution) == 1.0
        assert not any(reward(f"<answer>{wrong}</answer>", solution) for wrong in NONSENSE)


@pytest.mark.parametrize("template", ["plain", "think"])
def test_lego_r1_s_fork_rewards_bare_lists(build, tmp_path, template):
    """Its four rewards are ours by name; the script calls them for the form that they read."""
    out = run(build, tmp_path / "x", "vlm-r1", "--boxes", "lego-r1", "--template", template)
    script = (out / "train.sh").read_text()
    names = re.search(r"REWARDS:-([\w ]+)\}", script)[1].split()
    assert names == list(REWARDS) and "CUSTOM:-true" in script and task_type(out) == "rec"
    by_task = {"scene": "grnd", "object": "accuracy", "state": "state_acc"}
    for config, name in by_task.items():
        for line in records(out / f"{config}_train.jsonl")[:10]:
            solution = loaded(line, "rec")[1]
            answer = line["conversations"][1]["value"]
            answer = answer.removeprefix("<answer>").removesuffix("</answer>")
            said = [f"<think>x</think><answer>{text}</answer>" for text in (answer, "nothing")]
            right, wrong = REWARDS[name]([said[0], said[1]], [solution] * 2)
            assert right >= 1.0 and wrong < 0.5


def test_the_longest_answer_fits_into_a_completion(build, tmp_path):
    """A token holds one digit, or one to some letters: half a token a sign is little enough."""

    def many(config, row):
        if config != "object":
            return row
        several = [row["targets"][0]] * 9
        answer = " and ".join([row["answer"].split(" and ")[0]] * 9)
        return {**row, "targets": several, "answer": answer}

    short, long = (
        run(built, tmp_path / name, "vlm-r1")
        for name, built in (
            ("short", build),
            ("long", export_build(tmp_path / "b", many, manuals=2, test_manuals=1)),
        )
    )
    for out, least in ((short, 164), (long, 400)):
        words = shlex.split((out / "train.sh").read_text().split("torchrun")[1], comments=True)
        length = int(dict(itertools.pairwise(words))["--max_completion_length"])
        gold = max(
            len(line["conversations"][1]["value"])
            for path in out.glob("*_train.jsonl")
            for line in records(path)
        )
        assert length == 164 if out == short else length >= least
        assert length >= gold / 2
