"""Manuals drawn from open CAD models in the LDraw format."""
