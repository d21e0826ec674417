"""Audio-and-braille manuals: pages crawled from a site or saved on disk."""
