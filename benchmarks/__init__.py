"""What `lego-arta bench` measures: speed, memory, size; `measure`: quality on known truth."""
