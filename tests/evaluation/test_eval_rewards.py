"""Rewards: every formula by hand, no signal across tasks, no gain from tricks, TRL's own call."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.text_scores import bleu_method1, rouge
from evaluation.rewards import (
    ALL_REWARDS,
    REWARDS,
    format_reward,
    format_reward_v0,
    iou_reward_v0,
    iou_reward_v1,
    iou_reward_v2,
    penalised_reward,
    scene_reward,
    state_reward,
    task_of,
)

ONE = '<answer>[{"bbox_2d": [0, 0, 10, 10], "label": "1 red plate"}]</answer>'
STATE = "<answer>No.</answer>"
SCENE = "<answer>Put the plate on the table at the back.</answer>"


def chat(text):
    return [{"role": "assistant", "content": text}]


def boxes(*several):
    inner = ", ".join(f'{{"bbox_2d": {list(box)}, "label": "{label}"}}' for box, label in several)
    return f"<think>so</think><answer>[{inner}]</answer>"


@pytest.mark.parametrize(
    ("solution", "task"),
    [
        (ONE, "object"), ("<answer>yes</answer>", "state"), ("<answer>No.</answer>", "state"),
        (SCENE, "scene"), ("Put it there.", "scene"), ("", "unknown"), ("  ", "unknown"),
        ("<answer>no more than one</answer>", "scene"), ("<answer>[]</answer>", "scene"),
        (None, "unknown"),
    ],
)  # fmt: skip
def test_the_task_is_read_off_the_sample_s_own_solution(solution, task):
    """R3."""
    assert task_of(solution) == task
    assert task_of(solution, "object") == "object"
    assert task_of(solution, "grounding") == "scene"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('<think>a</think><answer>[{"bbox_2d": [1, 2, 3, 4], "label": "x"}]</answer>', 1.0),
        ('<think>a</think><answer>[{"bbox_2d": [1, 2, 3], "label": "x"}]</answer>', 0.75),
        ('<think>a</think><answer>{"bbox_2d": [1, 2, 3, 4]}</answer>', 0.5),
        ("<think>a</think><answer>on the left</answer>", 0.5),
        ('<answer>[{"bbox_2d": [1, 2, 3, 4]}]</answer>', 0.75),
        ("<think>a</think>[]", 0.25),
        ("nothing", 0.0),
        ("<think>a</think><answer>[]</answer>", 1.0),  # the published trap
    ],
)
def test_format_of_boxes(text, value):
    """R4: eight strings, eight values."""
    assert format_reward([chat(text)], [ONE]) == [value]


@pytest.mark.parametrize(
    ("text", "value"),
    [("<think>a</think><answer>No</answer>", 1.0), ("<answer>No</answer>", 0.5),
     ("<think>a</think>No", 0.5), ("No", 0.0)],
)  # fmt: skip
def test_format_of_the_others(text, value):
    assert format_reward([text, text], [STATE, SCENE]) == [value, value]


@pytest.mark.parametrize(
    ("said", "gold", "value"),
    [
        # perfect with the same label: 1.1 is cut to 1
        (boxes(((0, 0, 10, 10), "1 red plate")), ONE, 1.0),
        # mIoU .5, label F1 .5, counts equal: .6 (section 8's golden case)
        (
            boxes(((0, 0, 10, 5), "1 blue plate bricks")),
            '<answer>[{"bbox_2d": [0, 0, 10, 10], "label": "1 red plate there"}]</answer>',
            0.6,
        ),
        # two predicted for one: means over the matched pair only, no bonus
        (boxes(((0, 0, 10, 10), "1 red plate"), ((50, 50, 60, 60), "x")), ONE, 1.0),
        (boxes(((0, 0, 10, 5), "1 red plate"), ((50, 50, 60, 60), "x")), ONE, 0.75),
        # labels: both empty 1, one empty 0
        (
            boxes(((0, 0, 10, 10), "")),
            '<answer>[{"bbox_2d": [0, 0, 10, 10], "label": ""}]</answer>',
            1.0,
        ),
        (boxes(((0, 0, 10, 10), "")), ONE, 0.6),
        # no boxes at all
        ("<think>x</think><answer>[]</answer>", ONE, 0.0),
        # backwards, no tag, no JSON
        (boxes(((10, 0, 0, 10), "1 red plate")), ONE, 0.0),
        ('[{"bbox_2d": [0, 0, 10, 10], "label": "1 red plate"}]', ONE, 0.0),
        ("<answer>[{bbox}]</answer>", ONE, 0.0),
    ],
)
def test_v2(said, gold, value):
    """R5."""
    assert iou_reward_v2([chat(said)], [gold]) == [pytest.approx(value)]


def test_v2_of_no_boxes_where_there_are_none():
    assert iou_reward_v2(["<answer>[]</answer>"], ["<answer>[]</answer>"], task=["object"]) == [1.0]


@pytest.mark.parametrize(
    ("said", "value", "capped"),
    [
        # 1 + 4 x .1 + .1
        (boxes(((0, 0, 10, 10), "")), 1.5, 1.0),
        # one coordinate outside, cut to 100: IoU 0 halved, 3 inside, count right
        (boxes(((50, 50, 60, 160), "")), 0.4, 0.4),
        # outside but over the gold after the cut: .1 x .5 + .2 + .1, IoU 100 / 1000
        (boxes(((0, 0, 100, 10), ""), ((-5, 0, 1, 1), "")), 0.05 + 0.7, 0.75),
        ("none", 0.0, 0.0),
    ],
)
def test_v1(said, value, capped):
    """R6 as A12 reads it."""
    assert iou_reward_v1([said], [ONE]) == [pytest.approx(value)]
    assert iou_reward_v1([said], [ONE], cap=1.0) == [pytest.approx(capped)]


def test_v1_brings_pixels_into_range_where_the_size_is_known():
    """200 x 400 pixels of a 2000 x 4000 picture: IoU 1, halved, two coordinates inside, count."""
    said = boxes(((0, 0, 200, 400), ""))
    assert iou_reward_v1([said], [ONE], size_wh=[(2000, 4000)]) == [pytest.approx(0.5 + 0.2 + 0.1)]


@pytest.mark.parametrize(
    ("said", "value"),
    [("<answer>[[0, 0, 10, 10]]</answer>", 1.0), ("<answer>[[0, 0, 10, 5]]</answer>", 0.6),
     ("<answer>[[0, 0, 10, 5], [0, 0, 1, 1]]</answer>", 0.5), ("<answer>[[0, 0]]</answer>", 0.0),
     ("<answer>[]</answer>", 0.0), ("[[0, 0, 10, 10]]", 0.0)],
)  # fmt: skip
def test_v0(said, value):
    """R7."""
    assert iou_reward_v0([said], [ONE]) == [pytest.approx(value)]


@pytest.mark.parametrize(
    ("said", "value"),
    [("<think>a</think>\n<answer>b</answer>", 1.0), ("<think>a</think> so <answer>b</answer>", 0.0),
     ("<answer>b</answer>", 0.0)],
)  # fmt: skip
def test_format_v0(said, value):
    assert format_reward_v0([chat(said)], [ONE]) == [value]


def test_state_and_scene():
    """R8."""
    said = ["<think>x</think><answer>no</answer>", "<answer>Yes</answer>", "<answer>hm</answer>"]
    assert state_reward(said, [STATE] * 3) == [1.0, 0.0, 0.0]
    gold = "Put the plate on the table at the back."
    assert scene_reward([SCENE], [SCENE]) == [pytest.approx(2.0)]
    other = "Put it on the table."
    expected = rouge(gold, other).rouge1 + bleu_method1(gold, other)
    assert scene_reward([f"<answer>{other}</answer>"], [SCENE]) == [pytest.approx(expected)]
    assert 0 < expected < 2


def test_a_mixed_batch_has_no_signal_across_tasks():
    """The published code takes the first sample's task for all of them."""
    solutions = [SCENE, ONE, STATE, ""]
    said = [SCENE, boxes(((0, 0, 10, 10), "1 red plate")), "<answer>No</answer>", SCENE]
    for order in ([0, 1, 2, 3], [2, 1, 0, 3], [3, 2, 1, 0]):
        golds, texts = [solutions[i] for i in order], [chat(said[i]) for i in order]
        for name, applies in (("grnd", 0), ("accuracy", 1), ("state_acc", 2)):
            rewards = REWARDS[name](completions=texts, solution=golds, prompts=[None] * 4)
            assert [value > 0 for value in rewards] == [i == applies for i in order], name


