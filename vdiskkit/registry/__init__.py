"""Registry hives: base block, cells, keys, values, and their text form."""
