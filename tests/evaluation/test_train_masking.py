"""The model of masks: both sizes trained for real on a toy build, and what they write."""

import contextlib
import json

import numpy as np
import pytest
from mask_build import write_mask_build
from needs_torch import torch
from outside import MODEL_TEST
from tiny_models import MAKERS

from core.masks import mask_iou, read_map
from core.places import seen_in_a_mirror
from core.store import ROWS
from evaluation import command as evaluate
from evaluation.masks import wanted_rows
from scripts.train import command as train
from scripts.train import masking_ablation as ablation
from scripts.train import masking_damage as damage
from scripts.train import masking_data as data
from scripts.train import masking_small as small

pytestmark = MODEL_TEST
FAST = ("--side", "64", "--epochs", "12", "--batch", "6")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    return write_mask_build(tmp_path_factory.mktemp("b"), manuals=8, pictures=3, machine=True)


@pytest.fixture(scope="module")
def trained(build, tmp_path_factory):
    """The folder of weights, and maps of the right and of others' instructions."""
    folder = tmp_path_factory.mktemp("t")
    words = ["masking", str(build), *FAST]
    assert train.main([*words, "--out", f"{folder}/w", "--predict", f"{folder}/right"]) == 0
    others = ["--load", f"{folder}/w", "--predict", f"{folder}/others", "--shuffle-instructions"]
    assert train.main([*words, *others]) == 0
    return folder


def test_what_it_learnt_holds_on_unseen_manuals_and_needs_the_words(build, trained, tmp_path):
    words = ["masks", str(build), "--masks", f"{trained}/right", f"{trained}/others"]
    assert evaluate.main([*words, "--out", str(tmp_path)]) == 0
    told = json.loads((tmp_path / "masks.json").read_text())
    giou = {one["name"]: one["values"]["giou"] for one in told["scores"]}
    assert giou["right"] > giou["all-foreground"] + 10
    assert giou["right"] > giou["others"] + 20


def test_maps_are_grey_of_the_picture_s_size_and_as_the_network_says(build, trained):
    network, words, recipe = small.load(trained / "w")
    rows = data.rows_of(build, "test", recipe.side)
    texts = [sample.query for sample in rows.samples]
    size = {row.id: row.size_wh for row in wanted_rows(build, "test")}
    assert {path.stem for path in (trained / "right").iterdir()} == size.keys()
    for sample, found in small.predict(network, rows, texts, words):
        written = read_map(trained / f"right/{sample.id}.png", size[sample.id])
        assert np.abs(written - found).max() <= 0.5 / 255 + 1e-6


def test_the_loss_goes_down_and_the_same_seed_gives_the_same_weights(build):
    rows = data.rows_of(build, "train", 64, limit=12)
    words = data.vocabulary([text for sample in rows.samples for text in sample.texts])
    recipe = small.Recipe(side=64, epochs=4, batch=4)
    one, losses = small.train(rows, words, recipe)
    two, again = small.train(rows, words, recipe)
    assert losses == again and losses[-1] < losses[0]
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    other, _ = small.train(rows, words, small.Recipe(side=64, epochs=4, batch=4, weighted=False))
    assert not torch.equal(one.last.weight, other.last.weight)  # half of the rows weigh less


def test_a_row_without_weight_changes_nothing():
    logits = torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(0))
    target = torch.zeros(2, 8, 8)
    target[:, 2:5, 2:5] = 1
    alone = small.loss_of(logits[:1], target[:1], torch.tensor([2.0]))
    both = small.loss_of(logits, target, torch.tensor([2.0, 0.0]))
    assert torch.isclose(alone, both)
    sure = (target * 2 - 1) * 20
    assert small.loss_of(sure, target, torch.ones(2)) < 0.01


def test_rows_of_chosen_sources_only(build):
    exact = data.rows_of(build, "train", 64, ["exact"])
    machine = data.rows_of(build, "train", 64, ["machine"])
    assert {sample.weight for sample in exact.samples} == {1.0}
    assert {sample.weight for sample in machine.samples} == {0.5}
    assert len(exact.pictures) * 3 == len(exact.samples)  # a picture once, however often asked of
    with pytest.raises(data.UserError, match="source human"):
        data.rows_of(build, "train", 64, ["human"])


