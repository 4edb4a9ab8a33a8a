"""Time one contestant's ``answer`` warm, in this process: the seconds of each round after the first, one a line."""

import importlib
import sys
import time
from pathlib import Path

ROUNDS = 9

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)]
contestant = importlib.import_module(sys.argv[1])
arguments = sys.argv[2:]
for number in range(ROUNDS + 1):
    started = time.perf_counter()
    found = contestant.answer(*arguments)
    if number:
        print(time.perf_counter() - started)
print(*found, file=sys.stderr)
