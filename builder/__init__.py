"""From manuals to a loadable dataset: `builder/make.py` runs the stages, one folder each.

source (sources/) -> crawl -> parse -> annotate/ -> tasks/ -> assemble (split, export/, card)

Every stage after the crawl is a pure function of one manual and the options (`pipeline.py`);
`folders.py` says where things lie and how they are written, `records.py` what they look like.
"""
