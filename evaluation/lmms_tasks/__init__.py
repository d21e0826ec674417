"""Task files for lmms-eval; utils.py holds the functions that they name."""
