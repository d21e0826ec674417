"""Prompts: the query's parts, the paper's settings and templates, examples that leak nothing."""

from collections import Counter

import pytest
from benchmark_build import write_build

from core.errors import UserError
from core.items import load_items, picture_bytes
from evaluation.examples import Chooser, allowed, fixed_examples
from evaluation.prompts import (
    PAPER_SETTINGS,
    Setting,
    ask,
    build_prompt,
    expected_answer,
    question,
    setting_of,
    take_apart,
)
from tasks import TASKS
from tasks import prompts as builder_prompts
from tasks.queries import query, read

CONFIGS = ("scene", "object", "state")
# Table 6.1, to the letter and the space at an end.
DIRECTIVE = {
    "scene": "Tell me what to do for the current situation. ",
    "object": builder_prompts.OBJECT_DIRECTIVE,
    "state": "Just tell me Yes or No.",
}
# The same rows in words that read well.
READABLE = {
    "scene": 'I have just done this: "Find 1 red plate 2x4." What do I do now?',
    "object": 'Find this in the picture: "1 red plate 2x4." Give each position as <p>object</p> '
    "{<Xleft><Ytop><Xright><Ybottom>}, with X and Y coordinates normalized to [0,100]: Xleft and "
    "Ytop are the top-left corner, Xright and Ybottom the bottom-right corner.",
    "state": 'Was this step done correctly? "Put it there." Before it I did this: '
    '"Find 1 red plate 2x4." Answer with Yes or No.',
}
# Table 8.4's four prompts of the three tasks: (instruction?, examples?) -> last turn.
ASKED = {
    "scene": {
        True: "[grounding] After I find 1 red plate 2x4.\n"
        "Tell me what to do for the current situation. ",
        False: "[grounding] Tell me what to do for the current situation. ",
    },
    "object": {
        True: "[object] Please identify and highlight the positions of 1 red plate 2x4. "
        + builder_prompts.OBJECT_DIRECTIVE,
        False: "[object] " + builder_prompts.OBJECT_DIRECTIVE,
    },
    "state": {
        True: "[state] After I find 1 red plate 2x4. Did I do it correctly for put it there. "
        "Just tell me Yes or No.",
        False: "[state] Just tell me Yes or No.",
    },
}
QUERIES = {
    "scene": builder_prompts.scene_query(["Find 1 red plate 2x4."]),
    "object": builder_prompts.object_query(["Find 1 red plate 2x4."]),
    "state": builder_prompts.state_query(["Find 1 red plate 2x4."], ["Put it there."]),
}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("build"), by_row=True)


@pytest.fixture(scope="module")
def clean_build(tmp_path_factory):
    return write_build(tmp_path_factory.mktemp("clean"))


def items(build, config, split="test"):
    return load_items(build, config, split)


def readable(config: str) -> str:
    """What the builder writes with `--templates readable`."""
    eop, step = ["Find 1 red plate 2x4."], ["Put it there."]
    if config == "state":
        return builder_prompts.state_query(eop, step, "readable")
    write = {"scene": builder_prompts.scene_query, "object": builder_prompts.object_query}[config]
    return write(eop, "readable")


@pytest.mark.parametrize("config", CONFIGS)
def test_readable_words(config):
    assert readable(config) == READABLE[config]
    assert question(readable(config), config, Setting()) == READABLE[config]


@pytest.mark.parametrize("config", CONFIGS)
def test_readable_queries_have_parts_too(config):
    text = readable(config)
    parts = take_apart(text, config)
    assert f"{parts.instruction}{parts.joint}{parts.directive}" == text
    assert (parts.token, parts.template) == ("", "readable")
    assert question(text, config, setting_of("full", ["directive"])) == parts.instruction
    assert question(text, config, setting_of("full", ["instruction"])) == parts.directive
    assert take_apart(QUERIES[config], config).template == "paper"
    assert take_apart("Where is it?", config).template is None


def test_readable_queries_ask_for_other_forms_and_frames():
    text = readable("object")
    asked = question(text, "object", Setting(frame="norm1000"))
    assert asked == text.replace("[0,100]", "[0,1000]")
    json_asked = question(text, "object", Setting(boxes="json", frame="px"))
    assert json_asked.startswith('Find this in the picture: "1 red plate 2x4." Give the positions')
    assert "in pixels of the picture" in json_asked and "<p>" not in json_asked


@pytest.mark.parametrize("config", CONFIGS)
def test_the_fixed_examples_are_in_the_words_of_the_question(config):
    paper, said = (fixed_examples(config, Setting(), words) for words in ("paper", "readable"))
    assert [(e.query, e.answer) for e in paper] == list(TASKS[config].text.examples)
    assert [e.answer for e in said] == [e.answer for e in paper]
    for example, original in zip(said, paper, strict=True):
        assert take_apart(example.query, config).template == "readable"
        assert "[" not in example.query.partition(" Give ")[0] and "Tell me" not in example.query
        kept = {word for word in original.query.split() if word[0].isdigit()}
        assert kept and kept <= set(example.query.replace('"', "").split())


