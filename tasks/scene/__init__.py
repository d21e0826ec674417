"""Scene understanding: what to do now."""
