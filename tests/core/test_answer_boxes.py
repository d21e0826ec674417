"""Boxes in answers: what known models write, and nothing that was not written."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.answers import parse_boxes

# Written forms of one box, with the frame that the form itself says.
FORMS = {
    "minigpt-v2": ("<p>{L}</p> {{<{a}><{b}><{c}><{d}>}}", None),
    "qwen-vl": ("<ref>{L}</ref><box>({a},{b}),({c},{d})</box>", "norm1000"),
    "qwen2-vl": (
        "<|object_ref_start|>{L}<|object_ref_end|><|box_start|>({a},{b}),({c},{d})<|box_end|>",
        "norm1000",
    ),
    "qwen2-vl without tokens": ("{L}({a},{b}),({c},{d})", "norm1000"),
    "qwen2.5-vl": ('{{"bbox_2d": [{a}, {b}, {c}, {d}], "label": "{L}"}}', None),
    "gemini": ('{{"box_2d": [{b}, {a}, {d}, {c}], "label": "{L}"}}', "norm1000"),
    "gemini, python": ("{{'box_2d': [{b}, {a}, {d}, {c}], 'label': '{L}'}}", "norm1000"),
    "paligemma": ("<loc{b:04d}><loc{a:04d}><loc{d:04d}><loc{c:04d}> {L} ;", "norm1024"),
    "florence-2": ("{L}<loc_{a}><loc_{b}><loc_{c}><loc_{d}>", "norm1000"),
    "internvl": ("<ref>{L}</ref><box>[[{a}, {b}, {c}, {d}]]</box>", "norm1000"),
    "minicpm-v": ("<ref>{L}</ref><box>{a} {b} {c} {d}</box>", "norm1000"),
    "seed": ("<ref>{L}</ref><bbox>{a} {b} {c} {d}</bbox>", "norm1000"),
    "rex-omni": (
        "<|object_ref_start|>{L}<|object_ref_end|><|box_start|><{a}><{b}><{c}><{d}><|box_end|>",
        "norm1000",
    ),
    "deepseek-vl2": ("<|ref|>{L}<|/ref|><|det|>[[{a}, {b}, {c}, {d}]]<|/det|>", None),
    "cogvlm": ("{L} [[{a:03d},{b:03d},{c:03d},{d:03d}]]", "norm1000"),
    "glm": ("{L} [[{a}, {b}, {c}, {d}]]", None),
    "key is the name": ('{{"{L}": [{a}, {b}, {c}, {d}]}}', None),
    "bounding_box": ('{{"label": "{L}", "bounding_box": [{a}, {b}, {c}, {d}]}}', None),
    "texts": ('{{"label": "{L}", "bbox": ["{a}", "{b}", "{c}", "{d}"]}}', None),
    "text": ('{{"name": "{L}", "bbox": "[{a}, {b}, {c}, {d}]"}}', None),
    "corners": ('{{"label": "{L}", "top_left": [{a}, {b}], "bottom_right": [{c}, {d}]}}', None),
    "left, top": (
        '{{"object": "{L}", "box": {{"top": {b}, "left": {a}, "bottom": {d}, "right": {c}}}}}',
        None,
    ),
    "side by side": ('{{"bboxes": [[{a}, {b}, {c}, {d}]], "labels": ["{L}"]}}', None),
    "prose": ("{L}: Xleft = {a}, Ytop = {b}, Xright = {c}, Ybottom = {d}", None),
    "asked names": ("<p>{L}</p> {{<Xleft={a}><Ytop={b}><Xright={c}><Ybottom={d}>}}", None),
    "list": ("- {L}: [{a}, {b}, {c}, {d}]", None),
    "sentence": ("The {L} is located at ({a}, {b}, {c}, {d}).", None),
}
NAMES = ("red brick", "1 red brick 2x4", "2 black plates 1x2", "roof tile 1x2x3", "plate (clip)")


def write(form, *boxes):
    """Boxes (label, x0, y0, x1, y1) in a form, one a line."""
    text = FORMS[form][0]
    return "\n".join(text.format(L=n, a=a, b=b, c=c, d=d) for n, a, b, c, d in boxes)


def read(text):
    return [(box.label, *map(int, box.box)) for box in parse_boxes(text).boxes]


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_that_models_write(form):
    """One box and several, the frame, the order of axes, numbers in labels."""
    one = ("red brick", 20, 340, 480, 560)
    several = [one, ("2 black plates 1x2", 0, 5, 10, 999), ("1 tile 2x4", 1, 2, 30, 40)]
    for boxes in ([one], several):
        for around in ("{}", "```json\n{}\n```", "<think>at [1, 2, 3, 4]</think>\n{}", "{}</s>"):
            answer = parse_boxes(around.format(write(form, *boxes)))
            assert [(b.label, *map(int, b.box)) for b in answer.boxes] == boxes
            assert (answer.status, answer.frame) == ("ok", FORMS[form][1])


@pytest.mark.parametrize(
    ("text", "box", "frame"),
    [
        ("[0.12, 0.34, 0.48, 0.56]", (0.12, 0.34, 0.48, 0.56), "norm1"),  # Shikra, LLaVA
        ('{"x_min": 0.1, "y_min": 0.2, "x_max": 0.3, "y_max": 0.4}', (0.1, 0.2, 0.3, 0.4), "norm1"),
        ("<box>(0.1,0.2),(0.3,0.4)</box>", (0.1, 0.2, 0.3, 0.4), "norm1"),  # Ovis
        ("[12%, 34%, 48%, 56%]", (12, 34, 48, 56), "norm100"),
        ("[12px, 34px, 480px, 56px]", (12, 34, 480, 56), "px"),
        ('{"x": 10, "y": 20, "width": 30, "height": 40}', (10, 20, 40, 60), None),
        ('{"bbox": {"left": 10, "top": 20, "w": 30, "h": 40}}', (10, 20, 40, 60), None),
        ('{"bbox_xywh": [10, 20, 30, 40]}', (10, 20, 40, 60), None),
        ('{"cx": 25, "cy": 40, "w": 30, "h": 40}', (10, 20, 40, 60), None),
        ('{"bbox": [[10, 20], [40, 60]]}', (10, 20, 40, 60), None),
        ("top-left corner (10, 20), bottom-right corner (40, 60)", (10, 20, 40, 60), None),
        ("<xmin>10</xmin><ymin>20</ymin><xmax>40</xmax><ymax>60</ymax>", (10, 20, 40, 60), None),
        ("Xleft = -5, Ytop = .5, Xright = 30, Ybottom = 50", (-5, 0.5, 30, 50), None),
        ("bottom: 60, right: 40, top: 20, left: 10", (10, 20, 40, 60), None),
    ],
)
def test_numbers_that_say_what_they_are(text, box, frame):
    answer = parse_boxes(text)
    assert [b.box for b in answer.boxes] == [pytest.approx(box)]
    assert (answer.status, answer.frame) == ("ok", frame)


def test_kosmos_patches_are_transformers_own():
    kosmos = pytest.importorskip(
        "transformers.models.kosmos2.processing_kosmos2", reason="needs transformers"
    )
    for first, last in ((44, 863), (0, 1023), (70, 70), (64, 70), (5, 37)):
        text = f"<phrase>a tile</phrase><object><patch_index_{first:04d}><patch_index_{last:04d}>"
        (found,) = parse_boxes(text + "</object>").boxes
        assert found.label == "a tile"
        assert found.box == pytest.approx(kosmos.patch_index_to_coordinate(first, last, 32))


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('{"bbox": [[1, 2, 3, 4], [5, 6, 7, 8]], "label": "b"}', ["b", "b"]),
        ('{"a": [[1, 2, 3, 4], [5, 6, 7, 8]]}', ["a", "a"]),
        ('{"a": [1, 2, 3, 4], "a": [5, 6, 7, 8]}', ["a", "a"]),  # a key twice: both count
        ('{"boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "labels": ["a", "b"]}', ["a", "b"]),
        ('{"boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "labels": ["a"]}', ["", ""]),
        ("<ref>a</ref><box>(1,2),(3,4)</box><box>(5,6),(7,8)</box>", ["a", "a"]),
        ("a [[1,2,3,4;5,6,7,8]]", ["a", "a"]),
        ("1. **a**: [1, 2, 3, 4]\n2. **b**: [5, 6, 7, 8]", ["a", "b"]),
        # cut short: whole boxes count, halves of labels do not
        ('[{"label": "a", "bbox": [1, 2, 3, 4]}, {"label": "b", "bbox": [5, 6, 7, 8]', ["a", "b"]),
        ('[{"bbox": [1, 2, 3, 4], "label": "a"}, {"bbox": [5, 6, 7, 8], "label": "b', ["a", ""]),
        # said twice, in two forms
        ('At [1, 2, 3, 4] and [5, 6, 7, 8]: {"a": [1, 2, 3, 4], "b": [5, 6, 7, 8]}', ["a", "b"]),
    ],
)
def test_several_boxes_and_their_labels(text, labels):
    answer = parse_boxes(text)
    assert [box.label for box in answer.boxes] == labels
    assert [box.box for box in answer.boxes] == [(1, 2, 3, 4), (5, 6, 7, 8)]
    assert answer.status == "ok"


@pytest.mark.parametrize(
    "text",
    [
        # points and polygons (Molmo, Gemini, Qwen)
        '<point x="12.3" y="45.6" alt="brick">brick</point>',
        '<points x1="10" y1="20" x2="30" y2="40" alt="bricks">bricks</points>',
        '{"point_2d": [5, 6], "label": "a"}', "<box>(120,340)</box>", "at (12, 34), (56, 78)",
        "a(1,2),(3,4),(5,6)", "<quad>(1,2),(3,4),(5,6),(7,8)</quad>", '{"box_3d": [1,2,3,4,5,6,7]}',
        # too few, too many, cut, or no numbers
        "<1><2><3><4><5>", "[1, 2, 3]", "[1, 2, 3, 4, 5]", '{"bbox": [1, 2, 3, 4, 5]}',
        "<1><2><3><4",
        '[{"bbox_2d": [57, 15, 82, 3', "[0,12, 0,34, 0,48, 0,56]", "[10, 20, 30, 40.5.6]",
        "x1: 10-20, y1: 3, x2: 4, y2: 5", "x_min: 10, y_min: 20, x_max: 30", "a 10 20 30 40",
        '{"x1": 39,9, "y1": 319, "x2": 483, "y2": 831}', '{"color": [255, 0, 0, 255]}',
        # out of the frame that the form says
        "<box>(1200,340),(1480,560)</box>", "a(1200,340),(1480,560)",
        "a<loc_1000><loc_1><loc_2><loc_3>",
        "<loc1024><loc0001><loc0002><loc0003> a", '<box>[[1, 2, 3], [4, 5, 6, 7, 8]]</box>',
        # another order, said in words
        "Boxes as [ymin, xmin, ymax, xmax]: a [340, 120, 560, 480]",
        "a in [x, y, width, height]: [10, 20, 30, 40]",
        # which of the two?
        '{"a": [1, 2, 3, 4]} and <p>b</p> {<5><6><7><8>}', "[1, 2, 3, 4], no wait, [5, 6, 7, 8]",
        "The brick is not at [1, 2, 3, 4] but at [5, 6, 7, 8].",
        # thinking only
        "<think>[1, 2, 3, 4]", "<thinking>[1, 2, 3, 4]", "Reasoning: it is at [1, 2, 3, 4]",
        "[1, 2, 3, 4]</think>", "◁think▷[1, 2, 3, 4]◁/think▷",
    ],
)  # fmt: skip
def test_what_is_no_sure_box_is_none(text):
    answer = parse_boxes(text)
    assert answer.boxes == () and answer.status in ("unparsed", "empty")


def test_one_broken_box_among_good_ones_is_told():
    for text in (
        "<p>a</p> {<1><2><3><4>} and <p>b</p> {<5><6><7>}",
        '[{"bbox": [1, 2, 3, 4]}, {"bbox": [5, 6, 7]}]',
        '{"x1": 1, "y1": 2, "x2": 3, "y2": 4}, {"x1": 5, "y1"; 6, "x2": 7, "y2": 8}',
    ):
        answer = parse_boxes(text)
        assert [box.box for box in answer.boxes] == [(1, 2, 3, 4)] and answer.status == "partial"


THOUGHTS = (
    "<think>{}</think>{}", "<thinking>{}</thinking>{}", "{}</think>{}", "<THINK>{}</THINK>{}",
    "<seed:think>{}</seed:think>{}", "[THINK]{}[/THINK]{}", "<reasoning>{}</reasoning>{}",
    "<|channel|>analysis<|message|>{}<|end|><|start|>assistant<|channel|>final<|message|>{}",
    "analysis{}assistantfinal{}", "Reasoning: {}. Answer: {}", "{}\n**Final answer:** {}",
    "<think>{}</think><answer>{}</answer>", "<think>{}<answer>{}</answer>",
    "<REASONING>{}</REASONING><CONCLUSION>{}</CONCLUSION>",
    "{} so <|begin_of_box|>{}<|end_of_box|>",
    "{} so \\boxed{{{}}}", "<think>the <answer>{}</answer> tags</think><answer>{}</answer>",
)  # fmt: skip


@pytest.mark.parametrize("around", THOUGHTS)
def test_boxes_that_were_thought_of_do_not_count(around):
    said = '[{"bbox_2d": [5, 6, 7, 8], "label": "1 red plate"}]'
    assert read(around.format("maybe [1, 2, 3, 4]", said)) == [("1 red plate", 5, 6, 7, 8)]


def test_thinking_may_be_longer_than_any_answer():
    long = "The plate might be at [1, 2, 3, 4]. " * 2_000
    assert read(f"<think>{long}</think>[5, 6, 7, 8]") == [("", 5, 6, 7, 8)]


SIDES = st.tuples(*[st.integers(0, 998)] * 4).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]) + 1, max(v[1], v[3]) + 1)
)
BOXES = st.lists(st.tuples(st.sampled_from(NAMES), SIDES), min_size=1, max_size=3)
SIGNS = "0123456789.,;:-<>()[]{}\"' \nabxy%"
EDIT = st.tuples(st.integers(0, 10**6), st.sampled_from("dirc"), st.sampled_from(SIGNS))


def edited(text, edits):
    """A text with signs deleted, put in, replaced, or its end cut off."""
    for place, how, sign in edits:
        at = place % (len(text) + 1)
        after = {"d": text[at + 1 :], "i": sign + text[at:], "r": sign + text[at + 1 :], "c": ""}
        text = text[:at] + after[how]
    return text


@given(st.sampled_from(list(FORMS)), BOXES, st.lists(EDIT, max_size=4))
@settings(max_examples=600)
def test_no_box_has_numbers_that_do_not_stand_there(form, boxes, edits):
    """Whatever happens to a text: a box that is read is four whole numbers of it, side by side."""
    text = edited(write(form, *[(name, *sides) for name, sides in boxes]), edits)
    answer = parse_boxes(text)
    if answer.status in ("ok", "partial"):
        written = re.findall(r"(?<![\d.])[-+]?\.?\d[\d.]*", text)
        numbers = [float(n) if n.count(".") < 2 else None for n in written]
        fours = {tuple(numbers[i : i + 4]) for i in range(len(numbers))}
        for x0, y0, x1, y1 in (box.box for box in answer.boxes):
            assert fours & {(x0, y0, x1, y1), (y0, x0, y1, x1)}, (text, answer)
    if not edits and form != "cogvlm":
        assert read(text) == [(name, *sides) for name, sides in boxes]


@given(st.text(), st.sampled_from([t.format("", "{}") for t in THOUGHTS if "{}" in t]))
@settings(max_examples=60)
def test_no_text_around_an_answer_is_an_error(text, around):
    assert parse_boxes(text + around.replace("{}", text)).status in {
        "ok", "partial", "empty", "unparsed",
    }  # fmt: skip
