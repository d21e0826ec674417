"""MiniGPT-v2 from files in the released layout, against a reference written out step by step."""

import numpy as np
import pytest
from needs_torch import torch
from outside import MODEL_TEST
from tiny_minigpt import SHAPE, Files, Reference, write

from builder.annotate import (
    minigpt_v2,
    minigpt_v2_files,
    minigpt_v2_model,
    minigpt_v2_reading,
)
from builder.annotate.minigpt_v2_files import LORA_ALPHA
from builder.annotate.models import ModelOptions, Question
from core.errors import UserError
from core.part_names import PartLabel
from core.pictures.media import Picture

pytestmark = MODEL_TEST
TEXTS = ("Find 2 red tiles 1x2.", "Find 1 black brick.", "Find 3 long transparent yellow plates.")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    return write(tmp_path_factory.mktemp("minigpt"))


def load(files: Files, dtype: torch.dtype = torch.float32):
    return minigpt_v2_files.load_model(
        files.checkpoint, files.eva_vit, str(files.llama), dtype, "cpu", SHAPE
    )


@pytest.fixture(scope="module")
def model(files):
    return load(files)


@pytest.fixture(scope="module")
def tokenizer(files):
    return minigpt_v2_files.Tokenizer(str(files.llama))


@pytest.fixture(scope="module")
def reference(files):
    return Reference(files)


def picture(number: int, size_wh=(96, 64)) -> Picture:
    width, height = size_wh
    return Picture(
        np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8), None, False
    )


def question(text: str, number: int = 0, labels: int = 1) -> Question:
    return Question(f"{number:064x}", (text,), (PartLabel(1, "red", text),) * labels)


def pixels(number: int) -> torch.Tensor:
    made = minigpt_v2.prepare(picture(number), question("x"))
    return torch.from_numpy(made.pixels)[None]


def ids(tokenizer, text: str):
    return tokenizer.prompt(*minigpt_v2.prompt_texts(text))


def test_pictures_become_the_tokens_of_the_reference(model, reference):
    with torch.inference_mode():
        tokens = model.embed_pictures(torch.cat([pixels(0), pixels(1)]))
    for number, found in enumerate(tokens):
        torch.testing.assert_close(
            found, reference.picture(picture(number).rgb), rtol=1e-4, atol=1e-4
        )


def test_logits_agree_with_the_reference_in_a_padded_batch(model, tokenizer, reference):
    with torch.inference_mode():
        tokens = [model.embed_pictures(pixels(number))[0] for number in range(len(TEXTS))]
        embeddings, mask = model.inputs(tokens, [ids(tokenizer, text) for text in TEXTS])
        assert len({int(row.sum()) for row in mask}) > 1  # so that padding matters
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        logits = model.llama_model(
            inputs_embeds=embeddings, attention_mask=mask, position_ids=positions
        ).logits
    for number, text in enumerate(TEXTS):
        expected = reference.logits(reference.embeddings(picture(number).rgb, text))
        found = logits[number][mask[number].bool()]
        assert float((found - expected).norm() / expected.norm()) < 1e-4
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_greedy_ids_are_those_of_the_reference_alone_and_in_a_batch(model, tokenizer, reference):
    with torch.inference_mode():
        tokens = [model.embed_pictures(pixels(number))[0] for number in range(len(TEXTS))]
        prompts = [ids(tokenizer, text) for text in TEXTS]
        together = model.generate(tokens, prompts, max_new_tokens=12)
        for number, text in enumerate(TEXTS):
            expected = reference.greedy(picture(number).rgb, text, 12)
            assert expected and together[number] == expected
            assert model.generate(
                tokens[number : number + 1], prompts[number : number + 1], 12
            ) == [expected]


# Half precision -----------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[torch.float16, torch.bfloat16], ids=["fp16", "bf16"])
def half_files(request, tmp_path_factory) -> Files:
    """As the released ones: tower and language model in half precision."""
    return write(tmp_path_factory.mktemp("half"), request.param)


