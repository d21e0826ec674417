"""Spatial answers and mask instructions in a model's words, kept where they still say the same."""
