"""dissect.target: SkipRearm."""

import logging
import sys

from dissect.target import Target

logging.disable()
SERVICE = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\SoftwareProtectionPlatform"
print(Target.open(sys.argv[1]).registry.key(SERVICE).value("SkipRearm").value)
