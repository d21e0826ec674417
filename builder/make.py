"""The command `lego-arta build` as a script: `python builder/make.py --push`."""

from builder.command import main
from core.cli import run_file

if __name__ == "__main__":
    run_file(__file__, main)
