"""Answers written to files and scored by the command."""

import json

from core.items import load_items
from evaluation import command as evaluate


def write(path, answers):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": name, "answer": text}) for name, text in answers]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def gold(build, config):
    return [(item.id, item.answer) for item in load_items(build, config, "test")]


def score(build, out, *arguments):
    assert evaluate.main(["score", str(build), *map(str, arguments), "--out", str(out)]) == 0
    return json.loads((out / "scores.json").read_text())


def row(scores, name, config):
    (found,) = [s for s in scores["scores"] if (s["name"], s["config"]) == (name, config)]
    return found
