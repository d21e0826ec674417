"""Names that every command knows, besides those of tasks.

`lego_arta.py`, which people copy alone, says the splits again.
"""

import hashlib
from typing import Any

Row = dict[str, Any]  # a row's columns, as lego_arta.FEATURES has them
SPLITS = ("train", "test")
# All lossless. BMP is raw pixels, which Parquet packs a row group at a time.
IMAGE_FORMATS = ("webp", "png", "bmp")
RAW = {"raw": "bmp"}  # what the command line calls it
# What `sample_weight` of rows that nobody rated says.
WEIGHTS = ("confidence", "discriminator")


def opaque_id(*parts: object) -> str:
    """20 hex digits of a hash. Nothing that depends on a label goes in, so none can come out."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:20]
