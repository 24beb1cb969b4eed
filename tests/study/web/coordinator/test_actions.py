"""What each button of the coordinator's pages does to a study, and what it says."""

from __future__ import annotations

import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from markupsafe import Markup
from sqlalchemy import event, select

from study.accounts import staff
from study.accounts.staff import StaffRole
from study.demo.reader_model import ReaderModel
from study.domain.errors import BlindingError, BuildError, KeyFileError, StoreError, StudyError
from study.domain.protocol import Protocol, Status
from study.planning.progress_report import progress_report
from study.stimuli.rendering import build
from study.storage.models import AuditEvent, Method, Reader
from study.web.coordinator import design_form, views
from study.web.coordinator.actions import Actions
from study.web.coordinator.authorization import ADMINS, authorized, origin_of
from study.web.coordinator.context import CoordinatorContext
from study.web.coordinator.draft import FOLDERS, IMAGES, MANIFEST
from study.web.coordinator.layout import draw
from study.web.coordinator.page_updates import PageUpdates
from study.web.coordinator.tasks import Tasks
from tests.support import image_files, small_studies

NAMES = ("restormer", "dncnn", "swinir")
PROTOCOL = Protocol(title="Noise <b>in</b> phantoms", readers=2, training=1, dummies=1, repeats=1,
                    nulls=1, repeat_distance=2)  # fmt: skip


class Desk:
    """The pages of one study, as the administrator anna, her colleague and a monitor see them."""

    def __init__(self, folder: Path, *, key: bool = True) -> None:
        made = small_studies.draft(folder, PROTOCOL)
        self.folder, self.store, self.key_path = folder, made.store, made.key_path
        for code, role in (("anna", StaffRole.ADMIN), ("bert", StaffRole.ADMIN),
                           ("mona", StaffRole.MONITOR)):  # fmt: skip
            staff.add(self.store, code, role, actor="setup")
        self.anna, self.bert, self.mona = staff.accounts_of(self.store)
        self.context = CoordinatorContext(self.store, self.key_path if key else None)
        with gr.Blocks():
            self.page = draw()
        updates = PageUpdates(self.page, self.context)
        self.do, self.tasks = Actions(updates, self.context), Tasks(updates, self.context)

    def built(self) -> Desk:
        build(
            self.store, self.context.key(), small_studies.ready_made(self.folder / "images", NAMES)
        )
        return self

    def opened(self) -> Desk:
        self.built().do.freeze(self.anna, "S1")
        self.do.open(self.anna)
        return self

    def closed(self) -> Desk:
        from study.demo.simulated_readers import read

        self.opened()
        with self.store.read() as session:
            methods = session.scalars(select(Method.id)).all()
        for code in ("R01", "R02"):
            model = ReaderModel(code, {name: 2.0 + n for n, name in enumerate(methods)}, seed=3)
            read(self.store, code, model)
        self.do.close(self.anna, "S1")
        return self

    def text(self, shown, component) -> str:
        """What a component will show."""
        update = shown[component]
        return str(update.get("value", "") if isinstance(update, dict) else update)

    def everything(self, shown) -> str:
        return " ".join(str(update) for update in shown.values())

    def audited(self) -> list[tuple[str, str, str]]:
        with self.store.read() as session:
            rows = select(AuditEvent.actor, AuditEvent.action, AuditEvent.detail)
            return [tuple(row) for row in session.execute(rows.order_by(AuditEvent.seq))]

    def method_names(self) -> list[str]:
        return list(self.context.key().method_strings())


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def keyless(tmp_path):
    made = Desk(tmp_path, key=False)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """A study that was read and closed; tests leave it closed."""
    made = Desk(tmp_path_factory.mktemp("closed")).closed()
    yield made
    made.store.close()


def source(**changed):
    empty = dict.fromkeys(
        ("path", "methods", "truth", "degraded", "reference", "anchors", "answers", "separator",
         "training_cases", "modality"), ""
    )  # fmt: skip
    return empty | {"kind": FOLDERS, "attest": False, "accept": False} | changed


