"""The dataset card: `card.md` filled from a build's own counts, with the Hub's YAML on top."""

import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import DatasetInfo
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData

from builder import probes
from builder.release import stats
from builder.release.reviews import card_text
from builder.sources.terms import Terms
from core.features import add_to_card
from lego_arta import CONFIGS, SPLITS
from tasks import TASKS

FILE = "README.md"
FORMAT_WORDS = {
    "bmp": "BMP, which the files pack a row group at a time (made for streaming and small disks: "
    "loaded without `streaming=True` the cache holds raw pixels, about 2 MB a row; the build with "
    "`--image-format webp` is the one to load as a whole)"
}
TEMPLATE = Path(__file__).with_name("card.md")
# What the card of any build says of itself; the top-level README.md carries the same.
COMMON_YAML: dict[str, Any] = {
    "language": ["en"],
    "pretty_name": "LEGO-ARTA",
    "task_categories": ["visual-question-answering", "object-detection", "image-classification"],
    "tags": ["augmented-reality", "assembly", "lego", "grounding", "vision-language"],
    "annotations_creators": ["machine-generated"],
}
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
NAMES_SHOWN = 10  # of units in a sentence
TEMPLATES = {
    "paper": "the papers' words",
    "readable": "plain English that quotes instructions (`--templates readable`)",
}
_RENDERED = (
    "moved, turned, of another colour, another part, one missing, one too many, or the next step's "
    "(`negative_kind`), as it could be built and drawn like the right picture; in manuals that "
    "were not drawn here it is moved by at least 5 % of the assembly's box"
)
NEGATIVES = {
    "rendered": _RENDERED,
    "balanced": _RENDERED,
    "paper": "moved by at least 5 % of the assembly's box",
    "typed": "moved, turned, mirrored, recoloured, exchanged for another part of the session, left "
    "out, or doubled (`negative_kind`)",
}
DRAWN = (
    "Where the source drew its pictures (`provenance.annotator` is `exact`), right and wrong ones "
    "are whole drawings by one renderer, and `false_facts` says what of the instruction does not "
    "hold. Elsewhere: "
)
POSITIVES = {
    "matched": "The right picture is made like the wrong ones: the step before without its "
    "outline, and the part cut out and mixed in with soft edges, only at its right place.",
    "original": "As in the thesis, the right picture is the manual's own, and the part is cut out "
    "and pasted as it is on the picture of the step before: how the wrong ones were made gives the "
    "answer away. Use it only to compare with published numbers.",
}
SPLIT_RULES = {
    "manual": "Whole sets go to train or test (about 75 : 25) by a hash of the set number, so no "
    "manual, step, group or part picture of one split is in the other, and adding manuals moves "
    "none. A config that would lack a split, as in a tiny build, gets the set nearest to it. Where "
    "no set can be given, one is divided for that config alone: into its sessions, a session into "
    "its steps, a step into what is never parted (a state group, the collages of one object). A "
    "single such item is in train.",
    "paper": "25 % of the pairs at random, as in the thesis; state groups stay together. Steps of "
    "one manual and collages of one object are on both sides: use it only to compare with "
    "published numbers.",
}


def render(
    infos: Mapping[str, DatasetInfo],
    numbers: Mapping[str, float],
    splits: Mapping[str, Mapping[str, int]],
    drops: Mapping[str, Mapping[str, int]],
    settings: Mapping[str, object],
    terms: Terms,
    parts: Mapping[str, str],
) -> str:
    """README.md of a build; `parts` comes from card_parts. A placeholder that nothing fills is a
    KeyError.
    """
    rows = sum(sum(by_split.values()) for by_split in splits.values())
    named = str(settings["image_format"])
    body = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        rows=f"{rows:,}",
        manuals=f"{int(numbers['manuals']):,}",
        source=terms.description,
        statistics=stats.markdown(("Category", "Item", "Count"), stats.table_4_3(numbers)),
        splits=splits_table(splits),
        split_mode=str(settings["split"]),
        drops=_drops_table(drops),
        configs="\n".join(f"- **{name}**: {text}" for name, text in CONFIGS.items()),
        annotator=str(settings["annotator"]),
        seed=str(settings["seed"]),
        image_format=FORMAT_WORDS.get(named, named),
        licence=terms.attribution,
        templates=TEMPLATES[str(settings["templates"])],
        **parts,
    )
    return f"---\n{front_matter(infos, terms, rows)}\n---\n\n{body}"


