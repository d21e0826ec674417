"""The `datasets` builder of lego-arta: configs, features, and reading a build.

Most people need only `load_dataset("lego-arta", "state")`. Import this module to use the builder as
a class, on a build folder or on a Hub repository:

    LegoArta(config_name="state", data_dir="lego-arta").download_and_prepare()
    LegoArta(config_name="state", data_dir="ORG/lego-arta").as_streaming_dataset()

FEATURES is the one place where columns are defined; writers and the card take them from here.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Any

from datasets import ClassLabel, Features, Image, Sequence, Value
from datasets.data_files import DataFilesDict, DataFilesList
from datasets.packaged_modules.parquet.parquet import Parquet, ParquetConfig

__version__ = "0.1.0"

CONFIGS = {
    "scene": "Scene understanding: the picture of a step and what was found before it; "
    "the answer says what to do.",
    "object": "Object detection: a 2x2 collage of pictures of parts; "
    "the answer names the parts asked for and gives their boxes.",
    "state": "State detection: the picture of a step done right or wrong; the answer is Yes or No.",
    "state_balanced": "State detection in groups of four: two pictures, two instructions, two Yes; "
    "whoever sees the picture alone or the text alone is at chance.",
    "spatial": "Spatial relations: the picture of a step, the new part and what it stands to; "
    "choose the relation, describe it in a phrase, or in three sentences.",
    "mask": "Instruction-guided masks: a picture of any other task, an instruction, and the pixels "
    "that the instruction is about.",
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
    "verdict": _TEXT,
}
_STATE = {
    **_COMMON,
    "label": ClassLabel(names=["no", "yes"]),
    "group_id": _TEXT,
    "negative_kind": _TEXT,
    "correction": _TEXT,
    "false_facts": Sequence(_TEXT),
    "shift_fraction": _FLOAT,
    "difficulty": _TEXT,
    "part_box_px": _BOX,
    "correct_box_px": _BOX,
    "boundary_color": _TEXT,
}
_THING = {"label": _TEXT, "box_px": _BOX, "box_norm100": _BOX}
_SPATIAL = {
    **_COMMON,
    "pair_id": _TEXT,
    "conversation_type": ClassLabel(names=["classification", "single", "open"]),
    "template_id": _TEXT,
    "subject": _THING,
    "object": _THING,
    **{f"relations{reading}": Sequence(_TEXT) for reading in ("", "_text", "_image", "_scene")},
    "frame": _TEXT,
    "relations_agree": Value("bool"),
    "descriptions_v1": Sequence(_TEXT),
    "descriptions_v2": Sequence(_TEXT),
    "contrast": _TEXT,
    "diversified": Value("bool"),
}
_MASK = {
    **_COMMON,
    "mask": Image(),
    "boxes_px": [_BOX],
    "area_ratio": _FLOAT,
    "instruction_variants": [{"level": _TEXT, "text": _TEXT}],
    "origin": ClassLabel(names=["scene", "object", "state", "spatial"]),
    "source": ClassLabel(names=["exact", "human", "machine"]),
    "candidates": [
        {"annotator": _TEXT, "box_px": _BOX, "mask_iou_with_chosen": _FLOAT, "score": _FLOAT}
    ],
    "agreement": _FLOAT,
    "n_annotators": Value("int32"),
    "quality": _FLOAT,
    "uses_gold_mask": Value("bool"),
    "failure": _TEXT,
    "diversified": Value("bool"),
}
FEATURES: dict[str, Features] = {
    "scene": Features({**_COMMON, "eop_distance": Value("int32")}),
    "object": Features(
        {
            **_COMMON,
            "cell": Value("int8"),
            "targets": [_TARGET],
            "distractors": [{"cell": Value("int8"), **_TARGET}],
        }
    ),
    "state": Features(_STATE),
    "state_balanced": Features(_STATE),
    "spatial": Features(_SPATIAL),
    "mask": Features(_MASK),
}


class LegoArta(Parquet):
    """Reads the Parquet shards of one config from `data_dir`: a build folder or a Hub repo id."""

    BUILDER_CONFIG_CLASS = ParquetConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - the name and form are those of `datasets`
        ParquetConfig(name=name, description=text, features=FEATURES[name])
        for name, text in CONFIGS.items()
    ]
    DEFAULT_CONFIG_NAME = "scene"

    def __init__(
        self,
        *args: Any,
        config_name: str | None = None,
        data_dir: str | None = None,
        data_files: Any = None,
        **kwargs: Any,
    ) -> None:
        place = None if data_dir is None or data_files is not None else str(data_dir)
        if place is not None:
            data_files = _data_files(place, config_name or self.DEFAULT_CONFIG_NAME)
            data_dir = None
        try:
            super().__init__(
                *args, config_name=config_name, data_dir=data_dir, data_files=data_files, **kwargs
            )
        except Exception as error:
            if place is None or isinstance(data_files, DataFilesDict | None):
                raise  # the Hub was not asked
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise FileNotFoundError(
                f"{place}: no such folder here, and the Hub gives no such data ({said}); give "
                "data_dir the folder of a build, or ORG/NAME of a repository that you can reach"
            ) from error

    def _split_generators(self, dl_manager: Any) -> Any:
        if not self.config.data_files:
            raise FileNotFoundError(
                "LegoArta was given no data; give data_dir, the folder of a build or ORG/NAME on "
                f"the Hub: LegoArta(config_name={self.config.name!r}, data_dir='lego-arta')"
            )
        return super()._split_generators(dl_manager)


def _data_files(data_dir: str, config: str) -> DataFilesDict | dict[str, str] | None:
    """Shards by split; None for an unknown config, so that `datasets` names the known."""
    if config not in CONFIGS:
        return None
    root = os.path.realpath(data_dir)
    if "::" in root or (os.path.expandvars(root) != root and os.path.lexists(root)):
        raise ValueError(
            f"{root}: `datasets` takes :: and $NAME in a path for something else; rename the folder"
        )
    if Path(root).is_dir():
        return _local_files(root, config)
    if data_dir.count("/") == 1 and not data_dir.startswith((".", "/", "~")):
        base = f"hf://datasets/{data_dir}"
        return {split: f"{base}/data/{config}/{split}-*.parquet" for split in SPLITS}
    raise FileNotFoundError(f"{data_dir}: no such folder, and not a Hub repository (ORG/NAME)")


def _build_line(out: str) -> str:
    """A line that makes a build, with the Python that runs; without a path where this file alone
    was copied."""
    make = Path(__file__).resolve().parent / "builder" / "make.py"
    script = str(make) if make.is_file() else "builder/make.py"
    return shlex.join([sys.executable, script, "--out", out])


def _local_files(root: str, config: str) -> DataFilesDict:
    """The shards of a build folder. By name, for its own name may hold what `datasets` would take
    for a pattern. A tiny build may lack a split.
    """
    files = {s: sorted(Path(root, "data", config).glob(f"{s}-*.parquet")) for s in SPLITS}
    others = [name for name in CONFIGS if any(Path(root, "data", name).glob("*.parquet"))]
    if not any(files.values()) and others:
        raise FileNotFoundError(f"{root}: it holds no rows of {config}, only {', '.join(others)}")
    if not any(files.values()):
        raise FileNotFoundError(
            f"{root}: no data/{config}/*.parquet in it, so it is not a build; "
            f"make one with: {_build_line(root)}"
        )
    return DataFilesDict(
        {
            split: DataFilesList(
                [path.as_posix() for path in paths],
                [(str(path.stat().st_mtime_ns), str(path.stat().st_size)) for path in paths],
            )
            for split, paths in files.items()
            if paths
        }
    )