@pytest.mark.parametrize("size_wh", [(96, 64), (64, 96), (250, 250), (40, 500)])
def test_maps_go_back_to_where_pixels_were(size_wh):
    """Whatever the shape: filled up for the network, cut off again."""
    width, height = size_wh
    mask = np.zeros((height, width), bool)
    mask[height // 3 : height, : max(2, width // 2)] = True
    rgb = np.repeat(mask[..., None], 3, 2).astype(np.uint8) * 255
    picture = data.shown(rgb, 96)
    assert not any(side % data.MULTIPLE for side in picture.rgb.shape[:2])
    logits = data.small_target(mask, picture) * 20 - 10
    found = data.full_map(logits, picture)
    assert found.shape == mask.shape and found.dtype == np.float32
    assert mask_iou(found > 0.5, mask) > 0.9


def test_words_and_colors():
    assert data.words_of("2 flat tiles 1x2x⅔!") == ["2", "flat", "tile", "1", "x", "2", "x", "⅔"]
    known = data.vocabulary(["Red plates.", "A red tile."])
    assert sorted(known) == ["a", "plate", "red", "tile"]
    assert data.word_numbers("red arch", known) == [known["red"], data.UNKNOWN]
    assert data.word_numbers("...", known) == [data.UNKNOWN]
    assert seen_in_a_mirror("left of what is right") == "right of what is left"
    assert len(data.colors_of("The dark red brick on a red plate, and red.")) == 2
    rgb = np.array([[(180, 0, 0), (0, 133, 43)]], np.uint8)
    near = data.likeness(data.to_lab(rgb), data.colors_of("the red one"))
    assert near.shape == (2, 1, 2) and near[0, 0, 0] > 0.9 > 0.1 > near[0, 0, 1]
    assert not data.likeness(data.to_lab(rgb), []).any()


def test_instructions_of_others_never_say_the_same(build):
    samples = data.rows_of(build, "test", 32).samples
    asked = data.shuffled(samples, 1)
    assert asked == data.shuffled(samples, 1) != data.shuffled(samples, 2)
    assert all(text != sample.query for text, sample in zip(asked, samples, strict=True))
    with pytest.raises(data.UserError, match="one instruction"):
        data.shuffled(samples[:1], 1)


def refused(capsys, *words):
    assert train.main(["masking", *map(str, words)]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error:")
    return line


def test_what_cannot_be_done_is_said_in_a_line(build, trained, tmp_path, capsys):
    assert "--out" in refused(capsys, build)
    assert "--predict" in refused(capsys, build, "--load", trained / "w")
    out = ("--out", tmp_path / "o")
    assert "--predict" in refused(capsys, build, *out, "--shuffle-instructions")
    assert "data/mask" in refused(capsys, tmp_path, *out)
    assert "source human" in refused(capsys, build, *out, "--sources", "human")
    maps = ("--predict", tmp_path / "m")
    assert "no masking.pt" in refused(capsys, build, "--load", tmp_path, *maps)
    (tmp_path / "masking.pt").write_bytes(b"nothing")
    assert "not weights" in refused(capsys, build, "--load", tmp_path, *maps)
    full = ("--size", "full", *maps)
    assert "recipe.json" in refused(capsys, build, "--load", tmp_path, *full)
    assert "--epochs: only --size small" in refused(capsys, build, *out, *full, "--epochs", "1")
    assert "--accumulate: only --size full" in refused(capsys, build, *out, "--accumulate", "1")
    assert "--resume: only --size full" in refused(capsys, build, *out, "--resume")


def test_the_ablation_trains_four_models_and_draws_one_plot(build, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="needs the extra `review`")
    from scripts.train.masking_ablation import ARMS

    words = ["masking-ablation", str(build), "--side", "32", "--epochs", "2", "--out"]
    assert train.main([*words, str(tmp_path / "a")]) == 0
    told = json.loads((tmp_path / "a/ablation.json").read_text())
    assert told["rows"] == {
        "exact": 27, "machine": 27, "machine-weighted": 27, "both": 54, "both-weighted": 54,
    }  # fmt: skip
    assert told["weights"]["machine"]["mean"] == 0.5 and sum(told["weights"]["exact"]["bins"]) == 27
    assert {arm.name for arm in ARMS} < told["scores"].keys()
    assert "<svg" in (tmp_path / "a/ablation.svg").read_text()
    one_kind = write_mask_build(tmp_path / "b")
    assert train.main([words[0], str(one_kind), "--out", str(tmp_path / "c")]) == 1
    assert "no train row has a mask of source machine" in capsys.readouterr().err


def test_careless_masks_are_bad_and_their_quality_tells_it_without_the_truth(demo):
    """One manual of the demo as if nobody had drawn it, half of its masks careless."""
    work = demo / "w"
    ids = sorted(path.name for path in (work / ROWS).iterdir() if (path / "index.json").is_file())
    found = data.Rows([], [])
    faults = damage.Faults(0, 0.5, 7)
    told = damage.damaged_rows(work, ids, ids[:1], faults, found, 64)
    bad = [one for one in told if one.iou < 0.9]
    assert 0.3 < len(bad) / len(told) < 0.7 and len(told) > 30
    good = [one.quality for one in told if one.iou >= 0.9]
    assert np.mean(good) > np.mean([one.quality for one in bad]) + 0.05
    for one in told:
        picture = found.pictures[one.machine.picture]
        assert one.machine.target.shape == one.exact.target.shape == picture.rgb.shape[:2]
        assert (one.machine.source, one.exact.source) == ("machine", "exact")
    weights = [sample.weight for sample in damage.weighted(told, len(told))]
    assert 0.1 <= min(weights) < max(weights) <= 3
    arms = ablation.Data(data.Rows(found.pictures, damage.weighted(told, 1)), told)
    by_truth = {arm.truth: arms.of(arm) for arm in ablation.KNOWING}
    assert len(by_truth["left-out"]) == sum(one.iou >= ablation.BAD_IOU for one in told)
    assert [s.weight for s in by_truth["weights"]] == [max(1e-3, one.iou) for one in told]
    assert by_truth["masks"] == [one.exact for one in told]
    with pytest.raises(data.UserError, match="lego-1-none-readscr"):
        damage.damaged_rows(work, ids, ["lego-1-none-readscr"], faults, found, 64)


@pytest.mark.parametrize("how", damage.FAILURES)
def test_each_carelessness_spoils_a_mask_its_way(how):
    mask = np.zeros((80, 160), bool)
    mask[20:40, 30:60] = True
    mask[40:50, 30:35] = True  # an L, which no box fits
    found = damage.failed(mask, how)
    shared = (found & mask).sum() / mask.sum()
    assert 0.02 <= found.mean() < 0.5 and mask_iou(found, mask) < 0.96
    assert (shared == 0) == (how == "elsewhere") and (shared == 1) == (how in ("boxes", "too much"))


# The large one, of tiny random models -------------------------------------------------------------


@pytest.fixture(scope="module")
def sam(tmp_path_factory):
    """A whole SAM, as the Hub has it, with a tower of two layers."""
    from transformers import (
        SamConfig,
        SamMaskDecoderConfig,
        SamModel,
        SamPromptEncoderConfig,
        SamVisionConfig,
    )

    folder = tmp_path_factory.mktemp("sam")
    torch.manual_seed(0)
    vision = SamVisionConfig(
        hidden_size=32, output_channels=16, num_hidden_layers=2, num_attention_heads=2,
        image_size=64, patch_size=16, mlp_dim=64, window_size=2, global_attn_indexes=[1],
    )  # fmt: skip
    prompts = SamPromptEncoderConfig(hidden_size=16, image_size=64, patch_size=16)
    decoder = SamMaskDecoderConfig(
        hidden_size=16, mlp_dim=32, num_hidden_layers=1, num_attention_heads=2,
        iou_head_hidden_dim=16, attention_downsample_rate=1,
    )  # fmt: skip
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompts,
                       mask_decoder_config=decoder)  # fmt: skip
    SamModel(config).save_pretrained(folder)
    return folder


@pytest.mark.usefixtures("own_cache")
def test_the_large_model_trains_lora_and_head_alone_and_predicts(build, sam, tmp_path, capsys):
    pytest.importorskip("peft", reason="needs the extra `train`")
    from safetensors.torch import load_file

    llava = MAKERS["llava"](tmp_path / "llava")
    words = ["masking", str(build), "--size", "full", "--model", str(llava), "--vision", str(sam)]
    more = ["--max-steps", "3", "--accumulate", "2", "--max-samples", "6", "--debug"]
    one = ["--out", str(tmp_path / "o"), "--predict", str(tmp_path / "m")]
    assert train.main([*words, *more, *one]) == 0
    said = capsys.readouterr().out
    assert "M trained weights" in said and "step 3 of 3" in said
    adapter = load_file(tmp_path / "o/adapter/adapter_model.safetensors")
    assert adapter and not any("vision" in name for name in adapter)
    moved = [value for name, value in adapter.items() if "lora_B" in name]
    assert any(value.abs().sum() > 0 for value in moved)  # lora_B starts at zero
    assert load_file(tmp_path / "o/head.safetensors")
    ids = {row.id for row in wanted_rows(build, "test")}
    assert {path.stem for path in (tmp_path / "m").iterdir()} == ids
    again = ["--load", str(tmp_path / "o"), "--predict", str(tmp_path / "again")]
    assert train.main([*words[:4], *again]) == 0
    for name in sorted(ids)[:3]:
        first, second = ((tmp_path / f"{d}/{name}.png").read_bytes() for d in ("m", "again"))
        assert first == second  # what was saved is what predicted


@pytest.mark.usefixtures("own_cache")
def test_the_large_model_goes_on_where_it_was_stopped(build, sam, tmp_path, monkeypatch, capsys):
    """Killed in the second epoch: the same weights as without."""
    pytest.importorskip("peft", reason="needs the extra `train`")
    from safetensors.torch import load_file

    from scripts.train import masking_full as full

    llava = MAKERS["llava"](tmp_path / "llava")
    words = ["masking", str(build), "--size", "full", "--model", str(llava), "--vision", str(sam),
             "--max-steps", "6", "--accumulate", "1", "--max-samples", "4", "--out"]  # fmt: skip
    assert train.main([*words, f"{tmp_path}/whole"]) == 0
    assert not (tmp_path / "whole" / full.CHECKPOINT).exists()  # done
    loss_of, steps = full.loss_of, []

    def stopped(*given):
        steps.append(1)
        if len(steps) == 6:
            raise KeyboardInterrupt
        return loss_of(*given)

    monkeypatch.setattr(full, "loss_of", stopped)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        train.main([*words, f"{tmp_path}/o"])
    assert (tmp_path / "o" / full.CHECKPOINT).is_file()
    monkeypatch.setattr(full, "loss_of", loss_of)
    capsys.readouterr()
    assert train.main([*words, f"{tmp_path}/o", "--resume", "--unweighted"]) == 1
    assert "was made with unweighted False" in capsys.readouterr().err
    other = torch.load(tmp_path / "o" / full.CHECKPOINT, weights_only=True)
    torch.save({**other, "ids": "of another build"}, tmp_path / "o" / full.CHECKPOINT)
    assert train.main([*words, f"{tmp_path}/o", "--resume"]) == 1
    assert "was made with other rows" in capsys.readouterr().err
    torch.save(other, tmp_path / "o" / full.CHECKPOINT)
    assert train.main([*words, f"{tmp_path}/o", "--resume"]) == 0
    assert "going on after step 4" in capsys.readouterr().out
    for name in (full.HEAD_FILE, f"{full.ADAPTER}/adapter_model.safetensors"):
        one, two = (load_file(tmp_path / where / name) for where in ("whole", "o"))
        assert all(torch.equal(one[key], two[key]) for key in one)
    assert train.main([*words, f"{tmp_path}/o", "--resume"]) == 1
    assert "no checkpoint.pt" in capsys.readouterr().err


@pytest.mark.usefixtures("own_cache")
def test_the_large_model_learns_one_mask(build, sam, tmp_path):
    """On one row, its loss goes down; SAM's weights stay as they were."""
    pytest.importorskip("peft", reason="needs the extra `train`")
    from scripts.train import masking_full as full

    llava = MAKERS["llava"](tmp_path / "llava")
    parsed = train.parser().parse_args(
        ["masking", str(build), "--size", "full", "--model", str(llava), "--vision", str(sam),
         "--out", str(tmp_path / "o"), "--max-steps", "1", "--accumulate", "1",
         "--learning-rate", "0.01"]
    )  # fmt: skip
    torch.manual_seed(0)
    network = full._new(parsed)
    before = {name: value.clone() for name, value in network.vision.state_dict().items()}
    rows = data.rows_of(build, "train", full.KEPT_SIDE, limit=1)
    first = full.fit(network, rows, parsed)
    parsed.max_steps = 25
    assert full.fit(network, rows, parsed) < 0.8 * first
    assert all(torch.equal(before[k], v) for k, v in network.vision.state_dict().items())
