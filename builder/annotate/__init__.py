"""Annotators: who gives the boxes of eop pictures. One file each; to add one, name it here.

A file has either `annotate(picture, image_sha256, instruction, scene) -> Annotation`, which needs
no model and runs in the workers, or `identity`, `open_model` and `read` (see `models.py`), which is
asked in batches before (`asking.py`). What several say becomes one annotation in `consensus.py`.
"""

ANNOTATORS = {
    "exact": "builder.annotate.exact",
    "foreground": "builder.annotate.foreground",
    "minigpt-v2": "builder.annotate.minigpt_v2",
    "grounding-dino": "builder.annotate.grounding_dino",
    "owlv2": "builder.annotate.owlv2",
    "qwen-vl": "builder.annotate.qwen_vl",
}
# `file:ANSWERS.jsonl`: what a model answered elsewhere.
FILE, FROM_FILE = "file:", "builder.annotate.from_file"
# Files with `read` alone: a change of what asks a model throws its answers away, and a better
# reader must not.
READERS = {
    "minigpt-v2": "builder.annotate.minigpt_v2_reading",
    "qwen-vl": "builder.annotate.qwen_vl_reading",
}
