"""Names and addresses of hosts."""

from __future__ import annotations

import pytest

from vdiskkit.licensing.host_name import host_problem


@pytest.mark.parametrize(
    "text",
    [
        "kms",
        "KMS01",
        "kms.example.com",
        "kms.example.com.",
        "my_kms.corp",
        "10.0.0.5",
        "fd00::5",
        "3com.example",
        "a.1b",
    ],
)
def test_hosts(text: str) -> None:
    assert host_problem(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kms.corp.local:1688", "it holds the port too, which has a value of its own"),
        ("[fd00::5]:1688", "it holds the port too, which has a value of its own"),
        ("999.1.1.1", "it is no IP address"),
        ("10.0.0", "it is no IP address"),
        ("kms..x", "it is no host name or address"),
        ("-kms", "it is no host name or address"),
        ("kms-", "it is no host name or address"),
        (" kms", "it is no host name or address"),
        ("kms\n", "it is no host name or address"),
        (".", "it is no host name or address"),
        ("x" * 64, "it is no host name or address"),
        (".".join(["abc"] * 64), "it is no host name or address"),
        ("http://kms", "it is no host name or address"),
        ("_vlmcs._tcp.example.com", "it is the name of a service record (SRV), not of a host"),
    ],
)
def test_what_is_no_host(text: str, problem: str) -> None:
    assert host_problem(text) == problem
