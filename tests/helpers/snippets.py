"""Python snippets of pages, run as a reader runs them."""

import re
import subprocess
import sys
from pathlib import Path

from outside import ROOT


def python_blocks(markdown: str) -> list[str]:
    """The Python snippets of a page, in order."""
    return re.findall(r"```python\n(.*?)```", markdown, re.DOTALL)


def run_snippets(markdown: str, folder: Path, home: Path) -> str:
    """Run all snippets as one program, seen from `folder`; what it printed."""
    env = {"HF_HOME": str(home), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT), "HOME": str(home),
           "PATH": "", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}  # fmt: skip
    run = subprocess.run(  # without a PATH there is no viewer that could open a window
        [sys.executable, "-c", "\n".join(python_blocks(markdown))], cwd=folder, env=env,
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    return run.stdout
