"""What rows can be made like, as the command line says it."""

import dataclasses
import re
from dataclasses import dataclass

NEGATIVES = ("rendered", "balanced", "typed", "paper")
POSITIVES = ("matched", "original")
SCENES = ("latest", "direct")  # which find row before a step counts
HEX_RE = re.compile(r"#[0-9A-Fa-f]{6}")


@dataclass(frozen=True)
class TaskOptions:
    """Everything besides its input that a manual's rows depend on."""

    seed: int = 42
    image_format: str = "webp"
    negatives: str = "rendered"
    positives: str = "matched"
    templates: str = "paper"
    scenes: str = "latest"
    # Whether answers of spatial rows are put into other words, by rules.
    diversify: bool = False
    # Where a promptable segmenter lies that is asked for masks, too: a folder or a Hub id.
    mask_model: str | None = None
    # (session id, hex colour or None for no outline) set by hand, for sessions of this manual.
    boundary_colors: tuple[tuple[str, str | None], ...] = ()

    @property
    def rendered(self) -> bool:
        """Whether wrong states are those that a source drew, where it drew its pictures."""
        return self.negatives in ("rendered", "balanced")

    def of_manual(self, manual_id: str) -> "TaskOptions":
        """The options that matter to one manual: colours of other sessions don't."""
        own = tuple(c for c in self.boundary_colors if c[0].startswith(f"{manual_id}/"))
        return dataclasses.replace(self, boundary_colors=own)
