"""Draw the README's picture of all tasks from a build (`--help`)."""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from builder.samples import draw_overview


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Draw one picture of all tasks of a build.")
    parser.add_argument("build", type=Path, help="a build, such as lego-arta")
    parser.add_argument("--out", type=Path, default=Path("docs/overview.webp"), help="%(default)s")
    options = parser.parse_args(argv)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw_overview(options.build).save(options.out, quality=82, method=6)
    print(f"{options.out}: {options.out.stat().st_size / 1e3:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
