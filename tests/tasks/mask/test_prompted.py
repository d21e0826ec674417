"""A promptable segmenter among the annotators: a tiny SAM with random weights."""

import needs_torch
import numpy as np
import pytest

from core.errors import UserError
from core.pictures.media import Picture
from tasks.mask import prompted
from tasks.mask.annotators import machine_candidates
from tasks.mask.candidates import combine
from tasks.mask.views import View
from tasks.options import TaskOptions

torch = needs_torch.torch


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a SAM of two layers that sees pictures of 64 px."""
    from transformers import SamConfig, SamModel
    from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

    folder = tmp_path_factory.mktemp("sam")
    vision = {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
        "patch_size": 8, "mlp_dim": 32, "output_channels": 16, "global_attn_indexes": [1],
        "window_size": 4, "num_pos_feats": 8,
    }  # fmt: skip
    prompts = {"hidden_size": 16, "image_size": 64, "patch_size": 8, "image_embedding_size": 8,
               "mask_input_channels": 4}  # fmt: skip
    decoder = {"hidden_size": 16, "mlp_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
               "iou_head_hidden_dim": 16}  # fmt: skip
    torch.manual_seed(3)
    config = SamConfig(
        vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder
    )
    SamModel(config).save_pretrained(folder)
    SamImageProcessorPil(
        size={"longest_edge": 64}, pad_size={"height": 64, "width": 64},
        mask_size={"longest_edge": 16}, mask_pad_size={"height": 16, "width": 16},
    ).save_pretrained(folder)  # fmt: skip
    return str(folder)


def _view():
    rgb = np.full((90, 120, 3), 240, np.uint8)
    rgb[20:50, 20:60] = (180, 0, 0)
    rgb[60:80, 70:110] = (30, 90, 168)
    return View(Picture(rgb, None, False), False)


def test_the_model_is_asked_with_what_others_found(place):
    others = machine_candidates(_view())
    found = machine_candidates(_view(), prompted.annotators(TaskOptions(mask_model=place)))
    assert [one.annotator for one in found[: len(others)]] == [one.annotator for one in others]
    own = prompted.annotate(place, _view(), others)[0]
    assert own.annotator == prompted.NAME
    assert own.numbers.shape == (90, 120)
    assert int(own.numbers.max()) <= 2
    assert 0 <= own.score <= 1
    again = prompted.annotate(place, _view(), others)[0]
    assert (own.numbers == again.numbers).all()
    assert len(combine([*others, own]).candidates) == len(others) + 1


def test_each_box_is_a_prompt_of_its_own(place):
    """What it says of a box does not depend on the other boxes."""
    segmenter = prompted.opened(place)
    boxes = [(20, 20, 60, 50), (70, 60, 110, 80)]
    both = list(prompted._segmented(segmenter, _view().picture.rgb, boxes))
    one = list(prompted._segmented(segmenter, _view().picture.rgb, boxes[1:]))
    assert [mask.shape for mask, _ in both] == [(90, 120)] * 2
    assert (both[1][0] == one[0][0]).mean() > 0.999
    assert both[1][1] == pytest.approx(one[0][1], abs=1e-4)


def test_nothing_found_is_nothing_to_ask_about(place):
    assert prompted.annotate(place, _view(), []) == []
    assert prompted.annotators(TaskOptions()) == []


def test_what_is_no_model_is_told(tmp_path):
    for look in (prompted.opened, prompted.check):  # `check` before any work
        with pytest.raises(UserError, match=r"--mask-model .*can't be loaded"):
            look(str(tmp_path))


def test_a_model_that_is_there_passes_the_check(place):
    prompted.check(place)
