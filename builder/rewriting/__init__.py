"""Answers of spatial rows in the words of a language model, kept where they still say the same."""
