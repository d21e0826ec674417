"""The scene of a manual (`core/scenes.py`), put down while its pictures are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder.sources.drawn.marks import RGB, Array, seen_px, write_png
from core import scenes
from core.records import dump
from core.store import write_bytes


@dataclass
class SceneBook:
    """What is known so far; files go to `folder`. Part ids are places in `parts`."""

    folder: Path
    manual_id: str
    parts: list[scenes.PartInstance] = field(default_factory=list)
    pictures: list[scenes.ScenePicture] = field(default_factory=list)
    steps: list[scenes.StepScene] = field(default_factory=list)

    def add_part(self, part: scenes.PartInstance) -> int:
        """Note a part, whose id must be the next; returns it."""
        assert part.id == len(self.parts), f"part {part.id}: ids count up, {len(self.parts)} next"
        self.parts.append(part)
        return part.id

    def picture(
        self,
        name: str,
        sha256: str,
        camera: scenes.Camera,
        background_rgb: RGB,
        numbers: Array,
        part_ids: Sequence[int],
        outline_rgb: RGB | None = None,
        file: str | None = None,
    ) -> scenes.ScenePicture:
        """Write the map of a picture's parts; `numbers` (h, w) uint8 or uint16 are places in
        `part_ids`, from 1. The picture is returned, and not yet one of the page's."""
        seen = seen_px(numbers, len(part_ids))
        masks = f"{name}-masks.png"
        write_png(self.folder / masks, numbers)
        return scenes.ScenePicture(
            sha256=sha256,
            masks_file=masks,
            camera=camera,
            background_rgb=background_rgb,
            outline_rgb=outline_rgb,
            shown=[
                scenes.Shown(part_id, pixels, box)
                for part_id, (pixels, box) in zip(part_ids, seen, strict=True)
            ],
            file=file,
        )

    def write(self) -> None:
        """Write `scene.json`, which makes the scene whole, and remove what it does not name."""
        scene = scenes.ManualScene(self.manual_id, self.parts, self.pictures, self.steps)
        write_bytes(self.folder / scenes.FILE, dump(scene))
        named = {*scenes.files_of(scene), scenes.FILE}
        for file in self.folder.iterdir():
            if file.name not in named:
                file.unlink()
