"""Programs for developers; ``dev.py`` is the one to begin with."""
