"""A build put together: rows into shards, splits, statistics, card, metadata, checks."""
