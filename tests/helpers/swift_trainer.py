"""ms-swift's own loader and templates, without the libraries that pictures do not need."""

import contextlib
import importlib.machinery
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@contextlib.contextmanager
def without_torchvision() -> Iterator[None]:
    """Empty modules in its place: qwen_vl_utils imports it for videos, and it has no build here."""
    import transformers.image_utils  # noqa: F401 - looks for torchvision once, before it seems there

    names = ("torchvision", "torchvision.io", "torchvision.transforms")
    modules: dict[str, Any] = {}
    for name in names:
        modules[name] = types.ModuleType(name)
        modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)
    modules["torchvision"].io = modules["torchvision.io"]
    modules["torchvision"].transforms = modules["torchvision.transforms"]
    modules["torchvision.transforms"].InterpolationMode = None
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def qwen_vl_utils() -> types.ModuleType:
    """How Qwen's own helper loads and resizes pictures; ms-swift and verl call it."""
    if "qwen_vl_utils" not in sys.modules:
        if importlib.util.find_spec("qwen_vl_utils") is None:
            pytest.skip("pip install --no-deps qwen-vl-utils")
        with without_torchvision():
            import qwen_vl_utils  # noqa: F401
    return sys.modules["qwen_vl_utils"]


def swift(cache: Path, monkeypatch: pytest.MonkeyPatch) -> types.SimpleNamespace:
    """Its modules, with their cache in a folder; skips where it is not installed."""
    monkeypatch.setenv("MODELSCOPE_CACHE", str(cache))
    monkeypatch.setenv("QWENVL_BBOX_FORMAT", "new")
    qwen_vl_utils()
    before = dict(os.environ)
    pytest.importorskip(
        "swift.template", reason="pip install --no-deps ms-swift and what it imports"
    )
    from swift.dataset import load_dataset
    from swift.model import get_model_info_meta
    from swift.template import get_template

    for name in set(os.environ) - set(before):  # it sets some for its processes
        monkeypatch.delenv(name)
    return types.SimpleNamespace(
        load_dataset=load_dataset, info=get_model_info_meta, template=get_template
    )
