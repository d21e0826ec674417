"""Object detection: where the parts asked for are."""
