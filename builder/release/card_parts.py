"""Parts of the card that come from the finished shards and from the environment, as Markdown."""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from builder import stages
from builder.release import areas, relations, stats
from builder.release.columns import columns
from builder.release.samples import Sample
from builder.release.tally import Tally, confidence_table
from core.build import shards
from lego_arta import __version__
from tasks import TASKS

LINE = 88  # characters that a page shows without scrolling
CITATION = """@article{huang2025finegrained,
  title = {Fine-Grained Vision-Language Modeling for Multimodal Training Assistants in Augmented
           Reality},
  author = {Huang, Haochen and Pei, Jiahuan and Aliannejadi, Mohammad and Sun, X. and Ahsan, Moonisa
            and Cesar, Pablo and Yu, C. and Ren, Z. and Wang, Junxiao},
  journal = {arXiv preprint arXiv:2507.05515},
  year = {2025}
}
@mastersthesis{huang2024finegrained,
  title = {Fine-Grained Vision-Language Modeling for Multimodal Training Assistants in Augmented
           Reality},
  author = {Huang, Haochen},
  school = {University of Amsterdam and Vrije Universiteit Amsterdam},
  year = {2024}
}"""


def parts(folder: Path, samples: Sequence[Sample], tallies: Mapping[str, Tally]) -> dict[str, str]:
    """What card.md asks for besides counts and settings, by placeholder."""
    agreeing, labels = tallies["object"].agreeing, tallies["object"].labels
    return {
        "samples": "\n\n".join(_sample(sample) for sample in samples),
        "sizes": sizes_text(folder),
        "columns": columns_table(),
        "agreeing": f"{agreeing:,}",
        "labels": f"{labels:,}",
        "confidence": stats.markdown(("confidence", *TASKS), confidence_table(tallies)),
        "relations": relations.section(folder, tallies[relations.CONFIG].kinds),
        "areas": areas.section(folder, tallies[areas.CONFIG].kinds),
        "version": __version__,
        "code": stages.code_sha256()[:16],
        "libraries": libraries_text(stages.library_versions()),
        "citation": CITATION,
    }


def _sample(sample: Sample) -> str:
    """A picture with its question and answer under it: as code, for `<p>` is no HTML here, and in
    lines that a page shows whole."""
    question = "\n".join(_wrapped(line) for line in sample.query.strip().splitlines())
    return (
        f"**{sample.config}** ({sample.caption})\n\n"
        f"![{sample.config}: {sample.caption}]({sample.path})\n\n"
        f"```text\n{question}\n{_wrapped(f'-> {sample.answer}', '   ')}\n```"
    )


def _wrapped(line: str, indent: str = "") -> str:
    return textwrap.fill(
        line, LINE, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def columns_table() -> str:
    """Every column of every config: name, type, unit, meaning, which configs have it."""
    return stats.markdown(
        ("Column", "Type", "Unit", "Meaning", "Configs"),
        [
            (f"`{c.name}`", c.type, c.unit, c.meaning,
             "all" if len(c.configs) == len(TASKS) else ", ".join(c.configs))
            for c in columns()
        ],
    )  # fmt: skip


def sizes_text(folder: Path) -> str:
    """What a reader needs to know before downloading: megabytes, and sizes of pictures."""
    bytes_of = {
        config: sum(path.stat().st_size for path in shards(folder, config)) for config in TASKS
    }
    each = ", ".join(f"`{config}` {size / 1e6:,.1f}" for config, size in bytes_of.items() if size)
    return (
        f"Download: {sum(bytes_of.values()) / 1e6:,.1f} MB in all ({each}), and as much again on "
        "disk when loaded without `streaming=True`. Pictures are stored in the rows; no other file "
        "is needed."
    )


def libraries_text(versions: Mapping[str, str]) -> str:
    """Names and versions in one sentence."""
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + "."
