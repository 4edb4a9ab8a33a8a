"""Make the sample vDisks in this folder, the same bytes every time.

Run from the top of the repository::

    python -m sample_images.make_samples [FOLDER]

Only Python is needed. The NTFS volumes come from ``tests/data/base``, where mkntfs and ntfs-3g made them (see
``tests/build/make_base_volumes.py``); everything put into them is generated here, nothing comes from a real Windows.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.build.scenario import SCENARIOS

SAMPLES = ("win7-kms", "win10-private-mak", "desk10", "desk11", "faulty", "hostile")


def main() -> None:
    """Write all samples into the folder named on the command line, by default this one."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    for name in SAMPLES:
        print(SCENARIOS[name](folder))


if __name__ == "__main__":
    main()