def test_files_in_half_precision_lose_nothing_more_in_float32(half_files, tokenizer):
    reference = Reference(half_files)
    model = load(half_files)
    with torch.inference_mode():
        token = model.embed_pictures(pixels(0))[0]
        embeddings, mask = model.inputs([token], [ids(tokenizer, TEXTS[0])])
        logits = model.llama_model(inputs_embeds=embeddings, attention_mask=mask).logits[0]
    expected = reference.logits(reference.embeddings(picture(0).rgb, TEXTS[0]))
    assert float((logits - expected).norm() / expected.norm()) < 1e-4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_lora_is_added_in_float32_and_rounded_once(half_files, dtype):
    reference, model = Reference(half_files), load(half_files, dtype)
    for n, layer in enumerate(model.llama_model.model.layers):
        for target in ("q_proj", "v_proj"):
            name = f"layers.{n}.self_attn.{target}"
            trained = f"llama_model.base_model.model.model.{name}"
            a, b = (reference.trained[f"{trained}.lora_{half}.weight"] for half in "AB")
            exact = reference.llama[f"model.{name}.weight"] + b @ a * (LORA_ALPHA / len(a))
            assert torch.equal(layer.self_attn.get_submodule(target).weight, exact.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_positions_are_told_apart_in_half_precision_too(files, dtype):
    """Rounded frequencies would turn the last of some 300 tokens by half a radian."""
    rotary = load(files, dtype).llama_model.model.rotary_emb
    place = torch.arange(300)[None]
    cos, sin = rotary(torch.zeros(1, dtype=dtype), place)
    size = 2 * len(rotary.inv_freq)
    angle = place[0, :, None] * 10000.0 ** (-torch.arange(0, size, 2) / size)
    for found, exact in ((cos, torch.cos(angle)), (sin, torch.sin(angle))):
        assert found.dtype == dtype
        assert float((found[0, :, : size // 2].float() - exact).abs().max()) < 0.005


def test_the_prompt_begins_with_two_bos_and_holds_no_other_specials(tokenizer):
    before, after = ids(tokenizer, TEXTS[0])
    pieces = tokenizer._pieces
    assert before[:2] == [1, 1]
    assert all(i > 2 for i in before[2:] + after)
    assert pieces.decode(before[2:]) == "[INST] <Img>"
    assert pieces.id_to_piece(before[2]).startswith("▁")
    assert pieces.decode(after) == f"</Img> [detection] {TEXTS[0]} [/INST]"


def test_the_papers_prompt_has_its_system_text_before_the_second_bos(tokenizer):
    before, after = tokenizer.prompt(*minigpt_v2.prompt_texts(TEXTS[0], "paper"))
    second = before.index(1, 1)
    assert tokenizer.text(before[1:second]) == minigpt_v2.PAPER_SYSTEM
    assert tokenizer.text(after) == f"</Img> [detection]{TEXTS[0]} [/INST]"


# The annotator -------------------------------------------------------------------------------


@pytest.fixture
def answering(files, monkeypatch):
    monkeypatch.setattr(minigpt_v2_model, "EVA_VIT_G", SHAPE)
    monkeypatch.setattr(minigpt_v2, "MAX_NEW_TOKENS", 16)
    names = ("minigpt-v2", "eva-vit", "llama")
    places = tuple((name, str(path)) for name, path in zip(names, files, strict=True))
    return minigpt_v2.open_model(ModelOptions(places), "cpu")


def test_answers_do_not_depend_on_batch_size_or_order(answering):
    questions = [question(TEXTS[k % 3], k, labels=1 + (k % 4 == 3)) for k in range(16)]
    rows = [answering.prepare(picture(k), q) for k, q in enumerate(questions)]
    alone = [answering.answer([row])[0] for row in rows]
    assert len({text for answer in alone for text in answer.texts}) > 3
    assert answering.answer(rows) == alone
    assert answering.answer(rows[::-1]) == alone[::-1]
    assert [a for k in range(0, 16, 5) for a in answering.answer(rows[k : k + 5])] == alone


def test_a_picture_is_embedded_once_whatever_is_asked_about_it(answering, monkeypatch):
    seen = []
    model = answering.answer.model
    embed = model.embed_pictures
    monkeypatch.setattr(model, "embed_pictures", lambda p: seen.append(len(p)) or embed(p))
    rows = [
        answering.prepare(picture(number), question(text, number, labels=2))
        for number, text in ((0, TEXTS[0]), (0, TEXTS[1]), (1, TEXTS[0]))
    ]
    answering.answer(rows[:1])
    answering.answer(rows[1:])
    assert seen == [1, 1]


def test_a_row_is_asked_by_its_text_or_label_by_label():
    red, blue = PartLabel(2, "red", "plates 1x2"), PartLabel(1, "", "hose")
    assert minigpt_v2.texts(Question("", ("Find", "2 red plates 1x2."), (red,))) == [
        "Find 2 red plates 1x2."
    ]
    assert minigpt_v2.texts(Question("", ("Collect 2:",), (red, blue))) == [
        "2 red plates 1x2",
        "1 hose",
    ]


def test_boxes_belong_to_the_label_that_was_asked_for():
    answer = minigpt_v2.Answer(
        (200, 100), ["<p>tiles</p> {<10><10><20><20>}", "<p>ImageContent</p> {<1><2><3><4>}"]
    )
    reading = minigpt_v2_reading.read(question("x", labels=2), answer)
    assert reading.detections == [(0, "tiles", (20, 10, 40, 20), None)]
    assert reading.dropped == {"image_content": 1}


# Files that are wrong ------------------------------------------------------------------------


def changed(files: Files, tmp_path, which: str, change) -> Files:
    """The files with one of them changed by `change(tensors)`."""
    path = getattr(files, which)
    data = torch.load(path)
    replaced = change(data)
    torch.save(data if replaced is None else replaced, tmp_path / path.name)
    return files._replace(**{which: tmp_path / path.name})


def without(key):
    def change(data):
        del data.get("model", data)[key]

    return change


LORA = "llama_model.base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight"


@pytest.mark.parametrize(
    ("which", "change", "said"),
    [
        ("checkpoint", without(LORA), (LORA, "(48, 4)", "missing")),
        (
            "checkpoint",
            lambda d: d["model"].update({LORA: torch.zeros(48, 5)}),
            (LORA, "(48, 5)", "expected (48, 4)"),
        ),
        (
            "checkpoint",
            without("llama_proj.bias"),
            ("llama_proj.bias", "(48,)", "missing"),
        ),
        (
            "checkpoint",
            lambda d: d["model"].update({LORA.replace("rs.1.", "rs.7."): torch.ones(48, 4)}),
            ("layers.7.self_attn.v_proj", "3 layers"),
        ),
        (
            "eva_vit",
            without("blocks.2.attn.q_bias"),
            ("blocks.2.attn.q_bias", "(32,)", "missing"),
        ),
        (
            "eva_vit",
            lambda d: d.update({"blocks.0.mlp.fc1.weight": torch.zeros(40, 32)}),
            ("blocks.0.mlp.fc1.weight", "(40, 32)", "expected (48, 32)"),
        ),
        (
            "eva_vit",
            lambda d: d.update({"pos_embed": torch.zeros(1, 16, 32)}),
            ("pos_embed", "(1, 16, 32)", "expected (1, 65, 32)"),
        ),
        ("eva_vit", lambda _: torch.ones(3), ("holds a Tensor",)),
    ],
    ids=["LoRA missing", "LoRA shape", "projection", "more layers", "tower missing", "tower shape",
         "positions", "no tensors"],
)  # fmt: skip
def test_a_wrong_file_is_named_with_key_and_shape(files, tmp_path, which, change, said):
    with pytest.raises(UserError) as error:
        load(changed(files, tmp_path, which, change))
    message = str(error.value)
    assert "\n" not in message and str(tmp_path) in message
    for words in said:
        assert words in message


@pytest.mark.parametrize("which", ["checkpoint", "eva_vit"])
@pytest.mark.parametrize("share", [0, 0.3, 0.98])
def test_a_file_that_is_cut_short_is_told(files, tmp_path, which, share):
    path = getattr(files, which)
    data = path.read_bytes()
    (tmp_path / path.name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match="cut short"):
        load(files._replace(**{which: tmp_path / path.name}))


@pytest.mark.parametrize("damage", ["cut", "gone", "weight", "config", "tokenizer"])
def test_a_damaged_language_model_is_told(files, tmp_path, damage):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "llama"
    folder.mkdir()
    for path in files.llama.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    weights = folder / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif damage == "gone":
        weights.unlink()
    elif damage == "weight":
        tensors = load_file(weights)
        del tensors["model.layers.1.mlp.up_proj.weight"]
        save_file(tensors, weights, metadata={"format": "pt"})
    elif damage == "config":
        (folder / "config.json").write_text("{")
    else:
        (folder / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(UserError, match="--model llama=") as error:
        load(files._replace(llama=folder))
        minigpt_v2_files.Tokenizer(str(folder))
    assert damage != "weight" or "layers.1.mlp.up_proj.weight" in str(error.value)


def test_names_of_newer_peft_and_a_bare_dict_are_read_too(files, tmp_path, model):
    def renamed(data):
        return {key.replace("lora_A.", "lora_A.default."): v for key, v in data["model"].items()}

    other = load(changed(files, tmp_path, "checkpoint", renamed))
    for (name, weight), (_, same) in zip(
        other.state_dict().items(), model.state_dict().items(), strict=True
    ):
        assert torch.equal(weight, same), name


def test_a_norm_or_tower_that_came_with_the_checkpoint_counts(files, tmp_path):
    def tuned(data):
        data["model"]["ln_vision.weight"] = torch.full((SHAPE.width,), 2.0)
        data["model"]["visual_encoder.blocks.0.norm1.bias"] = torch.full((SHAPE.width,), 3.0)

    other = load(changed(files, tmp_path, "checkpoint", tuned))
    assert float(other.ln_vision.weight.detach().mean()) == 2
    assert float(other.visual_encoder.blocks[0].norm1.bias.detach().mean()) == 3


def test_half_precision_keeps_norms_and_embeddings_in_float32(files):
    half = minigpt_v2_model.cast(load(files), torch.bfloat16)
    kinds = {name: weight.dtype for name, weight in half.state_dict().items()}
    full = {name for name, dtype in kinds.items() if dtype == torch.float32}
    assert "visual_encoder.pos_embed" in full and "visual_encoder.blocks.0.attn.q_bias" in full
    assert all(
        "norm" in n or n.endswith(("_bias", "embed", "token")) or "ln_vision" in n for n in full
    )
    with torch.inference_mode():
        near, exact = (m.embed_pictures(pixels(0)).float() for m in (half, load(files)))
    assert float((near - exact).norm() / exact.norm()) < 0.05


def test_the_sizes_are_the_released_ones():
    shape = minigpt_v2_model.EVA_VIT_G
    with torch.device("meta"):
        tower = minigpt_v2_model.EvaVit(shape)
    weights = tower.state_dict()
    assert weights["blocks.38.attn.qkv.weight"].shape == (4224, 1408)
    assert weights["blocks.0.mlp.fc1.weight"].shape == (6144, 1408)
    assert weights["patch_embed.proj.weight"].shape == (1408, 3, 14, 14)
    assert weights["pos_embed"].shape == (1, 1025, 1408)
    assert sum(w.numel() for w in weights.values()) == pytest.approx(0.987e9, rel=0.01)


def test_the_benchmarks_model_has_the_size_of_the_released_one():
    from benchmarks import annotate

    model = annotate.random_model(annotate.sizes(tiny=False), torch.bfloat16, "meta")
    count = sum(parameter.numel() for parameter in model.parameters())
    # ViT-g without its last block, the projection, LLaMA-2-7b.
    assert count == pytest.approx(0.987e9 + 0.0231e9 + 6.738e9, rel=0.001)


def test_the_benchmark_runs_on_a_toy(capsys):
    from benchmarks import command as bench

    words = "annotate --tiny --device cpu --batches 1 --pictures 1 --new-tokens 2"
    assert bench.main(words.split()) == 0
    assert "images/s" in capsys.readouterr().out
