"""Random zero-shot detectors of a few thousand weights with real processors, written to disk."""

from pathlib import Path

import torch
from tiny_models import make_qwen
from transformers import (
    BertConfig,
    BertTokenizer,
    CLIPTokenizer,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    Owlv2Config,
    Owlv2ForObjectDetection,
    SwinConfig,
)
from transformers.models.grounding_dino.image_processing_pil_grounding_dino import (
    GroundingDinoImageProcessorPil,
)
from transformers.models.owlv2.image_processing_pil_owlv2 import Owlv2ImageProcessorPil

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789."


def make_owlv2(folder: Path) -> Path:
    """OWLv2 with two layers a side, pictures of 64 px."""
    folder.mkdir(parents=True)
    pieces = [
        *LETTERS,
        *(f"{letter}</w>" for letter in LETTERS),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    tokenizer = CLIPTokenizer(
        vocab={piece: number for number, piece in enumerate(pieces)},
        merges=[],
        unk_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        model_max_length=48,
    )
    text = {
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 48,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    small = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    config = Owlv2Config(
        text_config=text | small,
        vision_config={"image_size": 64, "patch_size": 16} | small,
        projection_dim=32,
    )
    torch.manual_seed(1)
    Owlv2ForObjectDetection(config).save_pretrained(folder)
    Owlv2ImageProcessorPil(size={"height": 64, "width": 64}).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def make_grounding_dino(folder: Path) -> Path:
    """Grounding DINO with two layers a side and thirty queries."""
    folder.mkdir(parents=True)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += [*LETTERS, *(f"##{letter}" for letter in LETTERS)]
    tokenizer = BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)})
    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            image_size=64,
            patch_size=4,
            embed_dim=16,
            depths=[1, 1, 1, 1],
            num_heads=[2, 2, 2, 2],
            window_size=4,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=BertConfig(
            vocab_size=len(pieces),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=48,
        ),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        num_queries=30,
        num_feature_levels=4,
        max_text_len=96,
    )
    torch.manual_seed(2)
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    pictures = GroundingDinoImageProcessorPil(size={"shortest_edge": 128, "longest_edge": 192})
    pictures.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


MAKERS = {"owlv2": make_owlv2, "grounding-dino": make_grounding_dino, "qwen-vl": make_qwen}
