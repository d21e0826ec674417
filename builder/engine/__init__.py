"""What runs a function for many manuals."""
