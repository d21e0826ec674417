"""Write the top-level dataset_infos.json: features and description of every config.

    lego-arta infos

Run it after changing lego_arta.FEATURES; a test compares the file with the code.
"""

from core.cli import ROOT, Parser, run

FILE = ROOT / "dataset_infos.json"


def infos_text() -> str:
    """The file's content."""
    from core.features import as_json
    from lego_arta import CONFIGS, FEATURES

    return as_json(
        {name: {"description": text, "features": FEATURES[name]} for name, text in CONFIGS.items()}
    )


def parser() -> Parser:
    """The command line, the whole of it."""
    return Parser("infos", __doc__)


def write() -> None:
    """Write the file."""
    FILE.write_text(infos_text(), encoding="utf-8")
    print(f"wrote {FILE}")


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser().parse_args(argv)
    return run(write)
