"""Addresses that calendars are fetched from, and those that they are not."""

from ipaddress import ip_network

import pytest

from app.policies.calendars.addresses import Reach, refusal

PUBLIC = ("93.184.215.14", "8.8.8.8", "2606:2800:21f:cb07::1", "64:ff9b::808:808", "2002:808:808::1")
REFUSED = {
    "127.0.0.1": "this machine",
    "127.255.255.254": "this machine",
    "::1": "this machine",
    "::ffff:127.0.0.1": "this machine",
    "::ffff:7f00:1": "this machine",
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "::ffff:192.168.1.1": "private",
    "fd12:3456::1": "private",
    "fec0::1": "private",
    "100.64.0.1": "a carrier",
    "100.127.255.255": "a carrier",
    "169.254.169.254": "link-local",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "::ffff:169.254.169.254": "link-local",
    "64:ff9b::a9fe:a9fe": "link-local",
    "64:ff9b::a00:1": "private",
    "2002:a00:1::1": "private",
    "2002:7f00:1::": "this machine",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "255.255.255.255": "broadcast",
    "0.0.0.0": "no machine",  # noqa: S104 - nothing is bound
    "0.1.2.3": "no machine",
    "::": "no machine",
    "192.0.2.1": "documentation",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "2001:db8::1": "documentation",
    "198.18.0.1": "benchmarks",
    "240.0.0.1": "reserved",
    "192.0.0.8": "reserved",
    "100::1": "reserved",
    "::7f00:1": "reserved",
    "64:ff9b:1::a00:1": "reserved",
    "4000::1": "reserved",
}


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_taken(address: str) -> None:
    assert refusal(address, ()) is None


@pytest.mark.parametrize(("address", "what"), REFUSED.items())
def test_other_addresses_are_refused_by_what_they_are(address: str, what: str) -> None:
    assert what in (refusal(address, ()) or "")


def test_the_settings_may_allow_networks_but_never_metadata_services() -> None:
    allowed = [ip_network("10.0.0.0/8"), ip_network("::1/128"), ip_network("fd00::/8")]
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "::1", "fd12::1"):
        assert refusal(address, allowed) is None
    assert refusal("192.168.1.1", allowed) == "private"
    everything = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0"):  # noqa: S104
        assert refusal(address, everything)
    assert refusal("192.168.1.1", everything) is None


def test_the_settings_are_read() -> None:
    reach = Reach.of("10.0.0.0/8, fd00::/8", "443,8443", "allow")
    assert reach == Reach((ip_network("10.0.0.0/8"), ip_network("fd00::/8")), (443, 8443, 80), True)
    assert Reach.of(None, "443", "refuse") == Reach()
