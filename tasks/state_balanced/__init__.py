"""State detection in groups of four that neither the picture nor the text alone can answer."""
