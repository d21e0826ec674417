"""What `bench scale` measures is a valid build, and its plan's figures are those of the plan."""

import json
import re

from benchmarks import scale
from core.store import ROWS

PLAN = {
    "rows a manual": ["548", "50", "548"],
    "CPU ms a row": ["76", "20", "20"],
    "CPU hours": ["760", "18", "198"],
    "hours on 64 cores": ["11.9", "0.3", "3.1"],
    "KB a row (plan: PNG)": ["331", "100", "100"],
    "TB": ["11.8", "0.3", "3.6"],
    "shards of 4 GB": ["2,950", "81", "890"],
    "GiB in assemble": ["0.9"],  # 400 MiB at 120, and 8 KiB for each of the others
    "GiB in validate": ["0.4"],
    "MiB of the command, local": ["300"],
}


def test_the_plan_stands_beside_what_was_measured(capsys):
    built = scale.Built("local", 10, 60.0, 15.0, 5.0, 300.0, 500, 50_000_000)
    grown = [scale.Growth(120, 0, 400.0, 390.0, 1.0), scale.Growth(248, 0, 401.0, 390.0, 2.0)]
    scale.print_plan([built], grown)
    lines = [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["65,000 manuals", "the plan", "like these", "its rows"]
    assert {name: columns for name, *columns in lines[1:]} == PLAN


def test_the_many_manuals_make_a_build_without_faults(demo, tmp_path, capsys):
    work = demo / "w"
    sources = sorted(path.name for path in (work / ROWS).iterdir() if path.is_dir())
    assert len(sources) == 2
    scale.fake_manuals(work, tmp_path / "many", sources, 5)
    scale.assembled(str(tmp_path), 5)
    rows, *_ = json.loads(capsys.readouterr().out.splitlines()[-1])
    of_two = json.loads((demo / "lego-arta/build.json").read_text())["rows"]
    assert rows > 2 * sum(sum(splits.values()) for splits in of_two.values())
    scale.validated(str(tmp_path))
