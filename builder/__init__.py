"""From manuals to a loadable dataset: `lego-arta build` runs the stages, one folder each.

source (sources/) -> crawl -> parse -> annotate/ -> tasks/ -> assemble (split, export/, card)

Every stage after the crawl is a pure function of one manual and the options (`stages.py`);
`core/store.py` says where things lie and how they are written, `core/records.py` what they look
like.
"""
