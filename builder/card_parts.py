"""Parts of the card that come from the finished shards and from the environment, as Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from builder import folders, stats
from builder.samples import Sample, box_counts, confidence_table
from lego_arta import CONFIGS, __version__

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


def parts(folder: Path, samples: Sequence[Sample]) -> dict[str, str]:
    """What card.md asks for besides counts and settings, by placeholder."""
    agreeing, labels = box_counts(folder)
    return {
        "samples": "\n\n".join(_sample(sample) for sample in samples),
        "agreeing": f"{agreeing:,}",
        "labels": f"{labels:,}",
        "confidence": stats.markdown(("confidence", *CONFIGS), confidence_table(folder)),
        "version": __version__,
        "code": folders.code_version()[:16],
        "libraries": libraries_text(folders.library_versions()),
        "citation": CITATION,
    }


def _sample(sample: Sample) -> str:
    """A picture with its question and answer under it: as code, for `<p>` is no HTML here."""
    return (
        f"**{sample.config}** ({sample.caption})\n\n"
        f"![{sample.config}: {sample.caption}]({sample.path})\n\n"
        f"```text\n{sample.query.strip()}\n-> {sample.answer}\n```"
    )


def libraries_text(versions: Mapping[str, str]) -> str:
    """Names and versions in one sentence."""
    return ", ".join(f"{name} {version}" for name, version in sorted(versions.items())) + "."
