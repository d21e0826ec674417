"""What is drawn does not depend on the processor: on an older one the libraries run other code.

One that can do more than this machine's, or one of another make, is beyond a test.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from outside import CAD_MODELS

HELPERS = Path(__file__).resolve().parents[2] / "helpers"
# One of the year 2008; without IPP, which is there for Intel's kind of processor alone.
OLDER = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3",
    "OPENCV_CPU_DISABLE": "SSE4.1,SSE4.2,AVX,AVX2,FP16,FMA3",
    "OPENCV_IPP": "disabled",
    "OPENBLAS_CORETYPE": "Nehalem",
}
pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="of x86-64 processors only"
)
MODEL = "6755-1 - Sheriff's Lock-Up.mpd"  # many corners lie just between two pixels


def made(folder: Path, environment: dict[str, str], *model: Path) -> dict[str, bytes]:
    """What `on_processor.py` makes: bytes by path."""
    said = subprocess.run(
        [sys.executable, HELPERS / "on_processor.py", folder, *model],
        env=os.environ | environment
        | {"PYTHONPATH": os.pathsep.join([str(HELPERS), os.environ["PYTHONPATH"]])},
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    assert ("*AVX2?" in said) == bool(environment), said
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize(
    "model",
    [
        (),
        pytest.param(
            (CAD_MODELS / "models" / MODEL, CAD_MODELS / "library"), marks=pytest.mark.cad_models
        ),
    ],
    ids=["demo", "model"],
)
def test_pictures_and_ids_are_those_of_an_older_processor(tmp_path, model):
    ours, older = (
        made(tmp_path / name, environment, *model)
        for name, environment in (("ours", {}), ("older", OLDER))
    )
    assert sum(name.endswith(".png") for name in ours) > 30 and ("0.npy" in ours) != bool(model)
    assert ours.keys() == older.keys()
    assert not [name for name in ours if ours[name] != older[name]]
