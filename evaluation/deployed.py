"""Items whose pictures are seen through masks, for any runner: it reads them as ever."""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

from core.build import picture_bytes
from core.errors import UserError
from core.items import Item
from core.pictures.containers import ImageError
from tasks.deployed import Seen, seen, size_of
from tasks.looks import Look
from tasks.row_masks import has_map, map_of

SEEN_KEPT = 64  # pictures of what is asked now: an endpoint may ask for one again


class NoMask(UserError):
    """Not one of the items that are asked about has a mask."""


class Shown:
    """The pictures of a build's items seen through masks, each made when it is asked for."""

    def __init__(self, look: Look, build: Path):
        self.look, self.build = look, build
        self._seen = functools.lru_cache(SEEN_KEPT)(self._see)

    def item(self, item: Item) -> Item:
        """The item, shown through its mask."""
        return dataclasses.replace(item, shown=lambda: self._seen(item).data)

    def crop_xyxy_px(self, item: Item) -> list[int] | None:
        """Which part of an item's picture is shown; None for all of it."""
        frame = self._seen(item).frame
        return None if frame.is_whole else list(frame.crop_xyxy_px)

    def check(self, item: Item) -> None:
        """Raise `ImageError` where an item has no mask that fits its picture."""
        map_of(self.look, self.build, item.config, item.split, item.id,
               size_of(picture_bytes(item.place)))  # fmt: skip

    def _see(self, item: Item) -> Seen:
        data = picture_bytes(item.place)
        found = map_of(self.look, self.build, item.config, item.split, item.id, size_of(data))
        return seen(self.look, data, found)


def with_maps(look: Look, build: Path, items: Sequence[Item]) -> list[Item]:
    """The items that have a mask; raises `NoMask` where none has."""
    found = [i for i in items if has_map(look, build, i.config, i.split, i.id)]
    if items and not found:
        cure = ("build with the config mask, or give --masks predicted:DIR" if look.is_gold
                else "a map is called by its row's id, ID.png or ID.npy")  # fmt: skip
        raise NoMask(
            f"--masks {look.masks}: not one of {len(items):,} {items[0].config} items has a mask; "
            f"{cure}"
        )
    return found


def check_maps(shown: Shown, items: Sequence[Item]) -> None:
    """Raise `UserError`, before anybody is asked, for masks that lack or don't fit."""
    wrong = []
    for item in items:
        try:
            shown.check(item)
        except ImageError as error:
            wrong.append(f"{item.id}: {error.reason.replace('_', ' ')} ({error.detail})")
    if wrong:
        raise UserError(
            f"--masks {shown.look.masks}: {len(wrong):,} of {len(items):,} items have no mask that "
            f"fits; the first is {wrong[0]}"
        )
