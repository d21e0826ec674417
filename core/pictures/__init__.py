"""Pictures as files: what may be read, how it is decoded and encoded, colours made plain sRGB."""
