"""The benchmark: prompts, answers, metrics, rewards, model runners, score tables.

Reads a build's Parquet; needs no crawler, no GPU, and torch only where a model runs in this
process. Errors a user can mend are `core.items.UserError`.
"""