def test_one_good_box_does_not_beat_three_fair_ones():
    """What v2 rewards and `penalised` does not."""
    golds = [((0, 0, 10, 10), "1 a"), ((30, 30, 40, 40), "1 b"), ((60, 60, 70, 70), "1 c")]
    gold = boxes(*golds).removeprefix("<think>so</think>")
    one_good = boxes(golds[0])
    fair = boxes(*[((x0, y0, x1, y1 - 5), label) for (x0, y0, x1, y1), label in golds])
    v2 = iou_reward_v2([one_good, fair], [gold] * 2)
    assert v2 == [pytest.approx(1.0), pytest.approx(0.85)]
    safe = penalised_reward([one_good, fair], [gold] * 2)
    assert safe == [pytest.approx(1 / 3), pytest.approx(0.75)]


def test_boxes_by_the_dozen_do_not_pay():
    grid = [((x, y, x + 10, y + 10), "1 red plate") for x in range(0, 100, 10) for y in (0, 50)]
    assert penalised_reward([boxes(*grid)], [ONE])[0] <= 0.05
    assert penalised_reward(["<answer>[]</answer>"], [ONE]) == [0.0]
    far = boxes(((50, 50, 60, 60), "1 red plate"))
    assert penalised_reward([far], [ONE]) == [0.0]  # a right name in the wrong place


