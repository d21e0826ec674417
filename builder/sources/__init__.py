"""Where manuals come from: a folder a source (`source.py`), in the list of `known.py`."""
