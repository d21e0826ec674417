"""A build on the Hub: plan, upload, loader, recipe."""
