"""Reading answers: every form that models are known to use, and anything else without an error."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.answers import final_text, format_boxes, parse_boxes, parse_text, parse_yes_no
from core.errors import UserError
from core.frames import FRAMES, Seen, from_norm100, infer_frame, smart_resize, to_norm100

BOX = (57.0, 15.0, 82.0, 35.0)


@pytest.mark.parametrize(
    ("text", "boxes", "status"),
    [
        # with braces (T8), without, with a delimiter between the boxes of one phrase
        ("<p>1 red plate</p> {<57><15><82><35>}", [("1 red plate", BOX)], "ok"),
        ("<p>1 red plate</p><57><15><82><35>", [("1 red plate", BOX)], "ok"),
        (
            "<p>2 tiles</p> {<57><15><82><35><delim><1><2><3><4>}",
            [("2 tiles", BOX), ("2 tiles", (1, 2, 3, 4))],
            "ok",
        ),
        # two parts
        (
            "<p>1 a</p> {<57><15><82><35>} and <p>1 b</p> {<1><2><3><4>}",
            [("1 a", BOX), ("1 b", (1, 2, 3, 4))],
            "ok",
        ),
        # Table 9.2: BLIP2, Qwen-VL, mPLUG-OWL2 (no box: it runs backwards), MiniGPT-4, LLaVA
        (
            "<p>1 light purple brick</p><57><15><82><35><p>and<p>1 dark purple brick 2x6</p>"
            "<82><25><93><36>",
            [("1 light purple brick", BOX), ("1 dark purple brick 2x6", (82, 25, 93, 36))],
            "ok",
        ),
        ("<20><61><30><78>", [("", (20, 61, 30, 78))], "ok"),
        (
            "<p>1 light purple brick</p><125><48><45><97></s>",
            [("1 light purple brick", (125, 48, 45, 97))],
            "unparsed",
        ),
        (
            "Sure! Here are the positions of the light purple brick in the image: Xleft = 0, "
            "Ytop = 25, Xright = 30, Ybottom = 50.",
            [("", (0, 25, 30, 50))],
            "ok",
        ),
        ("The light purple brick is located at the center of the image.", [], "unparsed"),
        # Table 11.3's text layer
        (
            "1 black plate <57><15><82><35> and 1 yellow plate <82><25><93><36>",
            [("1 black plate", BOX), ("1 yellow plate", (82, 25, 93, 36))],
            "ok",
        ),
        # JSON (R1), in a fence, in tags, cut short, in single quotes, without brackets (A27)
        ('[{"bbox_2d": [57, 15, 82, 35], "label": "1 a"}]', [("1 a", BOX)], "ok"),
        ('```json\n[{"bbox_2d": [57,15,82,35], "label": "1 a"}]\n```', [("1 a", BOX)], "ok"),
        (
            '<think>hm [1,2,3,4]</think><answer>[{"bbox_2d":[57,15,82,35],"label":"1 a"}]</answer>',
            [("1 a", BOX)],
            "ok",
        ),
        (
            '[{"bbox_2d": [57,15,82,35], "label": "1 a"}, {"bbox_2d": [5',
            [("1 a", BOX)],
            "ok",
        ),
        ("[{'bbox_2d': [57, 15, 82, 35], 'label': '1 a'}]", [("1 a", BOX)], "ok"),
        ("[‘bbox_2d’: [57, 15, 82, 35], ‘label’: ‘1 a’]", [("1 a", BOX)], "ok"),  # noqa: RUF001
        ('{"objects": [{"bbox": [57, 15, 82, 35], "name": "1 a"}]}', [("1 a", BOX)], "ok"),
        # bare lists, Qwen-VL's own form
        ("[[57, 15, 82, 35], [1, 2, 3, 4]]", [("", BOX), ("", (1, 2, 3, 4))], "ok"),
        ("<ref>plate</ref><box>(57,15),(82,35)</box>", [("plate", BOX)], "ok"),
        # a good and a bad one
        ("<1><2><3><4><9><9><1><1>", [("", (1, 2, 3, 4)), ("", (9, 9, 1, 1))], "partial"),
        # nothing there
        ("[]", [], "empty"),
        ("", [], "empty"),
        ("<answer>[]</answer>", [], "empty"),
        ("<think>I see <1><2><3><4>", [], "empty"),
        # numbers that are none
        ('[{"bbox_2d": [NaN, 1, 2, 3]}]', [], "unparsed"),
        ('[{"bbox_2d": [1e999, 1, 2, 3]}]', [], "unparsed"),
        ('[{"bbox_2d": [true, 1, 2, 3]}]', [], "unparsed"),
    ],
)
def test_boxes(text, boxes, status):
    answer = parse_boxes(text)
    assert [(box.label, box.box) for box in answer.boxes] == [(n, tuple(b)) for n, b in boxes]
    assert answer.status == status


@pytest.mark.parametrize(
    ("text", "value", "status"),
    [
        ("Yes.", True, "ok"),
        ("No.", False, "ok"),
        ("no", False, "ok"),
        ("**Yes**", True, "ok"),
        ("Yes, you did it correctly.", True, "ok"),
        ("No, the plate is too far to the left; yes, it is red.", False, "ok"),
        ("<think>no, or yes?</think>\n<answer> Yes </answer>", True, "ok"),
        ("```\nNo\n```", False, "ok"),
        ('{"answer": "Yes"}', True, "ok"),
        ("The answer is: no", False, "ok"),
        ("There is no gap, so: yes.", True, "ok"),
        ("The part sits where it should, so I would say yes", True, "ok"),
        ("There is no gap.", None, "unparsed"),
        ("Just tell me Yes or No.", None, "unparsed"),
        ("It is correct.", True, "ok"),
        ("Nothing to see. Yesterday.", None, "unparsed"),
        ("I think yes, but no.", None, "ambiguous"),
        ("", None, "empty"),
        ("<think>yes", None, "empty"),
    ],
)
def test_yes_no(text, value, status):
    assert parse_yes_no(text) == (value, status)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Put it  on\nthe table.", "Put it on the table."),
        ("<think>where?</think><answer>Put it there.</answer>", "Put it there."),
        ("<answer>first</answer> no: <answer>second</answer>", "second"),
        ("<answer>cut by the token lim", "cut by the token lim"),
        ('{"answer": "Put it there."}', "Put it there."),
        ('["Put it there.", "Then turn it."]', "Put it there. Then turn it."),
        ('"Put it there."', "Put it there."),
        ("```json\n{\"instruction\": \"Turn it.\"}\n```", "Turn it."),
        ("Put it there.<|im_end|></s>", "Put it there."),
        ("{not json}", "{not json}"),
        ("   ", ""),
    ],
)  # fmt: skip
def test_text(text, value):
    assert parse_text(text).value == value
    assert parse_text(text).status == ("ok" if value else "empty")


PIECES = st.sampled_from(
    ["<answer>", "</answer>", "<think>", "</think>", "```", "json", "[", "]", "{", "}", "<", ">",
     '"bbox_2d"', ":", ",", "<p>", "</p>", "<57>", "1", "-2.5", "1e99", "yes", "no", " ", "\n",
     '"', "'", "label", "(", ")", "<box>", "Xleft = 3", "\\", "\x00", "é", "None", "NaN"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join)))
@settings(max_examples=400)
@example("[" * 20_000)
@example("{" * 20_000)
@example('{"a":' * 5_000)
@example("<" * 20_000)
@example("<57><15><82>" * 1_500)
@example("." * 20_000 + "<1><2><3><4>")
@example(" " * 19_000 + "<1><2><3><4>")
@example("no " * 6_000)
@example("answer " * 3_000)
@example("Xleft = " * 2_500)
@example("<think>" * 3_000)
@example('[{"bbox_2d": [' + "9" * 19_000 + ", 1, 2, 3]}]")
def test_no_text_is_an_error(text):
    assert parse_boxes(text).status in {"ok", "partial", "empty", "unparsed"}
    assert parse_yes_no(text).status in {"ok", "ambiguous", "empty", "unparsed"}
    assert isinstance(parse_text(text).value, str)
    for found in parse_boxes(text).boxes:
        assert all(isinstance(value, float) and abs(value) < float("inf") for value in found.box)


LABELS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12).filter(
    lambda text: text != "and"
)
CORNERS = st.tuples(*[st.integers(0, 99)] * 4).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]) + 1, max(v[1], v[3]) + 1)
)


@given(st.lists(st.tuples(LABELS, CORNERS), min_size=1, max_size=6))
def test_both_written_forms_are_read_back_and_into_each_other(pairs):
    """R1: the `<p>` form and the JSON form hold the same."""
    angle = format_boxes(pairs, "angle")
    read = parse_boxes(angle)
    assert [(b.label, b.box) for b in read.boxes] == [(n, tuple(map(float, b))) for n, b in pairs]
    as_json = format_boxes([(b.label, b.box) for b in read.boxes], "json")
    assert json.loads(as_json) == [{"bbox_2d": list(box), "label": name} for name, box in pairs]
    again = parse_boxes(f"<think>x</think><answer>{as_json}</answer>")
    assert format_boxes([(b.label, b.box) for b in again.boxes], "angle") == angle


@given(st.text())
def test_tags_never_survive(text):
    assert "<answer>" not in final_text(f"a <answer>{text}</answer> b")


@given(CORNERS, st.sampled_from(FRAMES))
def test_frames_round_trip(box, frame):
    sizes = ((640, 480), (616, 476))
    there = from_norm100(box, frame, *sizes)
    assert to_norm100(there, frame, *sizes) == pytest.approx(box)


def test_frames_by_hand():
    assert to_norm100((0.1, 0.2, 0.5, 1.0), "norm1", None) == pytest.approx((10, 20, 50, 100))
    assert to_norm100((570, 150, 820, 350), "norm1000", None) == BOX
    assert to_norm100((64, 48, 320, 240), "px", (640, 480)) == (10, 10, 50, 50)
    assert to_norm100((56, 28, 280, 140), "resized_px", (640, 480), (560, 280)) == (10, 10, 50, 50)
    # not recorded: Qwen's rule makes 644 x 476 of 640 x 480
    assert to_norm100((161, 119, 322, 476), "resized_px", (640, 480)) == (25, 25, 50, 100)
    with pytest.raises(UserError, match="resized_px"):
        to_norm100(BOX, "resized_px", None, None)


@pytest.mark.parametrize(
    ("seen", "frame"),
    [
        ([], "norm100"),
        ([Seen([(0.1, 0.2, 0.9, 1.0)], (640, 480))], "norm1"),
        ([Seen([(10, 20, 90, 100)], (640, 480))], "norm100"),
        # beyond the picture, within 1000
        ([Seen([(10, 20, 900, 990)], (640, 480))], "norm1000"),
        # beyond 1000, within the picture
        ([Seen([(10, 20, 1500, 900)], (1600, 1200))], "px"),
        # both could be: the picture is filled, the thousand is not
        ([Seen([(10, 20, 630, 470)], (640, 480))], "px"),
        # both could be: the thousand is filled, the picture is not
        ([Seen([(10, 20, 980, 990)], (3200, 2400))], "norm1000"),
        ([Seen([(10, 20, 610, 470)], (640, 480), (616, 476))], "resized_px"),
        # one slip among a hundred decides nothing
        ([Seen([(10, 20, 90, 100)] * 99 + [(10, 20, 90, 500)], (640, 480))], "norm100"),
        ([Seen([(10, 20, 900, 990)], None)], "norm1000"),
    ],
)
def test_the_frame_is_told_by_the_range(seen, frame):
    assert infer_frame(seen) == frame


@given(st.integers(1, 5000), st.integers(1, 5000))
@settings(max_examples=60)
def test_smart_resize_is_transformers_own(width, height):
    qwen = pytest.importorskip(
        "transformers.models.qwen2_vl.image_processing_pil_qwen2_vl", reason="needs transformers"
    )
    if max(width, height) / min(width, height) > 200:
        return  # theirs refuses such strips
    theirs = qwen.smart_resize(height, width, 28, 56 * 56, 2600 * 28 * 28)
    assert smart_resize((width, height)) == (theirs[1], theirs[0])