@pytest.mark.parametrize("words", ["paper", "readable"])
def test_what_a_query_says_is_read_back(words):
    texts = {"found": "Find 2 red “plates” 2x4.", "done": 'Put the "shop" on top.'}
    said = read(query(words, "state", **texts), "state")
    assert {name: text[:1].upper() + text[1:] for name, text in said.items()} == texts
    wanted = "the following 2 pieces: 1 a {b}, and 1 c."
    assert read(query(words, "object", wanted=wanted), "object") == {"wanted": wanted}
    assert read("Where?", "object") == {}


@pytest.mark.parametrize("config", CONFIGS)
def test_all_parts_together_are_the_row_s_query(build, config):
    for item in items(build, config, "train"):
        assert question(item.query, config, Setting()) == item.query
        parts = take_apart(item.query, config)
        assert parts.directive == DIRECTIVE[config] and parts.token.startswith("[")


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("name", PAPER_SETTINGS)
def test_the_four_settings_of_table_8_4(build, config, name):
    setting = PAPER_SETTINGS[name]
    assert question(QUERIES[config], config, setting) == ASKED[config][setting.instruction]
    item = items(build, config)[0]
    prompt = build_prompt(item, setting, Chooser([], setting)(item))
    with_examples = name in ("full", "no-instruction")
    assert [turn.role for turn in prompt.turns] == (
        ["user", "assistant"] * (2 if with_examples else 0) + ["user"]
    )
    if with_examples:
        said = [(prompt.turns[i].text, prompt.turns[i + 1].text) for i in (0, 2)]
        assert said == list(TASKS[config].text.examples)
    assert prompt.turns[-1].image is item


@pytest.mark.parametrize(
    ("without", "expected"),
    [
        (["token"], ASKED["state"][True].removeprefix("[state] ")),
        (["directive"], ASKED["state"][True].removesuffix(" Just tell me Yes or No.")),
        (["token", "directive", "instruction"], ""),
    ],
)
def test_every_part_can_be_left_out(without, expected):
    assert question(QUERIES["state"], "state", setting_of("full", without)) == expected


def test_no_picture_means_none_anywhere(build):
    setting = setting_of("full", ["image"], examples="dynamic")
    item = items(build, "state")[0]
    choose = Chooser(items(build, "state", "train"), setting)
    prompt = build_prompt(item, setting, choose(item))
    assert len(prompt.turns) == 5 and all(turn.image is None for turn in prompt.turns)


def test_the_think_template(build):
    """R2, to the letter; `{Question}` is filled."""
    setting = setting_of("full", template="think", boxes="lego-r1")
    texts = {config: ask(items(build, config)[0], setting) for config in CONFIGS}
    tail = (
        " First output the thinking process in <think> </think> tags and then output the final "
        "answer in <answer> </answer> tags."
    )
    assert texts["state"].endswith("Just tell me Yes or No." + tail)
    for config in ("scene", "object"):
        assert texts[config].endswith(tail + " Output the final answer in JSON format.")
    assert (
        'Providing the positions in the format: [{"bbox_2d": [x1, y1, x2, y2], "label": '
        '"1 object name"}]x1 and y1 for the top-left corner. x2 and y2 for the bottom-right '
        "corner. First" in texts["object"]
    )
    assert not any("{Question}" in text or "{question}" in text for text in texts.values())


def test_the_previous_instruction(build):
    setting = Setting(previous=True)
    item = items(build, "scene")[0]
    assert ask(item, setting) == (
        f"Previous instruction: {item.previous_instruction}\n{item.query}"
    )
    assert ask(items(build, "object")[0], setting) == items(build, "object")[0].query


def test_example_answers_have_the_form_asked_for(build):
    item = items(build, "object")[0]
    as_json = expected_answer(item, Setting(boxes="json", frame="px", template="think"))
    assert as_json.startswith('<answer>[{"bbox_2d": [') and as_json.endswith("</answer>")
    assert item.size_wh == (80, 60)
    assert fixed_examples("object", Setting(boxes="json"))[1].answer == (
        '[{"bbox_2d": [20, 61, 30, 78], "label": "2 transparent fluorescent green round bricks"}]'
    )


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("kind", ["by_row", "by_manual"])
def test_examples_are_train_rows_of_another_group(build, clean_build, config, kind):
    """R9 without its leak: never from test, never the item's own group or picture."""
    folder = build if kind == "by_row" else clean_build
    train = items(folder, config, "train")
    choose = Chooser([*train, *items(folder, config)], Setting(examples="dynamic"))
    for item in items(folder, config):
        examples = choose(item)
        assert len(examples) == 2
        for example in examples:
            assert example.item.split == "train" and example.item in train
            assert not example.item.group & item.group and example.item.id != item.id
            same = example.item.manual_id == item.manual_id
            assert same == (kind == "by_row") == (not example.how.startswith("other"))
        assert choose(item) == examples  # the same every time


