"""What docs/scale.md says of clusters is what the installed Ray takes."""

import re
import shlex

import pytest
import yaml
from outside import ROOT

TEXT = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
# Ray's own notices about itself are not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def block(kind: str, word: str) -> str:
    """The block of code of that kind that has a word."""
    blocks = re.findall(rf"(?ms)^```{kind}\n(.*?)^```", TEXT)
    (found,) = (text.replace("\\\n", " ") for text in blocks if word in text)
    return found


def config():
    return yaml.safe_load(block("yaml", "cluster_name"))


def ray_lines() -> list[list[str]]:
    """The words after `ray` of every command of Ray, in blocks and in the cluster's own."""
    started = [line for key, lines in config().items() if "commands" in key for line in lines]
    lines = [*block("bash", "ray up").splitlines(), *block("bash", "SBATCH").splitlines(), *started]
    found = [re.search(r"(?:^|[ /])ray ([a-z].*)", line) for line in lines]
    return [shlex.split(match[1], comments=True) for match in found if match]


def test_the_cluster_is_one_that_ray_takes_and_whose_workers_start():
    pytest.importorskip("ray", reason="needs the extra `ray`")
    from ray.autoscaler._private.util import prepare_config, validate_config

    whole = prepare_config(config())
    validate_config(whole)
    (kind,) = whole["available_node_types"].values()
    assert kind["min_workers"] == kind["max_workers"] == 7
    assert "--autoscaling-config" in whole["head_start_ray_commands"][-1], "else none is started"


def test_every_command_of_ray_and_its_options_are_there():
    pytest.importorskip("ray", reason="needs the extra `ray`")
    from ray.scripts.scripts import cli

    lines = ray_lines()
    assert {words[0] for words in lines} == {
        "up", "rsync-up", "exec", "start", "stop", "symmetric-run",
    }  # fmt: skip
    for name, *words in lines:
        known = {option for param in cli.commands[name].params for option in param.opts}
        if name == "symmetric-run":  # it hands on what it does not know
            known |= {option for param in cli.commands["start"].params for option in param.opts}
            words = words[: words.index("--")]
        strange = {word for word in words if word.startswith("-")} - known
        assert not strange, f"ray {name}"
