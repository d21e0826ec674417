"""The options of an export, as export.json says them, and how those of two exports differ."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from builder.export.units import Request, missing
from core.store import sha256
from evaluation.examples import OF_TRAIN
from evaluation.prompts import PARTS, shows_examples

# By the flag that chooses it, what export.json says.
OPTIONS = {
    "--format": "format",
    "--config": "configs",
    "--split": "splits",
    "--merge": "merged",
    "--min-confidence": "min_confidence",
    "--limit": "limit",
    "--names": "names",
    "--ids": "ids",
    "files missing in the build:": "missing",
    "--boxes": "boxes",
    "--frame": "frame",
    "--min-pixels and --max-pixels": "pixels",
    "--template": "template",
    "--previous": "previous",
    "--examples": "examples",
    "--shots": "shots",
    "--example-pictures": "example_pictures",
    "--example-manuals": "example_manuals",
    "--without": "without",
    "--seed": "seed",
    "--deploy": "deploy",
    "--masks": "masks",
    "--mask-threshold": "mask_threshold",
}


def options_of(module: ModuleType, request: Request, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What an export is of, and made with: the part of export.json that is known beforehand."""
    setting = request.setting
    asks = module.SETTING is not None
    of_train = asks and setting.examples in OF_TRAIN
    return {
        "format": request.format,
        "build": {key: manifest[key] for key in ("version", "fingerprint")},
        "configs": list(request.configs),
        "splits": list(request.splits),
        "merged": request.merge,
        "min_confidence": request.min_confidence,
        "limit": request.limit,
        "names": request.names,
        "ids": _ids_text(request),
        "missing": missing(request, manifest),
        "boxes": setting.boxes if asks else None,
        "frame": setting.frame if asks else module.FRAME,
        "pixels": list(setting.pixels) if setting.pixels else None,
        "template": setting.template if asks else None,
        "previous": setting.previous if asks else None,
        "examples": setting.examples if asks else None,
        "shots": setting.shots if asks and setting.examples != "none" else 0,
        "example_pictures": shows_examples(setting) if of_train else None,
        "example_manuals": setting.example_manuals if of_train else None,
        "without": [part for part in PARTS if not getattr(setting, part)] if asks else None,
        "seed": request.seed,
        **_look_options(request),
    }


def _look_options(request: Request) -> dict[str, Any]:
    look = request.look
    return {
        "deploy": look and look.method,
        "masks": look and look.masks,
        "mask_threshold": look and look.threshold,
        "uses_gold_mask": bool(look and look.is_gold),
    }


def _ids_text(request: Request) -> str | None:
    """Which rows were chosen, short."""
    if request.ids is None:
        return None
    return f"{len(request.ids)} ids, {sha256(' '.join(sorted(request.ids)).encode())[:12]}"


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """How the options of the export in a folder differ from those asked for, in words."""
    found = [
        f"{flag} {_shown(there.get(key))} there, {_shown(here[key])} here"
        for flag, key in OPTIONS.items()
        if there.get(key) != here[key]
    ]
    if there.get("build") != here["build"]:
        found.append("another build there")
    return "; ".join(found) or "made by other code there"


def _shown(value: Any) -> str:
    if value == []:
        return "none"
    if value is None or value is False:
        return "not given"
    if value is True:
        return "given"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
