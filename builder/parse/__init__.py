"""A manual page's rows as the typed manual JSON."""