@given(st.text(), st.sampled_from([ONE, STATE, SCENE, ""]))
@settings(max_examples=80)
def test_no_completion_is_an_error(text, solution):
    for said in (text, f"<answer>{text}</answer>", f"<answer>[{text}]</answer>"):
        for name, reward in ALL_REWARDS.items():
            (value,) = reward([chat(said)], [solution])
            assert 0 <= value <= (2 if name == "grnd" else 1 if name != "iou_v1" else 1e9)


def test_huge_numbers_are_no_boxes():
    for number in ("1e999", "NaN", "-Infinity", "1" + "0" * 400):
        said = f'<answer>[{{"bbox_2d": [0, 0, 10, {number}], "label": "1 red plate"}}]</answer>'
        assert iou_reward_v2([said], [ONE]) == [0.0]


LISTS = "<answer>[[0, 0, 10, 10], [50, 50, 60, 70]]</answer>"
TWO = (
    '<answer>[{"bbox_2d": [0, 0, 10, 10], "label": "1 red plate"}, '
    '{"bbox_2d": [50, 50, 60, 70], "label": "2 tiles 1x2"}]</answer>'
)
FENCED = TWO.replace("[{", "```json\n[{").replace("}]", "}]\n```")
# Solutions with what each reward gives for them, and answers that must earn less.
OWN = [
    ("object", ONE, {"accuracy": 1, "penalised": 1, "iou_v0": 1, "iou_v1": 1.5}),
    ("object", TWO, {"accuracy": 1, "penalised": 1, "iou_v0": 1, "iou_v1": 1.9}),
    ("object", FENCED, {"accuracy": 1, "penalised": 1, "iou_v0": 1, "iou_v1": 1.9}),
    ("object", LISTS, {"penalised": 1, "iou_v0": 1}),
    ("object", "<p>1 red plate</p> {<0><0><10><10>}", {"penalised": 1}),
    ("state", STATE, {"state_acc": 1}),
    ("state", "Yes.", {"state_acc": 1}),
    ("scene", SCENE, {"grnd": 2}),
    ("scene", "Put the plate on the table at the back.", {"grnd": 2}),
]
WRONG = (
    "<answer>[]</answer>", "", "<think>so", "I do not know.", "<answer></answer>",
    '<answer>[{"bbox_2d": [80, 80, 90, 90], "label": "1 red plate"}]</answer>',
    "<answer>[[80, 80, 90, 90]]</answer>", "<answer>maybe</answer>", "<answer>Turn it.</answer>",
)  # fmt: skip


def calls(reward, said, gold, task):
    """The reward as TRL, VLM-R1 and a script of one's own call it, with every column and none."""
    chats = [[{"role": "assistant", "content": said}]]
    parts = [[{"role": "assistant", "content": [{"type": "text", "text": said}]}]]
    yield reward([said], [gold])
    yield reward(chats, [gold])
    yield reward(completions=parts, solution=[gold], task=[task])
    yield reward(prompts=[None], completions=chats, solution=[gold], task=[None], size_wh=[None])
    yield reward(
        completions=chats, solution=[gold], task=[task], size_wh=[(960, 720)], image=[None],
        completion_ids=[[1]], trainer_state=None, accu_reward_method=["default"],
    )  # fmt: skip


@pytest.mark.parametrize(("task", "gold", "most"), OWN)
def test_the_right_answer_earns_the_most_in_every_call(task, gold, most):
    for name, expected in most.items():
        reward = ALL_REWARDS[name]
        assert [value for (value,) in calls(reward, gold, gold, task)] == [
            pytest.approx(expected)
        ] * 5, name
        for wrong in WRONG:
            for (value,) in calls(reward, wrong, gold, task):
                assert value < expected, (name, wrong)
    for name in {"accuracy", "state_acc", "grnd", "penalised", "iou_v0", "iou_v1"} - set(most):
        if (task == "object") is not (name in ("accuracy", "penalised", "iou_v0", "iou_v1")):
            for (value,) in calls(ALL_REWARDS[name], gold, gold, task):
                assert value == 0.0  # no signal across tasks


@pytest.mark.parametrize("name", ["accuracy", "penalised", "iou_v0", "iou_v1"])
@pytest.mark.parametrize("gold", ["<answer>on the left</answer>", "<answer>[{]</answer>", "oops"])
def test_a_solution_without_boxes_rewards_nothing(name, gold):
    """Read as "no boxes", it would give the most to nonsense."""
    for said in ("<answer>[]</answer>", "", ONE, "I do not know."):
        with pytest.warns(UserWarning, match="earns nothing"):
            assert ALL_REWARDS[name]([said], [gold], task=["object"]) == [0.0]


def test_saying_nothing_is_not_saying_that_there_is_nothing():
    gold, task = "<answer>[]</answer>", ["object"]
    assert penalised_reward(["<answer>[]</answer>"], [gold], task=task) == [1.0]
    for silent in ("", "<think>hm", "<answer></answer>"):
        assert penalised_reward([silent], [gold], task=task) == [0.0]
