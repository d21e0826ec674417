"""Formats of large files: which row groups go into which file."""

from typing import NamedTuple

from builder.export.units import Request, Unit


class Shard(NamedTuple):
    """Consecutive units that make one file; `config` is "" when configs are merged."""

    config: str
    split: str
    number: int
    units: tuple[Unit, ...]

    @property
    def stem(self) -> str:
        """`state-train-000000`, or `train-000000` when merged."""
        return "-".join(filter(None, (self.config, self.split, f"{self.number:06d}")))


def pack(request: Request, units: list[Unit], image_bytes: int) -> list[Shard]:
    """Units in order in shards of at most `image_bytes` of pictures; splits and, unless merged,
    configs apart. A unit that is larger alone stands alone.
    """
    groups: dict[tuple[str, str], list[list[Unit]]] = {}
    for unit in units:
        key = ("" if request.merge else unit.config, unit.split)
        several = groups.setdefault(key, [[]])
        if several[-1] and sum(u.image_bytes for u in several[-1]) + unit.image_bytes > image_bytes:
            several.append([])
        several[-1].append(unit)
    return [
        Shard(config, split, number, tuple(part))
        for (config, split), several in groups.items()
        for number, part in enumerate(several)
    ]
