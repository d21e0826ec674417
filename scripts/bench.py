"""The command `lego-arta bench` as a script."""

from core.cli import run_file
from scripts.main import main

if __name__ == "__main__":
    run_file(__file__, main, "bench")
