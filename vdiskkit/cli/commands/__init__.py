"""One small module for each command; each loads what it needs when it runs."""
