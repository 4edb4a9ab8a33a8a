"""Profiles for the rules' tests, as TOML by name; any other name is a built-in one."""

from __future__ import annotations

KEY = r'registry."HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"'
PROFILES = {
    "host": '[expect]\nkms_host = ["kms.example.com", "kms8.msguides.com"]\n',
    "other-host": '[expect]\nkms_host = "kms2.example.com"\nkms_port = 1689\n',
    "new-target": '[expect]\ntarget_version = "9.0"\n',
    "old-target": '[expect]\ntarget_version = "7.15"\n',
    "ad-on": "[expect]\nad_password = true\n",
    "ad-off": "[expect]\nad_password = false\n",
    "value-right": f'[{KEY}]\nEditionID = "Enterprise"\nNoSuchValue = {{ absent = true }}\n',
    "value-wrong": f'[{KEY}]\nEditionID = "Education"\n',
    "file-there": '[files]\npresent = ["Windows/explorer.exe"]\nabsent = ["Windows/agent.exe"]\n',
    "file-not-there": '[files]\npresent = ["Windows/agent.exe"]\nabsent = []\n',
    "file-forbidden": r"[files]" + "\n" + r'absent = ["Windows\\explorer.exe"]' + "\n",
    "waiver": '[[waiver]]\nrule = "KMS110"\nreason = "new master is coming"\nexpires = 2030-01-01\n',
    "waiver-old": '[[waiver]]\nrule = "KMS110"\nreason = "new master is coming"\nexpires = 2020-01-01\n',
    "waiver-named": '[[waiver]]\nrule = "KMS110"\nreason = "x"\nexpires = 2030-01-01\ndisks = ["d*.vhd"]\n',
}
"""Each extends ``kms-standard``."""
