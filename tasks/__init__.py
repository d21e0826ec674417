"""The three tasks, one file each: rows of a manual -> examples. The texts are in prompts.py."""
