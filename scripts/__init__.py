"""Commands: thin wrappers over importable functions. Each runs as a file from anywhere."""
