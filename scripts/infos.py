"""Write the top-level dataset_infos.json: features and description of every config.

    python scripts/infos.py

Run it after changing lego_arta.FEATURES; a test compares the file with the code.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lego_arta import CONFIGS, FEATURES

FILE = ROOT / "dataset_infos.json"


def infos_text() -> str:
    """The file's content."""
    infos = {
        name: {"description": text, "features": FEATURES[name].to_dict()}
        for name, text in CONFIGS.items()
    }
    return json.dumps(infos, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(infos_text(), encoding="utf-8")
    print(f"wrote {FILE.name}")
