"""What scripts/bench.py and measure.py measure: speed, memory, size; quality on known truth."""
