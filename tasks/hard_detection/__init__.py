"""Harder detection: parts among parts that are alike, absent ones, all of a kind."""
