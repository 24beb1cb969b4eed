"""Wrong sign-ins: strangers are slowed down, and a right secret always gets in."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from benchmarks.attack.attack import Attack, Outcome, outcome
from benchmarks.attack.servers import LOOPBACK, STRANGER, Server

_TRIES = 40
_RATE = 25
"""Guesses a second: of secrets with 80 random bits, none is found."""


def _sign_in(server: Server, address: str, kind: str, form: dict[str, str]) -> int:
    with server.client(address) as client:
        return client.post(f"/{kind}/login", data=form).status_code


def locked_out(server: Server) -> Outcome:
    """A stranger tries wrong secrets for an account; then its owner signs in."""
    reader = {"code": server.code(2), "secret": server.reader(server.code(2))}
    found = {}
    for kind, form in (("reader", reader), ("coordinator", server.administrator())):
        wrong = [form | {"secret": f"wrong {n}"} for n in range(_TRIES)]
        found[kind] = (
            303 in [_sign_in(server, STRANGER, kind, one) for one in wrong],
            _sign_in(server, LOOPBACK, kind, form),
            _sign_in(server, STRANGER, kind, form),
        )
    held = all(one[0] is False and one[1] == one[2] == 303 for one in found.values())
    told = ", ".join(f"{kind}: {one[1]} and {one[2]}" for kind, one in found.items())
    return outcome(held, f"the owner elsewhere and there, {told}")


def guessed(server: Server) -> Outcome:
    """Secrets are guessed from one address, eight at a time, after many wrong ones."""

    def one(number: int) -> int:
        with server.client("127.0.0.3") as client:
            sign_in = {"code": "R77", "secret": f"wrong {number}"}
            return client.post("/reader/login", data=sign_in).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(one, range(_TRIES)))
        begun = time.perf_counter()
        statuses |= set(pool.map(one, range(2 * _TRIES)))
        rate = 2 * _TRIES / (time.perf_counter() - begun)
    return outcome(303 not in statuses and rate < _RATE, f"{rate:.0f} a second")


SERVERS: tuple[Attack[Server], ...] = (
    Attack("40 wrong secrets, then the right one", "the owner gets in", locked_out),
    Attack("guesses from one address", f"below {_RATE} a second", guessed, harmless=True),
)
