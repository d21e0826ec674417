"""Manuals drawn here, which need no network."""
