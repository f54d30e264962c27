"""The addresses that a calendar may be fetched from.

A URL in a policy file makes the gate open a connection. Only public addresses may be its target, unless the
operator allows others: services of an internal network often trust every caller in it.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple, Self

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NEVER: Final = tuple(
    (ip_network(network), what)
    for network, what in (
        ("0.0.0.0/8", "of no machine"),
        ("169.254.0.0/16", "link-local"),
        ("224.0.0.0/4", "a multicast group"),
        ("255.255.255.255/32", "a broadcast address"),
        ("::/128", "of no machine"),
        ("fe80::/10", "link-local"),
        ("ff00::/8", "a multicast group"),
    )
)
"""Not even with a setting: link-local ones are the metadata services of clouds, which hold credentials."""

_UNLESS_ALLOWED: Final = tuple(
    (ip_network(network), what)
    for network, what in (
        ("127.0.0.0/8", "this machine"),
        ("::1/128", "this machine"),
        ("10.0.0.0/8", "private"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("fc00::/7", "private"),
        ("fec0::/10", "private"),
        ("100.64.0.0/10", "of a carrier's internal network"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved for documentation"),
        ("198.51.100.0/24", "reserved for documentation"),
        ("203.0.113.0/24", "reserved for documentation"),
        ("2001:db8::/32", "reserved for documentation"),
        ("3fff::/20", "reserved for documentation"),
        ("192.88.99.0/24", "reserved"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("240.0.0.0/4", "reserved"),
        ("100::/64", "reserved"),
        ("5f00::/16", "reserved"),
    )
)

_NAT64: Final = IPv6Network("64:ff9b::/96")
_GLOBAL: Final = IPv6Network("2000::/3")
"""The only IPv6 addresses that are routed in the public Internet."""


class Reach(NamedTuple):
    """The reach of fetches, by the settings: public addresses, encrypted, on port 443 by default."""

    networks: Sequence[Network] = ()
    ports: Sequence[int] = (443,)
    http: bool = False

    @classmethod
    def of(cls, networks: str | None, ports: str, http: str) -> Self:
        """Return what settings in their own form allow; port 80 comes with ``http``."""
        allowed = [int(port) for port in ports.split(",")]
        clear = http == "allow"
        return cls(
            tuple(ip_network(each.strip()) for each in (networks or "").split(",") if each.strip()),
            (*allowed, 80) if clear else tuple(allowed),
            clear,
        )


def refusal(address: str, allowed: Sequence[Network]) -> str | None:
    """Return why nothing is fetched from an address; None if it is public or in an allowed network.

    An address that embeds an IPv4 address is judged by that as well.
    """
    found = (_refusal(each, allowed) for each in _meant(ip_address(address.partition("%")[0])))
    return next(filter(None, found), None)


def _refusal(address: Address, allowed: Sequence[Network]) -> str | None:
    if what := _named_in(_NEVER, address):
        return what
    if any(address in network for network in allowed):
        return None
    return _named_in(_UNLESS_ALLOWED, address) or (None if _is_routed(address) else "reserved")


def _named_in(table: Sequence[tuple[Network, str]], address: Address) -> str | None:
    return next((what for network, what in table if address in network), None)


def _is_routed(address: Address) -> bool:
    return isinstance(address, IPv4Address) or address in _GLOBAL or address in _NAT64


def _meant(address: Address) -> Iterator[Address]:
    """Yield the addresses that a connection to an address may reach."""
    if isinstance(address, IPv4Address):
        yield address
        return
    embedded = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if address in _NAT64:
        embedded = IPv4Address(int(address) & 0xFFFF_FFFF)
    if embedded is not None:
        yield embedded
    if address.ipv4_mapped is None:
        yield address
