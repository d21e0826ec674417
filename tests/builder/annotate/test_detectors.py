"""Zero-shot detectors and a chat model: tiny random ones, really run, checked against what the
library's own processors and post-processing make of the same outputs."""

import numpy as np
import pytest
from needs_torch import torch
from outside import MODEL_TEST
from tiny_detectors import MAKERS
from tiny_models import PictureQwenProcessor

from builder.annotate import (
    asking,
    grounding_dino,
    open_vocabulary,
    qwen_vl,
    qwen_vl_reading,
)
from builder.annotate.answers import identity_of
from builder.annotate.models import Answer, ModelOptions, Question
from core.errors import UserError
from core.part_names import PartLabel
from core.pictures.media import Picture

pytestmark = MODEL_TEST
RED, BLUE = PartLabel(2, "red", "tiles 1x2"), PartLabel(1, "dark blue", "hose")


@pytest.fixture(scope="module", autouse=True)
def few_tokens():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(qwen_vl, "MAX_NEW_TOKENS", 6)
        yield


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: make(root / name) for name, make in MAKERS.items()}


def opened(name, places):
    return asking.module_of(name).open_model(ModelOptions(((name, str(places[name])),)), "cpu")


def picture(number: int, size_wh=(64, 48)) -> Picture:
    width, height = size_wh
    return Picture(
        np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8), None, False
    )


def question(number: int, *labels: PartLabel) -> Question:
    return Question(f"{number:064x}", ("Find these.",), labels)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_answers_do_not_depend_on_the_batch(name, places):
    """Pictures of several sizes, rows of one and of two labels."""
    model = opened(name, places)
    rows = [
        model.prepare(picture(k, (64 + 32 * (k % 2), 48 + 8 * (k % 3))), question(k, RED, BLUE))
        for k in range(4)
    ] + [model.prepare(picture(9), question(9, BLUE))]
    alone = [model.answer([row])[0] for row in rows]
    assert model.answer(rows) == alone
    assert model.answer(rows[::-1]) == alone[::-1]
    assert len({str(answer) for answer in alone}) > 1
    for answer, row in zip(alone, rows, strict=True):
        assert answer.size_wh == row.size_wh
    if name != "qwen-vl":
        assert {box[0] for box in alone[0].boxes} == {0, 1}
        assert {box[0] for box in alone[-1].boxes} == {0}


@pytest.mark.parametrize("name", ["owlv2", "grounding-dino"])
def test_boxes_are_those_of_the_librarys_own_post_processing(name, places, monkeypatch):
    outputs = []
    model = opened(name, places)
    loaded = dict(zip(model.answer.__code__.co_freevars, model.answer.__closure__, strict=True))
    network = loaded["model"].cell_contents
    network.register_forward_hook(lambda _m, _i, output: outputs.append(output))
    size_wh = (90, 50)
    (answer,) = model.answer([model.prepare(picture(3, size_wh), question(3, RED, BLUE))])
    (output,) = outputs
    sizes = [(size_wh[1], size_wh[0])]
    if name == "owlv2":
        from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

        processor = Owlv2ImageProcessorPil()
        found = processor.post_process_object_detection(output, 0.0, sizes)[0]
        best = output.logits.sigmoid()[0].max(dim=1)
        for index, (score, label) in enumerate(zip(best.values, best.indices, strict=True)):
            if score > 0.5:
                mine = [b[1:5] for b in answer.boxes if b[0] == label and abs(b[5] - score) < 1e-3]
                expected = found["boxes"][index].tolist()
                assert any(np.allclose(box, expected, atol=0.02) for box in mine)
    else:
        from transformers import GroundingDinoProcessor

        processor = GroundingDinoProcessor.__new__(GroundingDinoProcessor)
        processor.tokenizer = loaded["tokenizer"].cell_contents
        ids = processor.tokenizer(["red tiles. dark blue hose."])["input_ids"]
        found = processor.post_process_grounded_object_detection(
            output, torch.tensor(ids), 0.0, 0.25, sizes
        )[0]
        expected = np.array(found["boxes"])
        for _, *box, _ in answer.boxes:
            assert np.abs(expected - box).max(axis=1).min() < 0.02
    assert answer.boxes


def test_a_labels_score_is_that_of_its_best_token():
    scores = np.array([[0.9, 0.1, 0.2, 0.3, 0.8, 0.0, 0.7]])
    text, spans = grounding_dino.caption(["red tile", "hose"])
    #            [CLS]    red     tile    .       hose      .         [SEP]
    offsets = [(0, 0), (0, 3), (4, 8), (8, 9), (10, 14), (14, 15), (0, 0)]
    assert text[10:14] == "hose"
    found = grounding_dino.label_scores(scores, np.array(offsets), spans)
    assert found.tolist() == [[0.2, 0.8]]
    # A caption that was cut: the label has no token left.
    assert grounding_dino.label_scores(scores, np.array(offsets[:4]), spans).tolist() == [[0.2, 0]]


