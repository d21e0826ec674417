"""Names that every command knows, besides those of tasks.

`lego_arta.py`, which people copy alone, says the splits again.
"""

SPLITS = ("train", "test")
# Both lossless.
IMAGE_FORMATS = ("webp", "png")
