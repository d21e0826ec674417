"""Test sets that are made from a finished build, without its manuals: `lego-arta derive`."""
