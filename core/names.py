"""The names of a build's configs and splits, which every command knows.

`lego_arta.py`, which people copy alone, says them again with what they hold.
"""

CONFIGS = ("scene", "object", "state")
SPLITS = ("train", "test")
# Both lossless.
IMAGE_FORMATS = ("webp", "png")
