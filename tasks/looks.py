"""How pictures are shown: seen through masks, by which method, and whose masks they are.

Only what a command line says; `tasks/row_masks.py` finds a row's mask and `tasks/deployed.py` shows
its picture through it.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from core.build import manifest_of
from core.cli import share
from core.errors import UserError
from core.store import sha256

# Those of `synthesis.deploy`, named here so that a command line needs no OpenCV.
METHODS = ("overlay", "blur", "grayscale", "crop", "overlay-crop")
THRESHOLD = 0.1
GOLD, PREDICTED = "gold", "predicted"
SUFFIXES = (".png", ".npy")


@dataclass(frozen=True)
class Look:
    """Pictures seen through masks. `folder` holds predicted ones; without it they are the build's
    own, which may give answers away.
    """

    method: str
    folder: Path | None = None
    threshold: float = THRESHOLD

    @property
    def is_gold(self) -> bool:
        """Whether the masks are the build's own."""
        return self.folder is None

    @property
    def masks(self) -> str:
        """Whose masks, as the command line says it."""
        return GOLD if self.folder is None else f"{PREDICTED}:{self.folder}"

    @property
    def name(self) -> str:
        """Short, for names of files and settings: "overlay-crop.gold"."""
        whose = GOLD if self.folder is None else PREDICTED
        differs = f".{self.threshold:g}" if self.threshold != THRESHOLD else ""
        return f"{self.method}.{whose}{differs}"


def add_options(command: argparse.ArgumentParser, several: bool = False) -> None:
    """The options of a look; with `several`, of one a method."""
    group = command.add_argument_group("masks", "pictures seen through masks (docs/masks.md)")
    hidden = (
        "hide what a row is not about: painted white, blurred, without colour, cut off (boxes and "
        "answers follow), painted white and cut off"
    )
    if several:
        group.add_argument(
            "--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD",
            help=f"{hidden}: {', '.join(METHODS)} (all)",
        )  # fmt: skip
    else:
        group.add_argument("--deploy", choices=METHODS, help=hidden)
    group.add_argument(
        "--masks",
        metavar="gold|predicted:DIR",
        help="whose masks: the build's own, which may give answers away, or DIR/ID.png (grey, 8 or "
        "16 bit) and DIR/ID.npy (0 to 1), of the picture's size (gold)",
    )
    group.add_argument(
        "--mask-threshold", type=share, metavar="T", help=f"what counts in a map ({THRESHOLD:g})"
    )


def digest(look: Look, build: Path) -> str:
    """Hash of what a look shows, wherever maps lie; of a build's own masks its manifest tells."""
    if look.folder is None:
        files = (manifest_of(build) or {}).get("files", {})
        maps = [(name, file["sha256"]) for name, file in sorted(files.items())
                if name.startswith("data/mask/")]  # fmt: skip
    else:
        paths = [path for path in sorted(look.folder.iterdir()) if path.suffix in SUFFIXES]
        maps = [(path.name, sha256(path.read_bytes())) for path in paths]
    return sha256(json.dumps([look.name, maps]).encode())


def look_of(method: str | None, masks: str | None, threshold: float | None) -> Look | None:
    """The look that options mean; None without `--deploy`. Raises `UserError`."""
    if method is None:
        for option, value in (("--masks", masks), ("--mask-threshold", threshold)):
            if value is not None:
                raise UserError(f"{option} {value}: it belongs to --deploy; give --deploy overlay")
        return None
    least = THRESHOLD if threshold is None else threshold
    kind, colon, path = (masks or GOLD).partition(":")
    if kind == GOLD and not colon:
        return Look(method, None, least)
    if kind != PREDICTED or not path:
        raise UserError(f"--masks {masks}: give gold, or predicted:DIR, of maps ID.png or ID.npy")
    folder = Path(path)
    if not folder.is_dir():
        raise UserError(f"--masks {masks}: no such folder; give one of maps, ID.png or ID.npy")
    if not any(one.suffix in SUFFIXES for one in folder.iterdir()):
        raise UserError(
            f"--masks {masks}: no *.png and no *.npy in it; a map is called by its row's id"
        )
    return Look(method, folder, least)
