"""Makes the files that are given out: `python dev.py build` and `python dev.py exe` run the modules in here."""
