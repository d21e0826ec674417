"""What everything else stands on: errors, and the command line. It imports nothing of ours."""