def finish(desk: Desk):
    """Wait for the work, and look at the page as its timer does."""
    ended = desk.context.jobs.wait(300)
    assert not ended.running
    return ended, desk.tasks.tick(desk.anna)


def test_a_draft_is_designed_and_saved(desk):
    values = (
        design_form.PLANNED
        | design_form.values_of(PROTOCOL)
        | {"readers": 4, "criteria": ["noise"], "primary": "noise"}
    )
    before = desk.store.protocol()
    told = desk.do.estimate(desk.anna, **values)
    assert "not saved yet" in desk.text(told, desk.page.design.cost)
    assert desk.store.protocol() == before
    desk.do.save(desk.anna, **values)
    assert desk.store.protocol().readers == 4
    assert [q.code for q in desk.store.protocol().questions] == ["noise", "preference"]
    assert ("anna", "protocol") in [row[:2] for row in desk.audited()]
    again = desk.do.estimate(desk.anna, **values)
    assert "not saved yet" not in desk.text(again, desk.page.design.cost)


def test_the_planner_says_what_is_not_possible(desk):
    values = design_form.PLANNED | design_form.values_of(PROTOCOL)
    told = desk.do.estimate(desk.anna, **(values | {"readers": None}))
    assert "Readers is empty" in desk.text(told, desk.page.design.cost)
    told = desk.do.estimate(desk.anna, **(values | {"planned_cases": 80}))
    assert "80 cases × 6 method pairs" in desk.text(told, desk.page.design.cost)


def test_pairs_are_chosen_by_name_in_a_draft(desk):
    desk.built()
    shown = desk.do.open_page(desk.anna)
    control, pairs = (desk.page.design.fields[name] for name in ("control", "pairs"))
    labels = dict(shown[control]["choices"])
    assert sorted(labels) == sorted(NAMES)
    assert len(shown[pairs]["choices"]) == 3
    values = design_form.PLANNED | design_form.values_of(PROTOCOL)
    chosen = {"pairing": design_form.CONTROL, "control": labels["dncnn"]}
    shown = desk.do.estimate(desk.anna, **(values | chosen))
    assert "3 cases × 2 method pairs" in desk.text(shown, desk.page.design.cost)
    assert shown[control]["visible"]
    desk.do.save(desk.anna, **(values | chosen))
    assert desk.store.protocol().control == labels["dncnn"]
    assert desk.do.open_page(desk.anna)[control]["value"] == labels["dncnn"]


def test_a_design_cannot_be_saved_after_the_freeze(desk):
    desk.built().do.freeze(desk.anna, "S1")
    with pytest.raises(StudyError, match="fixed at the freeze"):
        desk.do.save(desk.anna, **(design_form.PLANNED | design_form.values_of(PROTOCOL)))


def test_a_folder_is_built_and_its_gates_are_shown_once_to_whoever_built(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES)
    desk.tasks.build(desk.anna, **source(path=str(folder), reference="swinir", separator="_",
                                        answers="dncnn = neural network",
                                        training_cases="pat1_s2"))  # fmt: skip
    ended, shown = finish(desk)
    assert not ended.failed, ended.what
    images = progress_report(desk.store).images
    assert (images.cases, images.training, images.patients, images.methods) == (2, 1, 1, 3)
    assert images.complete
    gates = desk.text(shown, desk.page.images.gates)
    assert "restormer" in gates
    assert "base of comparison" in gates
    assert desk.page.images.gates not in desk.tasks.tick(desk.anna)
    groups = {one.name: one.group for one in desk.context.key().methods.values()}
    assert groups == {"dncnn": "neural network", "restormer": "", "swinir": "not processed"}
    assert ("anna", "build") in [row[:2] for row in desk.audited()]


def test_a_table_is_built(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES, cases=2)
    lines = ["case,patient,method,file"]
    lines += [f"{p.stem},p,{p.parent.name},{p.relative_to(folder)}" for p in folder.rglob("*.png")]
    table = folder / "list.csv"
    table.write_text("\n".join(lines))
    desk.tasks.build(desk.anna, **source(kind=MANIFEST, path=str(table)))
    assert not finish(desk)[0].failed
    assert progress_report(desk.store).images.patients == 1