def state_parts(
    settings: Mapping[str, object],
    probed: Sequence[probes.Result],
    screened: Mapping[str, int],
) -> dict[str, str]:
    """What card.md says of how state pictures were made and probed, by placeholder."""
    return {
        "negatives": NEGATIVES[str(settings["negatives"])],
        "positives": (DRAWN if settings["negatives"] in ("rendered", "balanced") else "")
        + POSITIVES[str(settings["positives"])],
        "probes": _probes_table(probed),
        "screened": _screened_text(screened),
        "reviewed": card_text(settings.get("reviews")),  # type: ignore[arg-type]
    }


def split_text(mode: str, exceptions: Mapping[str, Any]) -> str:
    """How train and test were made, and what had to be moved or divided for it in this build."""
    lines = [
        f"In `{config}`, which has too few rows elsewhere, on both sides: {_names(names)}."
        for config, names in exceptions["divided"].items()
    ]
    if exceptions["moved"]:
        moved = _names(exceptions["moved"])
        lines.append(f"Not where the hash says, so that every config has its splits: {moved}.")
    return "\n\n".join([SPLIT_RULES[mode], *lines])


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(f"`{name}`" for name in names[:NAMES_SHOWN]) + more


def splits_table(splits: Mapping[str, Mapping[str, int]]) -> str:
    """Rows by config and split."""
    return stats.markdown(
        ("Config", *SPLITS),
        [(c, *(f"{by_split[s]:,}" for s in SPLITS)) for c, by_split in splits.items()],
    )


def _drops_table(drops: Mapping[str, Mapping[str, int]]) -> str:
    rows = [
        (task, reason.replace("_", " "), f"{number:,}")
        for task, reasons in drops.items()
        for reason, number in reasons.items()
    ]
    return stats.markdown(("Stage", "Reason", "Number"), rows) if rows else "Nothing was left out."


def _probes_table(probed: Sequence[probes.Result]) -> str:
    if not probed:
        return "Not probed: too few state groups to tell anything, or probing was turned off."
    rows = [(r.probe, probes.PROBES[r.probe], r.text().removeprefix("AUC ")) for r in probed]
    table = stats.markdown(("Probe", "Sees only", "AUC (95 % interval)"), rows)
    if not any(probes.NO_TORCH in result.why for result in probed):
        return table
    return (
        f"{table}\n\nWhat needs torch was not checked in this build. With it (in a checkout: "
        "`pip install -e '.[annotate]'`) the same command checks it."
    )


def _screened_text(screened: Mapping[str, int]) -> str:
    if not screened:
        return "Screening turned down no wrong state."
    counted = "; ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in screened.items())
    return f"Screening turned down: {counted}."


def front_matter(infos: Mapping[str, DatasetInfo], terms: Terms, rows: int) -> str:
    """The YAML that the Hub and `datasets` read, without its fences."""
    size = next((name for limit, name in SIZES if rows < limit), "1M<n<10M")
    named: dict[str, Any] = {"license_name": terms.licence_name, "license_link": terms.licence_url}
    data = DatasetCardData(
        license=terms.licence,
        size_categories=[size],
        **(named if terms.licence_name else {}),
        **COMMON_YAML,
    )
    add_to_card(infos, data)
    MetadataConfigs(
        {
            config: {
                "data_files": [
                    {"split": split, "path": f"data/{config}/{split}-*"} for split in info.splits
                ],
                **({"default": True} if config == next(iter(TASKS)) else {}),
            }
            for config, info in infos.items()
        }
    ).to_dataset_card_data(data)
    return str(data.to_yaml()).strip()