def test_phrases_are_short_but_tell_the_labels_apart():
    labels = (PartLabel(1, "Grey", "plate 1x2x0.5"), PartLabel(1, "Grey", "plate 2x4"), RED)
    assert open_vocabulary.labels_asked(question(0, *labels)) == [
        "grey plate 1x2x0 5",
        "grey plate 2x4",
        "red tiles",
    ]


def test_only_the_best_boxes_of_each_label_are_kept():
    scores = np.linspace(0, 1, 60)[:, None].repeat(2, axis=1)
    scores[:, 1] = 0.001
    answer = open_vocabulary.best_boxes(scores, np.ones((60, 4)), (10, 10))
    assert len(answer.boxes) == open_vocabulary.KEPT
    assert {box[0] for box in answer.boxes} == {0}
    assert [box[5] for box in answer.boxes] == sorted((b[5] for b in answer.boxes), reverse=True)


# The chat model ------------------------------------------------------------------------------


def test_the_prompt_is_what_the_models_own_processor_writes(places, monkeypatch):
    """Ids and generated text equal those of the processor and its chat template."""
    from transformers import AutoImageProcessor, AutoTokenizer, Qwen2_5_VLForConditionalGeneration

    monkeypatch.setattr(qwen_vl, "SYSTEM", {})  # the tiny template writes none
    place = places["qwen-vl"]
    model = opened("qwen-vl", places)
    shown = picture(5, (120, 90))
    (answer,) = model.answer([model.prepare(shown, question(5, RED))])
    tokenizer = AutoTokenizer.from_pretrained(place)
    processor = PictureQwenProcessor(
        AutoImageProcessor.from_pretrained(place, backend="pil"),
        tokenizer,
        chat_template=(place / "chat_template.jinja").read_text(),
    )
    content = [{"type": "image"}, {"type": "text", "text": qwen_vl.task(question(5, RED))}]
    chat = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True
    )
    inputs = processor(text=[chat], images=[shown.rgb], return_tensors="pt")
    network = Qwen2_5_VLForConditionalGeneration.from_pretrained(place).eval()
    output = network.generate(**inputs, max_new_tokens=6, do_sample=False)
    ids = inputs["input_ids"]
    tokens = int((ids == network.config.image_token_id).sum())
    expected = qwen_vl.prompt(qwen_vl.task(question(5, RED)), tokens, None)
    assert tokenizer(expected)["input_ids"] == ids[0].tolist()
    said = tokenizer.decode(output[0, ids.shape[1] :], skip_special_tokens=True).strip()
    assert answer.texts == [said]
    grid = inputs["image_grid_thw"][0]
    assert answer.seen_wh == (int(grid[2]) * 14, int(grid[1]) * 14)


@pytest.mark.parametrize(
    ("seen_wh", "written"),
    [
        ((56, 28), "[14, 7, 28, 14]"),  # Qwen2.5-VL: pixels of the resized picture
        ((1000, 1000), "[250, 250, 500, 500]"),  # Qwen2-VL, Qwen3-VL
    ],
    ids=["resized pixels", "thousandths"],
)
def test_json_boxes_come_back_in_pixels_of_the_picture(seen_wh, written):
    text = f'```json\n[{{"bbox_2d": {written}, "label": "red tiles 1x2"}}]\n```'
    reading = qwen_vl_reading.read(question(0, RED), Answer((200, 100), [text], seen_wh=seen_wh))
    ((label, phrase, box, score),) = reading.detections
    assert (label, phrase, score) == (None, "red tiles 1x2", None)
    assert box == pytest.approx((50, 25, 100, 50))


def test_an_answer_that_is_no_json_is_counted():
    reading = qwen_vl_reading.read(question(0, RED), Answer((10, 10), ["I see two tiles."]))
    assert (reading.detections, reading.dropped) == ([], {"answer_not_read": 1})


# Wrong use -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_model_that_is_not_there_or_another_is_told_in_a_line(name, places, tmp_path):
    other = {"owlv2": "qwen-vl", "grounding-dino": "qwen-vl", "qwen-vl": "owlv2"}[name]
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", places[other]):
        with pytest.raises(UserError, match=f"--model {name}=") as error:
            opened(name, {name: place})
        assert "\n" not in str(error.value)


def test_identities_tell_models_and_dtypes_apart(places):
    same = [
        identity_of("owlv2", ModelOptions((("owlv2", str(places["owlv2"])),), batch_size=size))
        for size in (1, 8)
    ]
    others = [
        identity_of("owlv2", ModelOptions()),
        identity_of("owlv2", ModelOptions((("owlv2", str(places["owlv2"])),), dtype="float16")),
        identity_of("owlv2", ModelOptions((("owlv2", str(places["grounding-dino"])),))),
    ]
    assert same[0] == same[1]
    assert len({same[0], *others}) == 4
