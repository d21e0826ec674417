"""Sequences: which step is next, which was before, in which order, which one does not belong."""
