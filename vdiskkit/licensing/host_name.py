"""Whether a text can be the name or address of a KMS host."""

from __future__ import annotations

import ipaddress
import re

__all__ = ["host_problem"]

_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_LONGEST = 253
_WITH_PORT = re.compile(r"[^:\[\]]+:[0-9]{1,5}|\[[0-9A-Fa-f:.]+\]:[0-9]{1,5}")


def host_problem(text: str) -> str | None:
    """Return why no target can find a host by this text; None when it is a DNS or NetBIOS name, or an address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        pass
    else:
        return None
    if _WITH_PORT.fullmatch(text):
        return "it holds the port too, which has a value of its own"
    labels = text.removesuffix(".").split(".")
    if labels[0].startswith("_"):
        return "it is the name of a service record (SRV), not of a host"
    if len(text) > _LONGEST or not all(_LABEL.fullmatch(label) for label in labels):
        return "it is no host name or address"
    # A last label of digits makes it an address to every resolver, and it is none.
    return "it is no IP address" if labels[-1].isdigit() else None
