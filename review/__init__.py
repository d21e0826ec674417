"""People look at a build: rating pages, agreement of raters, a gallery to browse."""
