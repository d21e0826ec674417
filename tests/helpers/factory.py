"""LLaMA-Factory's own data code; its sound library is not needed for pictures."""

import importlib.machinery
import sys
import types

import pytest


def llamafactory() -> types.SimpleNamespace:
    """Its modules; skips where it is not installed."""
    pytest.importorskip("llamafactory", reason="pip install --no-deps llamafactory")
    if "torchaudio" not in sys.modules:
        module = types.ModuleType("torchaudio")
        module.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
        sys.modules["torchaudio"] = module
    from llamafactory.data import converter, mm_plugin, parser, template
    from llamafactory.data.processor.supervised import SupervisedDatasetProcessor

    return types.SimpleNamespace(
        converter=converter,
        plugin=mm_plugin,
        parser=parser,
        template=template,
        supervised=SupervisedDatasetProcessor,
    )