def test_the_leak_would_be_there(build):
    """By rows, test collages have siblings in train: without the rule they would be chosen."""
    train, test = items(build, "object", "train"), items(build, "object")
    siblings = [
        other for item in test for other in train
        if other.group & item.group
    ]  # fmt: skip
    assert siblings
    assert not any(allowed(item, other) for item in test for other in siblings
                   if other.group & item.group)  # fmt: skip


def test_dynamic_examples_are_the_nearest(build):
    """R9: object has as many boxes if it can, scene the step before, state a pair of one step."""
    setting = Setting(examples="dynamic")
    choose = Chooser(items(build, "object", "train"), setting)
    for item in items(build, "object"):
        for example in choose(item):
            same = len(example.item.labels) == len(item.labels)
            assert same == (example.how == "success")
    choose = Chooser(items(build, "scene", "train"), setting)
    for item in items(build, "scene"):
        nearest = choose(item)[-1]
        assert nearest.how == "previous_step" and nearest.item.session_id == item.session_id
        earlier = [
            o.step_num for o in items(build, "scene", "train")
            if o.session_id == item.session_id and o.step_num < item.step_num
        ]  # fmt: skip
        assert nearest.item.step_num == max(earlier)
    choose = Chooser(items(build, "state", "train"), setting)
    for item in items(build, "state"):
        one, two = choose(item)
        assert {one.answer, two.answer} == {"Yes.", "No."}
        assert one.item.group & two.item.group


def test_a_build_without_train_rows_says_so(build):
    with pytest.raises(UserError, match="no train rows"):
        Chooser(items(build, "scene"), Setting(examples="dynamic"))


def test_settings_have_names_of_their_own():
    settings = [
        *PAPER_SETTINGS.values(), Setting(template="think", boxes="json"), Setting(shots=1),
        Setting(image=False), Setting(examples="dynamic"), Setting(previous=True),
    ]  # fmt: skip
    assert len({setting.name for setting in settings}) == len(settings)
    assert Setting().name == "full"
    with pytest.raises(UserError, match="--without colour"):
        setting_of("full", ["colour"])


def test_pictures_are_the_rows_own(build):
    for item in [*items(build, "state"), *items(build, "object", "train")]:
        assert picture_bytes(item).startswith(b"\x89PNG")
    assert len({picture_bytes(item) for item in items(build, "state")}) == len(
        items(build, "state")
    )


def test_a_folder_that_is_no_build(tmp_path):
    with pytest.raises(UserError, match="make one with"):
        load_items(tmp_path, "state", "test")
    shard = tmp_path / "data/state/test-00000-of-00001.parquet"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"not Parquet")
    with pytest.raises(UserError, match="not a shard"):
        load_items(tmp_path, "state", "test")


@pytest.mark.parametrize("pictures", ["as-question", "yes", "no"])
@pytest.mark.parametrize("image", [True, False])
@pytest.mark.parametrize("source", ["fixed", "fixed-train", "dynamic"])
def test_examples_and_question_show_pictures_independently(build, source, image, pictures):
    """All twelve ways but for the thesis' fixed texts, which have no pictures to show."""
    setting = Setting(examples=source, image=image, example_pictures=pictures)
    shown = image if pictures == "as-question" else pictures == "yes"
    for config in ("scene", "object", "state"):
        choose = Chooser(load_items(build, config, "train"), setting)
        for item in load_items(build, config, "test")[:5]:
            prompt = build_prompt(item, setting, choose(item))
            *before, last = prompt.turns
            assert (last.image == item) == image and len(prompt.examples) == 2
            asked = [turn for turn in before if turn.role == "user"]
            assert [turn.image is not None for turn in asked] == [shown and source != "fixed"] * 2


def test_fixed_train_rows_are_the_same_before_every_question(build):
    """But never of the question's own group; of states a Yes and a No."""
    setting = Setting(examples="fixed-train")
    for config in ("scene", "object", "state"):
        train = load_items(build, config, "train")
        choose = Chooser(train, setting)
        test = load_items(build, config, "test")
        said = {item: tuple(e.item for e in choose(item)) for item in test}
        (first, second), _ = Counter(said.values()).most_common(1)[0]
        assert first.is_yes is None or (first.is_yes, second.is_yes) == (True, False)
        for item, shown in said.items():
            apart = not item.group & (first.group | second.group)
            assert (shown == (first, second)) == apart and len(shown) == 2
            assert not any(item.group & example.group for example in shown)
