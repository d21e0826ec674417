"""SPICE itself (Anderson et al., ECCV 2016) of spatial descriptions, by pycocoevalcap and Java.

It parses sentences into objects, attributes and relations with Stanford's CoreNLP and compares
those of an answer with those of all references together. Without Java `spice_lite` is all there is.
"""

import importlib.util
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.answers import final_text
from core.cli import python_module
from core.errors import UserError
from core.items import Item
from core.metrics import Said
from evaluation.score import Results
from evaluation.standings import full_name, honest
from evaluation.tables import Cell, Table, shown
from tasks import TASKS
from tasks.spatial import score as spatial

OPTION, CONFIG = "--spice", "spatial"
PACKAGE = "pycocoevalcap"
# The parser and its models, which pycocoevalcap fetches when it is first used.
PARSER_JARS = ("stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar")
ABOUT = (
    "SPICE of pycocoevalcap, in percent: of one phrase, and of each of three descriptions, against "
    "all references. z2, z3 and overall are made with it, as papers' are."
)


def check() -> None:
    """Raise `UserError` with the cure where SPICE can't be computed here; fetches the parser, once,
    where the network allows it."""
    if shutil.which("java") is None:
        raise UserError(f"{OPTION}: java is not on the PATH; install a Java runtime (version 8)")
    if importlib.util.find_spec(PACKAGE) is None:
        cure = python_module("pip", "install", PACKAGE)
        raise UserError(f"{OPTION}: {PACKAGE} is not installed; {cure} (104 MB)")
    from pycocoevalcap.spice import get_stanford_models as parser

    lib = Path(parser.__file__).parent / "lib"
    if not missing_jars(lib):
        return
    why = "what was fetched lacks it"
    try:
        parser.get_stanford_models()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        why = str(error)
    # The package looks for the first of them only.
    if missing := missing_jars(lib):
        raise UserError(
            f"{OPTION}: the parser could not be fetched ({why}); put {' and '.join(missing)} of "
            f"http://nlp.stanford.edu/software/{parser.CORENLP}.zip into {lib}"
        )


def missing_jars(lib: Path) -> list[str]:
    """The parser's files that are not in the package's folder of Java archives."""
    return [name for name in PARSER_JARS if not (lib / name).is_file()]


def spice(references: Sequence[Sequence[str]], answers: Sequence[str]) -> list[float]:
    """SPICE of every answer against its references, 0 to 1; an empty answer has 0.

    Raises `UserError` where Java gives up.
    """
    asked = {index: text for index, text in enumerate(answers) if text.strip()}
    if not asked:
        return [0.0] * len(answers)
    from pycocoevalcap.spice.spice import Spice

    try:
        _, scores = Spice().compute_score(
            {index: list(references[index]) for index in asked},
            {index: [text] for index, text in asked.items()},
        )
    except subprocess.CalledProcessError as error:
        raise UserError(
            f"{OPTION}: Java ended with status {error.returncode}, what it says stands above; "
            "SPICE is made for Java 8 and takes 8 GB of memory"
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{OPTION}: SPICE came to nothing ({error})") from None
    found = dict(zip(sorted(asked), (one["All"]["f"] for one in scores), strict=True))
    return [float(np.nan_to_num(found.get(index, 0.0))) for index in range(len(answers))]


def descriptions_of(items: Sequence[Item], saids: Sequence[Said]) -> list[tuple[int, str]]:
    """(item, description) of all that runs say in words: a phrase, or the first three lines."""
    found = []
    for index, (item, said) in enumerate(zip(items, saids, strict=True)):
        lines = spatial.lines_of(final_text(said.answer or ""))
        if item.conversation == "single":
            found.append((index, " ".join(lines)))
        elif item.conversation == "open":
            found += [(index, line) for line in (*lines, "", "", "")[:3]]
    return found


def scores_of(
    items: Sequence[Item], saids: Sequence[Said], values: Mapping[str, float | None]
) -> dict[str, float | None]:
    """SPICE of a run's phrases and of its three descriptions, and what follows from them; None
    where nothing was asked. `values` are the run's other scores, in percent."""
    said = descriptions_of(items, saids)
    references = [items[index].references or (items[index].answer,) for index, _ in said]
    each = spice(references, [text for _, text in said])
    means = {}
    for kind in ("single", "open"):
        own = [value for value, (index, _) in zip(each, said, strict=True)
               if items[index].conversation == kind]  # fmt: skip
        means[kind] = 100 * float(np.mean(own)) if own else np.nan
    bleu4, mbleu4, one = (_known(values.get(name)) for name in ("bleu4", "mbleu4", "z1"))
    two = spatial.z2(bleu4, np.array(means["single"]))
    three = spatial.z3(mbleu4, np.array(means["open"]))
    found = {
        "spice": means["single"],
        "spice_open": means["open"],
        "z1": one,
        "z2": two,
        "z3": three,
        "overall": spatial.overall(one, two, three),
    }
    return {name: _number(value) for name, value in found.items()}


def _known(value: float | None) -> np.ndarray:
    return np.array(np.nan if value is None else value)


def _number(value: Any) -> float | None:
    number = float(value)
    return round(number, 6) if np.isfinite(number) else None


def spice_table(title: str, rows: Sequence[tuple[str, Mapping[str, float | None]]]) -> Table:
    """(name of a run, its `scores_of`) as a table."""
    heads = {"spice": "SPICE ↑", "spice_open": "SPICE, open ↑", "z1": "z1 F1 ↑", "z2": "z2 ↑",
             "z3": "z3 ↑", "overall": "overall ↑"}  # fmt: skip
    lines = [[Cell(name)] + [_cell(found[key]) for key in heads] for name, found in rows]
    return Table(title, ["run", *heads.values()], lines, about=ABOUT)


def _cell(value: float | None) -> Cell:
    return Cell("-" if value is None else shown(value))


def add(results: Results) -> dict[str, Table]:
    """Score by SPICE the spatial runs that may stand in a table; returns it, by its file stem.
    Their scores get it, too; where there are none a warning says so."""
    runs = [row for row in honest(results) if row.config == CONFIG and not row.baseline]
    if not runs:
        results.warnings.append(f"{OPTION}: none of the files answers {CONFIG} questions")
        return {}
    for row in runs:
        row.spice = scores_of(results.items[CONFIG], row.saids, row.values)
    names = [full_name(row, True) for row in runs]
    title = f"{TASKS[CONFIG].text.title}: SPICE itself"
    return {
        f"{CONFIG}.spice": spice_table(
            title, [(n, r.spice) for n, r in zip(names, runs, strict=True)]
        )
    }