def test_methods_are_run_on_images(desk):
    folder = small_studies.write_inputs(desk.folder / "inputs", cases=2)
    desk.tasks.build(desk.anna, **source(kind=IMAGES, path=str(folder), methods="input\n clahe \n",
                                        degraded="blur:3"))  # fmt: skip
    ended, _ = finish(desk)
    assert not ended.failed, ended.what
    kinds = dict(progress_report(desk.store).images.kinds)
    assert (kinds["test"], kinds["anchor"]) == (2, 1)


def test_a_zip_file_is_unpacked_and_the_fields_are_filled_in(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES)
    path = desk.folder / "upload.zip"
    with zipfile.ZipFile(path, "w") as made:
        for file in folder.rglob("*.png"):
            made.write(file, f"study/{file.relative_to(folder)}")
    shown = desk.tasks.upload(desk.anna, str(path))
    fields = desk.page.images.fields
    assert shown[fields["kind"]] == FOLDERS
    desk.tasks.build(desk.anna, **source(path=shown[fields["path"]]))
    assert not finish(desk)[0].failed
    assert progress_report(desk.store).images.methods == 3


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"path": ""}, "Say where"),
        ({"path": "/nowhere/at/all"}, "cannot be read"),
        ({"kind": IMAGES, "path": "/nowhere"}, "no file or folder"),
    ],
)
def test_what_cannot_be_built_is_told_at_once(desk, changed, words):
    with pytest.raises(BuildError, match=words):
        desk.tasks.build(desk.anna, **source(**changed))
    assert desk.context.jobs.state.name == ""


def test_a_build_that_is_refused_says_why(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES)
    (folder / "dncnn" / "pat0_s0.png").write_bytes(
        image_files.png(small_studies.picture(1, 24, 20))
    )
    desk.tasks.build(desk.anna, **source(path=str(folder)))
    ended, shown = finish(desk)
    assert ended.failed
    assert "would betray" in desk.text(shown, desk.page.images.progress)


def test_an_answer_without_a_method_is_told(desk):
    folder = small_studies.write_methods(desk.folder / "images", NAMES)
    with pytest.raises(BuildError, match="equals sign"):
        desk.tasks.build(desk.anna, **source(path=str(folder), answers="neural network"))


def test_the_check_tells_what_forbids_the_freeze_and_changes_nothing(desk):
    told = desk.do.check(desk.anna)
    assert "no stimuli yet" in desk.text(told, desk.page.freeze.found)
    desk.built()
    assert "Nothing forbids" in desk.text(desk.do.check(desk.anna), desk.page.freeze.found)
    with desk.store.write() as session:
        desk.store.set_protocol(session, PROTOCOL.with_(title="Is DnCNN better?"), "anna")
    told = desk.text(desk.do.check(desk.anna), desk.page.freeze.found)
    assert "dncnn" in told
    assert desk.store.status() is Status.DRAFT


@pytest.mark.parametrize("typed", ["", "s1", "S2", None])
def test_nothing_final_is_done_without_the_code_of_the_study(desk, typed):
    desk.built()
    with pytest.raises(StudyError, match="Type the code"):
        desk.do.freeze(desk.anna, typed)
    assert desk.store.status() is Status.DRAFT
    desk.do.freeze(desk.anna, "S1")
    desk.do.open(desk.anna)
    with pytest.raises(StudyError, match="Type the code"):
        desk.do.close(desk.anna, typed)
    assert desk.store.status() is Status.OPEN


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


def test_steps_out_of_order_are_refused(desk):
    with pytest.raises(StoreError, match="cannot become open"):
        desk.do.open(desk.anna)
    with pytest.raises(StudyError, match="Choose a reader"):
        desk.do.invite(desk.anna, None, origin="http://x")
    with pytest.raises(StudyError, match="after the study is closed"):
        desk.tasks.report(desk.anna)
    with pytest.raises(BlindingError, match="Only a closed study"):
        desk.do.ask_to_unblind(desk.anna, "S1")
    with pytest.raises(BlindingError, match="Nobody asks"):
        desk.do.confirm_unblinding(desk.bert, "S1")
    with pytest.raises(BlindingError, match="Nobody asks"):
        desk.do.take_back(desk.anna)


