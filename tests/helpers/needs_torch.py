"""For tests of models: torch, or the module that imports this is skipped."""

import pytest

for name in ("sentencepiece", "transformers"):
    pytest.importorskip(name, reason="needs the extra `annotate`")
torch = pytest.importorskip("torch", reason="needs the extra `annotate`")
