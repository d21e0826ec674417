"""Two builds under one relative path, in one process."""

import pytest
from export_build import export_build

from builder.export import command as export


@pytest.mark.parametrize("form", ["llava-jsonl", "llamafactory"])
def test_an_export_reads_the_build_that_lies_there_now(form, tmp_path, monkeypatch):
    for steps in (2, 6):
        folder = tmp_path / str(steps)
        export_build(folder / "b", manuals=3, test_manuals=1, steps=steps)
        monkeypatch.chdir(folder)
        told = ["b", "--format", form, "--examples", "dynamic", "--out", "o", "--workers", "1"]
        assert export.main(told) == 0
        pictures = {path.name for path in (folder / "o").rglob("*.webp")}
        assert len(pictures) >= 4 * steps
