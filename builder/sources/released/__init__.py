"""Datasets in the layout of the original release."""
