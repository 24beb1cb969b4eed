"""A study from its draft to its results on the coordinator's pages, in a real browser."""

import zipfile

import pytest

from study.accounts import staff
from study.accounts.staff import StaffRole
from study.demo.reader_model import ReaderModel
from study.domain.protocol import Protocol
from study.domain.terms import Status
from study.server.standalone import build_app
from tests.support import small_studies
from tests.support.served_study import served

pytestmark = pytest.mark.e2e

NAMES = ("restormer", "dncnn", "swinir")
PEOPLE = {"anna": StaffRole.ADMIN, "bert": StaffRole.ADMIN, "mona": StaffRole.MONITOR}
PROTOCOL = Protocol(
    readers=2, training=1, dummies=1, repeats=1, nulls=1, repeat_distance=2, feedback=False
)


class Study:
    """A served study and its accounts."""

    def __init__(self, folder):
        made = small_studies.draft(folder, PROTOCOL)
        self.store, self.folder, self.key_path = made.store, folder, made.key_path
        self.secrets = {
            name: staff.add(self.store, name, role, actor="setup").secret
            for name, role in PEOPLE.items()
        }
        self.root = ""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = Study(tmp_path_factory.mktemp("coordinator"))
    app = build_app(made.store, key=made.key_path)
    with served(made.store, app) as made.root:
        yield made
    made.store.close()


def enter(page, study, name, theme="dark"):
    """Sign in and wait for the overview."""
    page.add_init_script(f"localStorage.getItem('readingroom-theme') ?? "
                         f"localStorage.setItem('readingroom-theme', '{theme}')")  # fmt: skip
    page.goto(f"{study.root}/coordinator/")
    assert page.url.endswith("/coordinator/login")
    page.fill("[name=name]", name)
    page.fill("[name=secret]", study.secrets[name])
    page.click("button[type=submit]")
    page.wait_for_selector(".co-board")
    return page


def turn(page, name):
    """Open a tab."""
    page.get_by_role("tab", name=name, exact=True).click()


def confirm(page, field, button):
    """Type the code of the study and press."""
    box = f"{field} textarea, {field} input"
    page.fill(box, "S1")
    # What the tab shows may still be on its way.
    page.wait_for_timeout(500)
    page.fill(box, "S1")
    page.click(button)


def ink(page):
    return page.evaluate("getComputedStyle(document.querySelector('.masthead h1')).color")


@pytest.fixture
def as_anna(page, study):
    return enter(page, study, "anna")


def test_a_study_is_planned_built_frozen_and_opened(as_anna, study):
    page = as_anna
    assert "build the images" in page.inner_text("#advice")
    turn(page, "Design")
    page.wait_for_selector("#cost dl")
    page.get_by_label("Title").fill("Noise in phantoms")
    page.get_by_label("Readers", exact=True).fill("3")
    page.wait_for_selector("text=This design is not saved yet.")
    page.get_by_label("Noise", exact=True).check()
    page.click("#save")
    page.wait_for_selector("#notice >> text=The design is saved.")
    assert study.store.protocol().readers == 3
    assert [q.code for q in study.store.protocol().questions][2] == "noise"

    folder = small_studies.write_methods(study.folder / "images", NAMES)
    archive = study.folder / "images.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for file in folder.rglob("*.png"):
            made.write(file, f"set/{file.relative_to(folder)}")
    turn(page, "Images")
    page.set_input_files("#zip input[type=file]", str(archive))
    page.wait_for_selector("#notice >> text=9 files are unpacked")
    page.get_by_label("Patient ends at").fill("_")
    page.click("#build")
    page.wait_for_selector("#gates table")
    assert "restormer" in page.inner_text("#gates")
    assert "complete" in page.inner_text("#built")

    turn(page, "Design")
    page.get_by_label("all against one").check()
    page.get_by_label("Control method").click()
    page.get_by_role("option", name="dncnn").click()
    page.wait_for_selector("text=3 cases × 2 method pairs")
    page.click("#save")
    page.wait_for_selector("#notice >> text=The design is saved.")

    turn(page, "Freeze and open")
    page.click("#check")
    page.wait_for_selector("text=Nothing forbids the freeze")
    page.click("#freeze")
    page.wait_for_selector("#notice >> text=Type the code of the study")
    confirm(page, "#confirm-freeze", "#freeze")
    page.wait_for_selector("#notice >> text=Frozen: 3 readers")
    assert "SHA-256 of plan" in page.inner_text("#hashes")
    page.click("#open")
    page.wait_for_selector("#notice >> text=The study is open")
    assert study.store.status() is Status.OPEN
    text = page.content()
    assert not [name for name in NAMES if name in text]
    assert page.problems == []


