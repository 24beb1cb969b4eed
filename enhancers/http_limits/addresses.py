"""Addresses of clients and of the proxies that are trusted to pass them on."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK = "127.0.0.0/8, ::1"
"""The proxies that are trusted by default: those on this machine."""
PRIVATE = f"{LOOPBACK}, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7"
"""Every private network: the proxy of a Space is in one of them."""
_SITE_BITS = 64


def networks(named: str | Sequence[str]) -> tuple[Network, ...]:
    """The networks of trusted proxies.

    Parameters
    ----------
    named : str or sequence of str
        Addresses and networks, such as 172.17.0.0/16, with commas or spaces between them.

    Raises
    ------
    ValueError
        One of them is neither.
    """
    items = [named] if isinstance(named, str) else named
    words = [word for item in items for word in re.split(r"[,\s]+", item) if word]
    try:
        return tuple(ipaddress.ip_network(word) for word in words)
    except ValueError as error:
        raise ValueError(f"{error}; give addresses or networks, such as 172.17.0.0/16") from None


class Proxies:
    """Tells the addresses of trusted proxies from others.

    Parameters
    ----------
    trusted : sequence of Network
        From `networks`.
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = tuple(trusted)
        self.trusts = functools.lru_cache(maxsize=4096)(self._trusts)

    def _trusts(self, host: str) -> bool:
        """Whether it is the address of a trusted proxy."""
        found = _address(host)
        return found is not None and any(
            found.version == one.version and found in one for one in self._trusted
        )

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The address of the client.

        Every proxy adds at the right the address that it was asked by, so the client is the first
        from the right that is no trusted proxy; what stands to the left of it, the client wrote.

        Parameters
        ----------
        peer : str
            The other end of the connection.
        forwarded : sequence of str
            The values of ``X-Forwarded-For``, in order.
        """
        found = peer
        hops = [hop.strip() for value in forwarded for hop in value.split(",")]
        while hops and self.trusts(found):
            address = _address(_without_port(hops.pop()))
            if address is None:
                break
            found = str(address)
        return found


def address_group(host: str) -> str:
    """What a limit for one address counts: an IPv4 address, or the 64-bit network of IPv6.

    Whoever has one address of IPv6 has all of such a network.
    """
    found = _address(host)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, _SITE_BITS), strict=False))
    return str(found or host)


def client_group(scope: Mapping[str, Any]) -> str:
    """The `address_group` of whoever sends a request; empty where the server does not know it.

    Parameters
    ----------
    scope : mapping
        Of the ASGI connection, behind `ProxyHeaders`.
    """
    client = scope.get("client")
    return address_group(client[0]) if client else ""


def plain(host: str) -> str:
    """An address as it is usually written; whatever is none, as it is."""
    found = _address(host)
    return host if found is None else str(found)


def _address(host: str) -> Address | None:
    """An address; one of IPv4 that is written as IPv6 becomes what it is."""
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _without_port(hop: str) -> str:
    """The address in ``1.2.3.4:80``, ``[::1]:80`` or ``::1``."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop
