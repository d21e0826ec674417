"""Spatial relations: where the new part is, in words."""