def test_an_invitation_opens_the_reading_page_of_another_browser(as_anna, study, browser):
    page = as_anna
    # A page that opens asks for itself, not once for every field that it fills.
    # On a slow machine the timer of those present is among them.
    assert sum("/queue/join" in address for address in page.asked) <= 4
    turn(page, "Readers")
    page.click("#invite")
    page.wait_for_selector(".co-once")
    link = page.inner_text(".co-once dd code")
    assert link.startswith(f"{study.root}/reader/join/")
    turn(page, "Overview")
    page.wait_for_selector(".co-invited")
    reader = browser.new_context().new_page()
    reader.goto(link)
    reader.get_by_role("button", name="Open the study").click()
    reader.wait_for_selector("text=Your ratings are stored under your reader code")
    reader.goto(f"{study.root}/coordinator/")
    assert reader.url.endswith("/coordinator/login")
    reader.context.close()


def test_a_monitor_sees_progress_and_no_other_page(page, study):
    enter(page, study, "mona")
    assert "R01" in page.inner_text("#board")
    assert page.get_by_role("tab").count() == 1
    assert not page.locator("#advice").is_visible()


def test_a_study_is_closed_and_unblinded_by_two_persons(as_anna, study, browser):
    from sqlalchemy import select

    from study.demo.simulated_readers import read
    from study.storage.models import Method

    page = as_anna
    with study.store.read() as session:
        methods = session.scalars(select(Method.id)).all()
    for code in ("R02", "R03"):
        read(
            study.store,
            code,
            ReaderModel(code, {m: 2.0 + n for n, m in enumerate(methods)}, seed=1),
        )
    # Who confirms has signed in before.
    other = browser.new_context().new_page()
    enter(other, study, "bert")
    page.bring_to_front()
    turn(page, "Close and unblind")
    page.wait_for_selector("#close")
    confirm(page, "#confirm-close", "#close")
    page.wait_for_selector("#notice >> text=The study is closed")
    page.wait_for_selector("#ask")
    confirm(page, "#confirm-close", "#ask")
    page.wait_for_selector("text=You asked: somebody else has to confirm.")
    assert not page.locator("#second").is_visible()

    turn(page, "Results")
    page.click("#report")
    page.wait_for_selector("a.download >> text=S1-report.html")
    with page.expect_popup() as opened:
        page.click("a.download")
    report = opened.value
    report.wait_for_selector("text=Primary comparison")
    assert not [name for name in NAMES if name in report.content()]

    other.bring_to_front()
    other.reload()
    turn(other, "Close and unblind")
    other.wait_for_selector("#second")
    confirm(other, "#confirm-close", "#second")
    other.wait_for_selector("#methods table")
    assert all(name in other.inner_text("#methods") for name in NAMES)
    assert study.store.status() is Status.UNBLINDED
    turn(other, "Audit")
    other.click("#verify")
    other.wait_for_selector("#notice >> text=are intact")
    other.fill("#filter textarea, #filter input", "confirmed by")
    other.wait_for_function("document.querySelectorAll('#events tbody tr').length === 1")
    other.context.close()
    assert page.problems == []


@pytest.mark.exhaustive
def test_every_page_fits_the_window_in_light_and_dark(page, study):
    enter(page, study, "anna", "light")
    light = ink(page)
    for width, height in ((1440, 900), (1280, 720)):
        page.set_viewport_size({"width": width, "height": height})
        for name in ("Design", "Images", "Freeze and open", "Readers", "Close and unblind",
                     "Results", "Audit", "Accounts", "Overview"):  # fmt: skip
            turn(page, name)
            page.wait_for_timeout(100)
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert page.evaluate(wide) <= 0, (name, width)
    page.click("[data-theme-toggle]")
    assert ink(page) != light
    page.reload()
    page.wait_for_selector(".co-board")
    assert ink(page) != light
    outside = [url for url in page.asked if not url.startswith((study.root, "data:", "blob:"))]
    assert outside == []


def test_after_signing_out_neither_back_nor_the_old_cookie_shows_the_study(as_anna, study):
    page = as_anna
    code = "S1"
    assert code in page.inner_text("#header")
    old = page.context.cookies()
    page.click("text=Sign out")
    page.wait_for_selector("[name=secret]")
    page.asked.clear()
    page.go_back()
    page.wait_for_selector("[name=secret]")
    assert f"{study.root}/coordinator/" in [url.partition("?")[0] for url in page.asked]
    assert page.url.endswith("/coordinator/login")
    assert page.locator(".co-board").count() == 0
    assert code not in page.content()
    page.context.add_cookies(old)
    page.goto(f"{study.root}/coordinator/")
    assert page.url.endswith("/coordinator/login")
