"""What every process of a test runs first: pictures are encoded with the least effort.

Effort makes files smaller, never other pixels, and would take most of the suite's time;
`lego-arta bench encode` says what it is worth.
"""

import importlib.machinery
import sys
from types import ModuleType

LEAST = {"core.pictures.media": "WEBP_METHOD", "review.rows": "WEBP_METHOD"}


class _Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        setattr(module, LEAST[module.__name__], 0)


class _Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        spec = super().find_spec(name, path, target) if name in LEAST else None
        if spec is not None:
            spec.loader = _Loader(name, spec.origin)
        return spec


if not any(getattr(one, "__name__", "") == _Finder.__name__ for one in sys.meta_path):
    sys.meta_path.insert(0, _Finder)
