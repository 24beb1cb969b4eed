"""Whose forwarded addresses count, and what one address is."""

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from enhancers.http_limits.addresses import LOOPBACK, Proxies, address_group, networks
from enhancers.http_limits.proxy_headers import ProxyHeaders

BRIDGE = Proxies(networks("172.17.0.0/16, 2001:db8:1::/48"))
CLIENT, OTHER = "203.0.113.7", "198.51.100.9"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("172.17.0.1", [CLIENT], CLIENT),
        ("172.17.0.1", [], "172.17.0.1"),
        (OTHER, [CLIENT], OTHER),
        # What the client wrote itself stands to the left of what the proxy has seen.
        ("172.17.0.1", [f"10.0.0.1, {CLIENT}"], CLIENT),
        ("172.17.0.1", ["127.0.0.1", f" {CLIENT} "], CLIENT),
        ("172.17.0.1", [f"{OTHER}, {CLIENT}, 172.17.0.5"], CLIENT),
        ("172.17.0.1", ["172.17.0.9, 172.17.0.5"], "172.17.0.9"),
        ("2001:db8:1::5", ["2001:db8:ffff::1"], "2001:db8:ffff::1"),
        ("2001:db8:1::5", ["[2001:db8:ffff::1]:443"], "2001:db8:ffff::1"),
        ("172.17.0.1", [f"{CLIENT}:51000"], CLIENT),
        ("::ffff:172.17.0.1", [f"::ffff:{CLIENT}"], CLIENT),
        # Nothing to the left of what cannot be read is believed.
        ("172.17.0.1", [f"{CLIENT}, nonsense"], "172.17.0.1"),
        ("172.17.0.1", [f"{CLIENT}, , 172.17.0.5"], "172.17.0.5"),
        ("172.17.0.1", ["unknown"], "172.17.0.1"),
        ("172.17.0.1", ["[::1"], "::1"),
        ("testclient", [CLIENT], "testclient"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy(peer, forwarded, client):
    assert BRIDGE.client(peer, forwarded) == client


@pytest.mark.parametrize("named", ["172.17.0.1/16", "proxy.example.org", "10.0.0.0/33", "::/129"])
def test_a_network_that_is_none_is_named(named):
    with pytest.raises(ValueError, match="give addresses or networks"):
        networks(f"127.0.0.1 {named}")


def test_networks_are_separated_by_commas_or_spaces():
    assert networks("10.0.0.0/8,::1  192.168.1.1") == networks(["10.0.0.0/8", "::1 192.168.1.1"])
    assert networks("") == ()


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8::1", "2001:db8::ffff:1:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::1", True),
        ("", "testclient", False),
    ],
)
def test_one_address_is_a_network_of_64_bits(one, other, same):
    assert (address_group(one) == address_group(other)) is same


def seen(peer, trusted=LOOPBACK, **headers):
    """What an app sees of a request."""

    def tell(request):
        return JSONResponse(
            {
                "client": request.client.host,
                "scheme": request.url.scheme,
                "headers": [name for name in request.headers if name.startswith("x-forwarded")],
            }
        )

    app = ProxyHeaders(Starlette(routes=[Route("/", tell)]), Proxies(networks(trusted)))
    with TestClient(app, client=(peer, 50000)) as client:
        return client.get("/", headers=headers).json()


FORWARDED = {
    "X-Forwarded-For": CLIENT,
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "study.example.org",
}


def test_a_trusted_proxy_says_who_asks_and_how():
    found = seen("127.0.0.1", **FORWARDED)
    assert (found["client"], found["scheme"]) == (CLIENT, "https")
    assert "x-forwarded-host" in found["headers"]


@pytest.mark.parametrize("trusted", [LOOPBACK, "172.17.0.0/16", ""])
def test_nobody_else_does(trusted):
    found = seen(OTHER, trusted, **FORWARDED)
    assert found == {"client": OTHER, "scheme": "http", "headers": []}


@pytest.mark.parametrize(
    ("proto", "scheme"),
    [("https, http", "https"), ("HTTPS", "https"), ("ftp", "http"), ("", "http")],
)
def test_the_scheme_is_the_one_that_the_browser_used(proto, scheme):
    assert seen("::1", **{"X-Forwarded-Proto": proto})["scheme"] == scheme
