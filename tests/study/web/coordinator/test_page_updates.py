"""What the coordinator's page shows after a click, to whom, and what it reads for it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from markupsafe import Markup
from sqlalchemy import event, select

from study.domain.errors import BuildError, KeyFileError
from study.planning.progress_report import progress_report
from study.storage.models import Method
from study.web.coordinator import design_form, views
from study.web.coordinator.authorization import ADMINS, authorized, origin_of
from tests.support import small_studies
from tests.support.coordinator_desk import NAMES, PROTOCOL, finish, source


def test_looking_keeps_what_is_typed_and_shown(desk):
    desk.opened()
    shown = desk.do.refresh(desk.anna)
    assert desk.page.readers.given not in shown
    assert "value" not in shown[desk.page.close.confirm]
    assert "value" not in shown[desk.page.readers.reader]


def test_a_tab_shows_nothing_before_the_page_is_filled(desk):
    """A button that is shown too early is pressed over fields without values."""
    desk.opened()
    assert list(desk.do.turn_to_tab(desk.anna, "")) == [desk.page.header]
    shown = desk.do.open_page(desk.anna)
    assert shown[desk.page.readers.reader]["value"] == "R01"
    assert desk.page.readers.invite in desk.do.turn_to_tab(desk.anna, shown[desk.page.header])


def test_a_monitor_sees_progress_only(read):
    shown = read.do.open_page(read.mona)
    text = read.everything(shown)
    assert "R01" in read.text(shown, read.page.board)
    for secret in ("bert", "SHA-256", "M1", "add account", str(read.store.folder), *NAMES):
        assert secret not in text
    visible = [name for name, tab in read.page.tab.items() if shown.get(tab, {}).get("visible")]
    assert visible == []


def test_the_monitoring_knows_no_method(read):
    seen = progress_report(read.store)
    with read.store.read() as session:
        rows = session.execute(select(Method.id, Method.mask)).all()
    text = repr(seen.readers) + views.overview(seen)
    for identifier, mask in rows:
        assert identifier not in text
        assert mask not in text


def test_without_the_key_file_the_server_says_so(keyless):
    shown = keyless.do.open_page(keyless.anna)
    assert "--key PATH" in keyless.text(shown, keyless.page.images.state)
    assert not shown[keyless.page.images.draft]["visible"]
    assert not shown[keyless.page.freeze.freeze]["visible"]
    folder = small_studies.write_methods(keyless.folder / "images", NAMES)
    for act in (
        lambda: keyless.do.freeze(keyless.anna, "S1"),
        lambda: keyless.do.check(keyless.anna),
        lambda: keyless.tasks.build(keyless.anna, **source(path=str(folder))),
    ):
        with pytest.raises(KeyFileError, match="--key PATH"):
            act()


def statements(desk, act) -> list[str]:
    """The SELECT statements of an action, in their order."""
    found: list[str] = []

    def note(connection, cursor, statement, parameters, context, executemany):
        if statement.lstrip().upper().startswith("SELECT"):
            found.append(statement)

    event.listen(desk.store.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(desk.store.engine, "before_cursor_execute", note)
    return found


def assert_read_once(desk, act, *, writes: bool = False):
    """Progress is read once; a click that writes nothing asks no question twice."""
    found = statements(desk, act)
    assert sum("reading_session.phase, count(*)" in one for one in found) == 1, found
    twice = [one for one in found if found.count(one) > 1]
    assert writes or not twice, twice


def test_a_click_reads_the_study_once(desk):
    desk.built()
    do, anna = desk.do, desk.anna
    values = design_form.PLANNED | design_form.values_of(PROTOCOL)
    looking = (
        lambda: do.open_page(anna), lambda: do.refresh(anna), lambda: do.next_step(anna),
        lambda: do.estimate(anna, **values), lambda: desk.tasks.tick(anna),
    )  # fmt: skip
    for act in looking:
        assert_read_once(desk, act)
    assert_read_once(desk, lambda: do.save(anna, **values), writes=True)
    assert_read_once(desk, lambda: do.freeze(anna, "S1"), writes=True)
    assert_read_once(desk, lambda: do.open(anna), writes=True)
    assert_read_once(desk, lambda: do.invite(anna, "R01", origin=""), writes=True)
    assert_read_once(desk, lambda: do.exclude(anna, "R02", "x", "y", False), writes=True)
    assert_read_once(desk, lambda: do.close(anna, "S1"), writes=True)
    for act in looking[:3]:
        assert_read_once(desk, act)
    desk.sign_in("bert")
    assert_read_once(desk, lambda: do.ask_to_unblind(anna, "S1"), writes=True)
    assert_read_once(desk, lambda: do.confirm_unblinding(desk.bert, "S1"), writes=True)
    assert_read_once(desk, lambda: do.add_account(anna, "carl", "monitor"), writes=True)


def test_a_monitor_causes_no_more_than_the_progress_to_be_read(desk):
    found = statements(desk, lambda: desk.do.refresh(desk.mona))
    assert not [one for one in found if "audit_event" in one or "FROM staff" in one]


def test_texts_of_a_study_are_escaped(desk):
    shown = desk.do.open_page(desk.anna)
    html = [update for update in shown.values() if isinstance(update, Markup)]
    assert any("Noise &lt;b&gt;in" in part for part in html)
    assert not any("<b>in</b>" in part for part in html)
    desk.built().do.freeze(desk.anna, "S1")
    sheet = desk.text(desk.do.refresh(desk.anna), desk.page.design.sheet)
    assert "Noise &lt;b&gt;in&lt;/b&gt; phantoms" in sheet


def test_the_next_step_follows_the_life_of_a_study(desk):
    def step():
        return desk.text(desk.do.refresh(desk.anna), desk.page.advice)

    assert "build the images" in step()
    desk.built()
    assert "freeze" in step()
    desk.do.freeze(desk.anna, "S1")
    assert "open the study" in step()
    desk.do.open(desk.anna)
    assert "2 have no invitation" in step()
    desk.do.invite(desk.anna, "R01", origin="")
    assert "1 has no invitation" in step()
    desk.do.invite(desk.anna, "R02", origin="")
    assert "wait for the readers" in step()
    desk.do.close(desk.anna, "S1")
    assert "two persons" in step()
    desk.do.ask_to_unblind(desk.anna, "S1")
    assert "anna asks" in step()
    assert desk.do.next_step(desk.anna)[desk.page.tabs].selected == "close"


def test_a_failure_of_the_program_is_a_number(desk, caplog):
    def broken(member):
        raise RuntimeError("/secret/path")

    def refused(member):
        raise BuildError("It is too dark.")

    accounts = SimpleNamespace(require=lambda request, *roles: desk.anna)
    told = authorized(accounts, desk.do.updates, ADMINS, broken)(None)
    assert "Something went wrong" in desk.text(told, desk.page.notice)
    assert "/secret" not in desk.everything(told)
    assert "/secret" in caplog.text
    told = authorized(accounts, desk.do.updates, ADMINS, refused)(None)
    assert "It is too dark." in desk.text(told, desk.page.notice)


@pytest.mark.parametrize("text", ["a\x00b", ["R01", "a\x00b"], "a\ud800b"])
def test_text_that_a_database_cannot_store_reaches_no_action(desk, text):
    done = []
    accounts = SimpleNamespace(require=lambda request, *roles: desk.anna)
    handler = authorized(accounts, desk.do.updates, ADMINS, lambda *_, **given: done.append(given))
    assert "cannot be stored" in desk.text(handler(None, reason=text), desk.page.notice)
    assert done == []


def test_links_begin_with_the_address_that_the_browser_wrote():
    asked = SimpleNamespace(headers={"origin": "https://a.example:8443"}, base_url="http://b/")
    assert origin_of(asked) == "https://a.example:8443"
    assert origin_of(SimpleNamespace(headers={}, base_url="http://b/")) == "http://b"


def test_after_the_freeze_no_page_names_a_method(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES)
    desk.tasks.build(desk.anna, **source(path=str(folder)))
    finish(desk)
    desk.do.freeze(desk.anna, "S1")
    shown = desk.do.open_page(desk.anna)
    assert not [name for name in desk.method_names() if name in desk.everything(shown)]
    assert desk.store.protocol().digest in desk.text(shown, desk.page.design.sheet)
    assert not shown[desk.page.design.draft]["visible"]
    assert not shown[desk.page.images.draft]["visible"]
