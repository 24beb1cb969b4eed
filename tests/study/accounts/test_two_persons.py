"""One person does not unblind alone, whichever accounts that person can use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from study.accounts.staff import StaffRole, StaffSignIn, add, renew
from study.accounts.two_persons import (
    ASKED,
    TAKEN_BACK,
    open_request,
    require_earlier_sign_in,
    require_two_persons,
)
from study.domain.errors import BlindingError
from study.domain.terms import Status
from study.storage.hash_chain import audit
from study.storage.store import Store
from tests.support.tiny_study import tiny_study

Step = Callable[[Store], object]


def make(name: str, by: str) -> Step:
    return lambda store: add(store, name, StaffRole.ADMIN, actor=by)


def new_secret(name: str, by: str) -> Step:
    return lambda store: renew(store, name, actor=by)


BEFORE = (make("anna", "root"), make("bert", "root"), make("eve", "anna"))


@pytest.fixture
def draft(tmp_path: Path) -> Iterator[Store]:
    store = tiny_study(tmp_path / "s", pairs=1, status=Status.DRAFT)
    yield store
    store.close()


def play(store: Store, *steps: Step) -> None:
    """Three accounts, one made by another, the freeze, and then the steps."""
    for step in BEFORE:
        step(store)
    with store.write() as session:
        store.set_status(session, Status.FROZEN, "anna")
    for step in steps:
        step(store)


ALONE: dict[str, tuple[tuple[str, str], tuple[Step, ...]]] = {
    "a second account of before the freeze": (("anna", "eve"), ()),
    "the second account asks": (("eve", "anna"), ()),
    "a second account with a secret of its own": (("anna", "eve"), (new_secret("eve", "eve"),)),
    "a renewed colleague confirms": (("anna", "bert"), (new_secret("bert", "anna"),)),
    "a renewed colleague asks": (("bert", "anna"), (new_secret("bert", "anna"),)),
    "a new colleague confirms": (("anna", "carl"), (make("carl", "anna"),)),
    "two new colleagues": (("carl", "dora"), (make("carl", "anna"), make("dora", "anna"))),
    "by way of another account": (
        ("anna", "bert"), (make("carl", "anna"), new_secret("bert", "carl")),
    ),
    "who renews once more": (
        ("anna", "bert"), (new_secret("bert", "anna"), new_secret("bert", "bert")),
    ),
}  # fmt: skip
TWO: dict[str, tuple[tuple[str, str], tuple[Step, ...]]] = {
    "accounts of the command line": (("anna", "bert"), ()),
    "the own secret": (("anna", "bert"), (new_secret("bert", "bert"),)),
    "a third person renews": (
        ("anna", "bert"), (make("carl", "root"), new_secret("bert", "carl")),
    ),
    "and takes the account away again": (
        ("anna", "bert"), (new_secret("bert", "anna"), make("carl", "root"),
                           new_secret("bert", "carl")),
    ),
    "new accounts of the command line": (
        ("carl", "dora"), (make("carl", "root"), make("dora", "root")),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_one_person_is_refused(draft: Store, name: str) -> None:
    (asking, confirming), steps = ALONE[name]
    play(draft, *steps)
    with pytest.raises(BlindingError, match="could use both accounts"):
        require_two_persons(draft, asking, confirming)


@pytest.mark.parametrize("name", TWO)
def test_two_persons_are_admitted(draft: Store, name: str) -> None:
    (asking, confirming), steps = TWO[name]
    play(draft, *steps)
    require_two_persons(draft, asking, confirming)


def test_a_name_on_the_command_line_may_be_anybodys(draft: Store) -> None:
    play(draft, make("carl", "anna"), make("dora", "root"))
    require_two_persons(draft, "nobody", "bert", signed_in=False)
    require_two_persons(draft, "nobody", "dora", signed_in=False)
    for asking, confirming in (("nobody", "carl"), ("Root ", "dora")):
        with pytest.raises(BlindingError, match="could use both accounts"):
            require_two_persons(draft, asking, confirming, signed_in=False)


def test_who_confirms_has_signed_in_before_with_the_present_secret(draft: Store) -> None:
    play(draft)
    accounts = StaffSignIn(draft)

    def ask() -> None:
        with draft.write() as session:
            audit(session, "anna", ASKED)

    def check() -> None:
        request = open_request(draft)
        assert request is not None
        assert request.actor == "anna"
        require_earlier_sign_in(draft, request, "bert")

    ask()
    secret = renew(draft, "bert", actor="bert").secret
    accounts.sign_in("bert", secret, address="here")
    with pytest.raises(BlindingError, match="had not signed in"):
        check()
    ask()
    check()
    renew(draft, "bert", actor="bert")
    with pytest.raises(BlindingError, match="had not signed in"):
        check()
    with draft.write() as session:
        audit(session, "anna", TAKEN_BACK)
    assert open_request(draft) is None
