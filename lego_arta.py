"""The `datasets` builder of lego-arta: configs, features, and reading a build.

Most people need only `load_dataset("lego-arta", "state")`. Import this module to use the builder as
a class, on a build folder or on a Hub repository:

    LegoArta(config_name="state", data_dir="lego-arta").download_and_prepare()
    LegoArta(config_name="state", data_dir="ORG/lego-arta").as_streaming_dataset()

FEATURES is the one place where columns are defined; writers and the card take them from here.
"""

from pathlib import Path

from datasets import ClassLabel, Features, Image, Sequence, Value
from datasets.packaged_modules.parquet.parquet import Parquet, ParquetConfig

__version__ = "0.1.0"

CONFIGS = {
    "scene": "Scene understanding: the picture of a step and what was found before it; "
    "the answer says what to do.",
    "object": "Object detection: a 2x2 collage of pictures of parts; "
    "the answer names the parts asked for and gives their boxes.",
    "state": "State detection: the picture of a step done right or wrong; the answer is Yes or No.",
}
SPLITS = ("train", "test")

_TEXT, _FLOAT = Value("string"), Value("float32")
# A list of structs is written as a list of one: what `datasets` 3 and older know, too.
_BOX = Sequence(_FLOAT, length=4)
_TARGET = {
    "label": _TEXT,
    "count": Value("int32"),
    "box_norm100": _BOX,
    "box_px": _BOX,
    "instances_px": [_BOX],
}
_COMMON = {
    "id": _TEXT,
    "manual_id": _TEXT,
    "session_id": _TEXT,
    "step_num": Value("int32"),
    "image": Image(),
    "query": _TEXT,
    "answer": _TEXT,
    "instruction": _TEXT,
    "previous_instruction": _TEXT,
    "entities": [{"tag": _TEXT, "text": _TEXT}],
    "provenance": {
        "source_images": [{"path": _TEXT, "sha256": _TEXT}],
        "annotator": _TEXT,
    },
    "confidence": _FLOAT,
    "sample_weight": _FLOAT,
}
FEATURES: dict[str, Features] = {
    "scene": Features(_COMMON),
    "object": Features(
        {
            **_COMMON,
            "cell": Value("int8"),
            "targets": [_TARGET],
            "distractors": [{"cell": Value("int8"), **_TARGET}],
        }
    ),
    "state": Features(
        {
            **_COMMON,
            "label": ClassLabel(names=["no", "yes"]),
            "group_id": _TEXT,
            "negative_kind": _TEXT,
            "correction": _TEXT,
            "shift_fraction": _FLOAT,
            "part_box_px": _BOX,
            "correct_box_px": _BOX,
            "boundary_color": _TEXT,
        }
    ),
}


class LegoArta(Parquet):
    """Reads the Parquet shards of one config from `data_dir`: a build folder or a Hub repo id."""

    BUILDER_CONFIG_CLASS = ParquetConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - the name and form are those of `datasets`
        ParquetConfig(name=name, description=text, features=FEATURES[name])
        for name, text in CONFIGS.items()
    ]
    DEFAULT_CONFIG_NAME = "scene"

    def __init__(self, *args, config_name=None, data_dir=None, data_files=None, **kwargs):
        if data_dir is not None and data_files is None:
            data_files = _data_files(str(data_dir), config_name or self.DEFAULT_CONFIG_NAME)
            data_dir = None
        super().__init__(
            *args, config_name=config_name, data_dir=data_dir, data_files=data_files, **kwargs
        )


def _data_files(data_dir: str, config: str) -> dict[str, str] | None:
    """Shard patterns by split; None for an unknown config, so that `datasets` names the known."""
    if config not in CONFIGS:
        return None
    if Path(data_dir).is_dir():
        root = Path(data_dir).resolve()
        if not any((root / "data" / config).glob("*.parquet")):
            raise FileNotFoundError(
                f"{data_dir}: no data/{config}/*.parquet in it, so it is not a build; "
                "make one with: python builder/make.py --out " + data_dir
            )
        base = root.as_posix()
    elif data_dir.count("/") == 1 and not data_dir.startswith((".", "/")):
        base = f"hf://datasets/{data_dir}"
    else:
        raise FileNotFoundError(f"{data_dir}: no such folder, and not a Hub repository (ORG/NAME)")
    splits: tuple[str, ...] = SPLITS
    if Path(data_dir).is_dir():  # a tiny build may lack a split
        splits = tuple(s for s in SPLITS if any(Path(base).glob(f"data/{config}/{s}-*.parquet")))
    return {split: f"{base}/data/{config}/{split}-*.parquet" for split in splits}
