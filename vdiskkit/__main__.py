"""``python -m vdiskkit``."""

import sys

try:
    from vdiskkit.cli import main

    sys.exit(main())
except KeyboardInterrupt:  # before the command line was up; afterwards it answers itself
    sys.stderr.write("cancelled\n")
    sys.exit(130)
