"""Mistakes: what is wrong in a wrong state, where, and how to put it right."""
