"""Which network addresses a page may be fetched from, and a resolver that enforces it at the moment of connecting.

Checking a name first and connecting to it later leaves a gap in which the name can change its address. Here the
resolver that the connection itself uses does the check, so what was checked is what is connected to.
"""

import socket
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")


class AddressRefused(OSError):
    """The name or address does not belong to the public internet."""


class StaticAddress(NamedTuple):
    """Where a static host is: numeric address and port."""

    ip: str
    port: int


def parse_static_hosts(hosts: Mapping[str, str]) -> dict[str, StaticAddress]:
    """Host name → "ip:port" (IPv6 in brackets) as typed values. Raises ValueError for anything else."""
    parsed: dict[str, StaticAddress] = {}
    for name, target in hosts.items():
        ip, _, port = target.rpartition(":")
        parsed[normalise_host(name)] = StaticAddress(str(ip_address(ip.strip("[]"))), int(port))
    return parsed


def normalise_host(host: str) -> str:
    """Lower case, without the dot that may end a full domain name."""
    return host.lower().rstrip(".")


def is_public(address: str) -> bool:
    """True for a unicast address of the public internet.

    IPv4 addresses wrapped in IPv6 (mapped, compatible, 6to4, NAT64) are judged as the IPv4 address that they lead to.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        inner = _wrapped_ipv4(ip)
        if inner is None:
            return _is_public_unicast(ip) and not ip.is_site_local and ip.teredo is None
        ip = inner
    return _is_public_unicast(ip)


def _is_public_unicast(ip: IPv4Address | IPv6Address) -> bool:
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def _wrapped_ipv4(ip: IPv6Address) -> IPv4Address | None:
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip.sixtofour is not None:
        return ip.sixtofour
    if ip in _NAT64 or ip in _IPV4_COMPATIBLE:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return None


class CheckedResolver(AbstractResolver):
    """Resolves a name once for each connection and refuses it when any of its addresses is not public.

    Names in `static_hosts` are answered from there, like from a hosts file, without a lookup and without the rule.
    """

    def __init__(self, lookup: AbstractResolver, static_hosts: Mapping[str, StaticAddress]) -> None:
        self._lookup = lookup
        self._static_hosts = static_hosts

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses to connect to. Raises AddressRefused, or OSError when the name is unknown."""
        static = self._static_hosts.get(normalise_host(host))
        if static is not None:
            return [_result(host, static.ip, static.port)]
        found = await self._lookup.resolve(host, port, family)
        for result in found:
            if not is_public(result["host"]):
                raise AddressRefused(f"{host} leads to {result['host']}, which is not a public address")
        return found

    async def close(self) -> None:
        """Closes the lookup behind it."""
        await self._lookup.close()


def _result(host: str, ip: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    return ResolveResult(hostname=host, host=ip, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)
