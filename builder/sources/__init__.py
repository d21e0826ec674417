"""Where manuals come from, one file a source: demo (drawn here), saved (a folder), web (a site)."""
