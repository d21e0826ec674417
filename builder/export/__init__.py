"""Formats a build is written in, one file each."""
