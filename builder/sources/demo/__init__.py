"""Manuals drawn here, which need no network."""

MANUALS = 12  # that a demo has, if nothing else is said