def test_an_invitation_is_shown_once_and_kept_as_a_hash(desk):
    desk.opened()
    shown = desk.do.invite(desk.anna, "R01", origin="https://study.example")
    given = desk.text(shown, desk.page.readers.given)
    link = given.partition("https://study.example/reader/join/")[2].partition('"')[0][:22]
    assert len(link) == 22
    assert shown[desk.page.readers.reader]["value"] == "R02"
    later = desk.do.open_page(desk.anna)
    assert link not in desk.everything(later)
    with desk.store.read() as session:
        row = session.scalars(select(Reader).where(Reader.code == "R01")).one()
        assert row.invite_hash
        assert link not in row.invite_hash
    states = [one.state for one in progress_report(desk.store).readers]
    assert states == ["invited", "not invited"]


def test_a_reader_and_a_case_are_left_out_by_a_logged_decision(desk):
    desk.opened()
    shown = desk.do.exclude(desk.anna, " r01 ", "screen", "Read on a phone.", True)
    assert "Read on a phone." in desk.text(shown, desk.page.readers.excluded)
    desk.do.exclude(desk.bert, "C002", "blurred", "Moved.", False)
    decided = [(one.target, one.prespecified, one.decided_by) for one in desk.context.exclusions()]
    assert decided == [("R01", True, "anna"), ("C002", False, "bert")]
    for given, words in ((("R09", "x", "y", False), "no reader"), (("R02", "", "y", False), "rule"),
                         (("R01", "x", "y", False), "already")):  # fmt: skip
        with pytest.raises(StudyError, match=words):
            desk.do.exclude(desk.anna, *given)


def test_looking_keeps_what_is_typed_and_shown(desk):
    desk.opened()
    shown = desk.do.refresh(desk.anna)
    assert desk.page.readers.given not in shown
    assert "value" not in shown[desk.page.close.confirm]
    assert "value" not in shown[desk.page.readers.reader]


def test_unblinding_takes_two_persons(tmp_path):
    desk = Desk(tmp_path).closed()
    desk.do.ask_to_unblind(desk.anna, "S1")
    with pytest.raises(BlindingError, match="cannot confirm alone"):
        desk.do.confirm_unblinding(desk.anna, "S1")
    with pytest.raises(StudyError, match="Type the code"):
        desk.do.confirm_unblinding(desk.bert, "")
    assert desk.store.status() is Status.CLOSED
    shown = desk.do.refresh(desk.anna)
    assert not shown[desk.page.close.second]["visible"]
    assert desk.do.refresh(desk.bert)[desk.page.close.second]["visible"]
    desk.do.take_back(desk.bert)
    with pytest.raises(BlindingError, match="Nobody asks"):
        desk.do.confirm_unblinding(desk.bert, "S1")
    desk.do.ask_to_unblind(desk.anna, "S1")
    shown = desk.do.confirm_unblinding(desk.bert, "S1")
    assert desk.store.status() is Status.UNBLINDED
    assert all(name in desk.text(shown, desk.page.close.methods) for name in NAMES)
    assert ("anna", "unblind", "confirmed by bert") in desk.audited()
    desk.tasks.tables(desk.anna)
    finish(desk)
    named = {one.name: one for _, one in desk.context.files.listing()}
    assert not named["S1-ratings.csv"].masked
    assert b"restormer" in named["S1-ratings.csv"].content
    desk.store.close()


def test_an_account_that_was_switched_off_cannot_have_asked(tmp_path):
    desk = Desk(tmp_path).opened()
    desk.do.close(desk.anna, "S1")
    desk.do.ask_to_unblind(desk.bert, "S1")
    desk.do.switch(desk.anna, "bert")
    with pytest.raises(BlindingError, match="switched off"):
        desk.do.confirm_unblinding(desk.anna, "S1")
    desk.store.close()


