"""Which addresses belong to the public internet."""

import pytest

from shared.research.addresses import is_public, parse_static_hosts


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:c0a8:101::1",
        "2001::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "not an address",
        "",
    ],
)
def test_what_is_not_public_is_refused(address: str):
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "200.147.3.157", "2606:4700::6810:85e5", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
)
def test_public_addresses_also_when_wrapped_are_allowed(address: str):
    assert is_public(address)


def test_static_hosts_are_names_with_address_and_port():
    parsed = parse_static_hosts({"Site.Test.": "127.0.0.1:8443", "six.test": "[::1]:443"})
    assert parsed == {"site.test": ("127.0.0.1", 8443), "six.test": ("::1", 443)}


@pytest.mark.parametrize("target", ["127.0.0.1", "localhost:80", "127.0.0.1:port", ""])
def test_a_static_host_without_numeric_address_and_port_is_an_error(target: str):
    with pytest.raises(ValueError, match=r"address|literal"):
        parse_static_hosts({"site.test": target})
