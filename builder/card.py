"""The dataset card: `card.md` filled from a build's own counts, with the Hub's YAML on top."""

import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from datasets import DatasetInfo
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData

from builder import probes, stats
from builder.features import add_to_card
from builder.reviews import card_text
from lego_arta import CONFIGS, SPLITS

FILE = "README.md"
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
FAIR_PLAY_URL = "https://www.lego.com/en-nl/legal/notices-and-policies/fair-play/"
LICENCE_URLS = {True: "https://www.apache.org/licenses/LICENSE-2.0", False: FAIR_PLAY_URL}
LICENCES = {
    True: (
        "apache-2.0",
        "The pictures and texts were drawn by lego-arta itself: Apache-2.0, no LEGO material.",
    ),
    False: (
        "other",
        "Pictures and texts are the LEGO Group's and are used for non-commercial research under "
        f"its [fair-play terms]({FAIR_PLAY_URL}); whoever uses or passes on this dataset has to "
        "keep to them. What lego-arta adds (boxes, queries, splits, code) is Apache-2.0. LEGO is a "
        "trademark of the LEGO Group, which does not sponsor, authorise or endorse this dataset.",
    ),
}
NEGATIVES = {
    "paper": "moved by at least 5 % of the assembly's box",
    "typed": "moved, turned, mirrored, recoloured, exchanged for another part of the session, left "
    "out, or doubled (`negative_kind`)",
}
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
    "none. In a tiny build a config that would lack a split gets the set nearest to it; a build of "
    "a single set is divided by session.",
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
    parts: Mapping[str, str],
) -> str:
    """README.md of a build; `parts` comes from card_parts. A placeholder that nothing fills is a
    KeyError.
    """
    is_demo = settings["source"] == "demo"
    licence, licence_text = LICENCES[is_demo]
    rows = sum(sum(by_split.values()) for by_split in splits.values())
    body = string.Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        rows=f"{rows:,}",
        manuals=f"{int(numbers['manuals']):,}",
        source=_source_text(str(settings["source"])),
        statistics=stats.markdown(("Category", "Item", "Count"), stats.table_4_3(numbers)),
        splits=splits_table(splits),
        split_mode=str(settings["split"]),
        split_rule=SPLIT_RULES[str(settings["split"])],
        drops=_drops_table(drops),
        configs="\n".join(f"- **{name}**: {text}" for name, text in CONFIGS.items()),
        annotator=str(settings["annotator"]),
        seed=str(settings["seed"]),
        image_format=str(settings["image_format"]),
        licence=licence_text,
        **parts,
    )
    return f"---\n{front_matter(infos, licence, rows)}\n---\n\n{body}"


def state_parts(
    settings: Mapping[str, object],
    probed: Sequence[probes.Result],
    screened: Mapping[str, int],
) -> dict[str, str]:
    """What card.md says of how state pictures were made and probed, by placeholder."""
    return {
        "negatives": NEGATIVES[str(settings["negatives"])],
        "positives": POSITIVES[str(settings["positives"])],
        "probes": _probes_table(probed),
        "screened": _screened_text(screened),
        "reviewed": card_text(settings.get("reviews")),  # type: ignore[arg-type]
    }


def splits_table(splits: Mapping[str, Mapping[str, int]]) -> str:
    """Rows by config and split."""
    return stats.markdown(
        ("Config", *SPLITS),
        [(c, *(f"{by_split[s]:,}" for s in SPLITS)) for c, by_split in splits.items()],
    )


def _source_text(source: str) -> str:
    if source == "demo":
        return "manuals drawn by lego-arta's own demo source"
    if source.startswith("legacy:"):
        return "the originally released dataset, or a folder in its layout"
    return "manuals crawled from a listing" if "://" in source else "a saved site"


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
    return stats.markdown(("Probe", "Sees only", "AUC (95 % interval)"), rows)


def _screened_text(screened: Mapping[str, int]) -> str:
    if not screened:
        return "Screening turned down no wrong state."
    counted = "; ".join(f"{n:,} {what.replace('_', ' ')}" for what, n in screened.items())
    return f"Screening turned down: {counted}."


def front_matter(infos: Mapping[str, DatasetInfo], licence: str, rows: int) -> str:
    """The YAML that the Hub and `datasets` read, without its fences."""
    size = next((name for limit, name in SIZES if rows < limit), "1M<n<10M")
    named: dict[str, Any] = {"license_name": "lego-fair-play", "license_link": FAIR_PLAY_URL}
    named = named if licence == "other" else {}
    data = DatasetCardData(license=licence, size_categories=[size], **named, **COMMON_YAML)
    add_to_card(infos, data)
    MetadataConfigs(
        {
            config: {
                "data_files": [
                    {"split": split, "path": f"data/{config}/{split}-*"} for split in info.splits
                ],
                **({"default": True} if config == "scene" else {}),
            }
            for config, info in infos.items()
        }
    ).to_dataset_card_data(data)
    return str(data.to_yaml()).strip()