def test_results_are_masked_before_unblinding(read):
    read.tasks.report(read.anna)
    ended, shown = finish(read)
    assert not ended.failed, ended.what
    read.tasks.tables(read.anna)
    finish(read)
    named = {one.name: one for _, one in read.context.files.listing()}
    assert set(named) >= {"S1-report.html", "S1-ratings.csv", "S1-study.json", "S1-all.zip"}
    for one in named.values():
        assert one.masked
        assert not [name for name in NAMES if name.encode() in one.content]
    assert b"M1" in named["S1-ratings.csv"].content
    actions = [row[:2] for row in read.audited()]
    assert ("anna", "analysis") in actions
    assert ("anna", "export") in actions
    assert "S1-report.html" in read.text(shown, read.page.results.files)


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


def test_the_chain_is_verified_and_a_change_is_named(desk):
    desk.opened()
    shown = desk.tasks.verify(desk.anna, True)
    assert "are intact" in desk.text(shown, desk.page.notice)
    from tests.support.tampering import tamper

    tamper(desk.store, "UPDATE audit_event SET actor = 'nobody' WHERE seq = 3")
    told = desk.text(desk.tasks.verify(desk.anna, False), desk.page.notice)
    assert "audit_event row 3" in told
    assert "error" in told


def test_a_backup_is_made_where_it_is_asked_for(desk):
    target = desk.folder / "copies" / "one"
    desk.tasks.backup(desk.anna, str(target), True)
    assert (target / "study.sqlite").is_file()
    for wrong, words in ((str(target), "overwrites nothing"), ("", "Name a new folder"),
                         ("here", "not an absolute path")):  # fmt: skip
        with pytest.raises(StudyError, match=words):
            desk.tasks.backup(desk.anna, wrong, False)


def test_events_are_found_by_a_word(desk):
    found = desk.text(desk.tasks.events(desk.anna, "MONA"), desk.page.audit.events)
    assert "mona" in found
    assert "bert" not in found
    nothing = desk.text(desk.tasks.events(desk.anna, "zebra"), desk.page.audit.events)
    assert "No event" in nothing


def test_accounts_are_made_renewed_and_switched(desk):
    shown = desk.do.add_account(desk.anna, "carl", "monitor")
    secret = desk.text(shown, desk.page.accounts.given).partition('data-copy="')[2]
    assert "carl" in desk.text(shown, desk.page.accounts.given)
    assert secret
    desk.do.renew(desk.anna, "carl")
    desk.do.switch(desk.anna, "carl")
    assert [m.active for m in staff.accounts_of(desk.store) if m.code == "carl"] == [False]
    desk.do.switch(desk.anna, "carl")
    with pytest.raises(StudyError, match="no account"):
        desk.do.renew(desk.anna, None)
    with pytest.raises(StudyError, match="not possible"):
        desk.do.add_account(desk.anna, None, "monitor")
    with pytest.raises(ValueError, match="owner"):
        desk.do.add_account(desk.anna, "dora", "owner")
    actions = [row[:2] for row in desk.audited() if row[0] == "anna"]
    assert actions == [("anna", name) for name in ("add account", "new secret", "switch off",
                                                   "switch on")]  # fmt: skip


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
    """Ratings are counted once; a click that writes nothing asks no question twice."""
    found = statements(desk, act)
    assert sum("count(rating_event.value_text)" in one for one in found) == 1, found
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


def test_links_begin_with_the_address_that_the_browser_wrote():
    asked = SimpleNamespace(headers={"origin": "https://a.example:8443"}, base_url="http://b/")
    assert origin_of(asked) == "https://a.example:8443"
    assert origin_of(SimpleNamespace(headers={}, base_url="http://b/")) == "http://b"


def test_the_gates_tell_what_is_beyond_the_limits():
    from study.stimuli.checks import BuildReport
    from study.stimuli.image_similarity import Similarity

    measured = (Similarity("c1", "b", shift=2.0, brightness=0.2), Similarity("c2", "b"))
    told = views.image_checks(BuildReport(2, 0, ("a", "b"), 4, 0, measured, ("Look at them.",)))
    for words in ("1 of 2", "2.0 px", "+10.0%", "Case c1, b: shifted by 2.0 px", "Look at them."):
        assert words in told
