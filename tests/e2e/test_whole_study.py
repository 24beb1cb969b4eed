"""A whole study from `init` to the report: one reader in a browser, four over HTTP beside it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from study.domain.questions import CATALOG, PAIR, PREFERENCE
from tests.e2e.conftest import open_page
from tests.support import complete_study, expected_outcome

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

READER = "R02"
QUESTIONS = (*CATALOG[:2], PREFERENCE)
ARROWS = {-1: "ArrowLeft", 0: "ArrowDown", 1: "ArrowRight"}
COUNTS = re.compile(r"\d+ of \d+|width: [\d.]+%|aria-posinset=\"\d+\"")


class Person:
    """A reader at a screen, who answers by the keyboard."""

    def __init__(self, page, judge: complete_study.Logged) -> None:
        self.page, self.judge = page, judge
        self.said: list[str] = []
        self.pages: dict[str, str] = {}
        """What the page was made of at each pair, by its token."""
        page.on("console", lambda message: self.said.append(message.text))

    def join(self, link: str) -> None:
        self.page.goto(link)
        self.page.get_by_role("button", name="Open the study").click()

    def agree(self) -> None:
        self.page.get_by_label("I have read this and agree to take part.").check()
        self.page.get_by_role("button", name="I agree").click()
        self.page.get_by_label("Specialty").fill("Neuroradiology")
        self.page.get_by_label("Years of experience").fill("9")
        self.page.get_by_label("You read such images").select_option("daily")
        self.page.get_by_role("button", name="Continue").click()

    def check_screen(self) -> None:
        self.page.get_by_role("heading", name="Your screen").wait_for()
        for box in self.page.get_by_role("checkbox").all():
            box.check()
        self.page.get_by_role("button", name="Continue").click()

    def start(self, button: str) -> dict:
        """Begin a session; what the server hands out first."""
        with self.page.expect_response("**/reader/api/pair") as answer:
            self.page.get_by_role("button", name=button).click()
        return answer.value.json()

    def read(self, given: dict, count: int) -> dict:
        """Answer so many pairs; what the server says after the last."""
        for _ in range(count):
            given = self.rate(given["pair"]["token"])
        return given

    def rate(self, token: str) -> dict:
        self.ready()
        self.pages[token] = self.page.locator(".desk").evaluate("desk => desk.outerHTML")
        for answer in self.judge.answers(token, QUESTIONS):
            key = ARROWS[answer.value] if answer.slot == PAIR else str(answer.value)
            self.page.keyboard.press(key)
        return self.enter("rate")

    def guess(self, given: dict) -> None:
        """Answer the last questions until there are none."""
        while given["screen"]["kind"] == "guess":
            self.ready()
            groups = given["screen"]["body"]["groups"]
            for group in self.judge.guesses(given["pair"]["token"], groups):
                self.page.keyboard.press(str(group + 1))
            given = self.enter("guess")

    def ready(self) -> None:
        self.page.locator(".dk-reading[aria-busy=false]").wait_for()

    def enter(self, step: str) -> dict:
        with self.page.expect_response(f"**/reader/api/{step}") as answer:
            self.page.keyboard.press("Enter")
        assert answer.value.ok, answer.value.text()
        return answer.value.json()


def test_a_whole_study_with_a_person_at_a_screen(browser, tmp_path: Path) -> None:
    study = complete_study.make(tmp_path)
    others = [code for code in expected_outcome.CODES if code != READER]
    with (
        complete_study.server(study) as root,
        open_page(browser) as page,
        ThreadPoolExecutor(1) as pool,
    ):
        reading = pool.submit(complete_study.read, study, root, others)
        person = Person(page, study.judge(READER))
        person.join(f"{root}/reader/join/{study.links[READER].rsplit('/', 1)[-1]}")
        person.agree()
        person.check_screen()
        person.read(person.start("Start the training"), 1)
        page.get_by_role("button", name="Next pair", exact=True).last.click()
        left = person.read(person.start("Start reading"), complete_study.PAIRS - 1)
        with page.expect_response("**/reader/api/pair") as answer:
            page.get_by_role("button", name="Continue").click()
        assert left["screen"]["kind"] == "guess"
        person.guess(answer.value.json())
        page.get_by_text("You have read everything.").wait_for()
        reading.result()
        check_nothing_is_kept(person)
        check_pages(person, study.secrets)
        complete_study.study("close", study.folder)
        page.reload()
        page.get_by_text("This study is closed.").wait_for()
    expected_outcome.check_masked(study, tmp_path)
    expected_outcome.check_named(study, tmp_path)
    expected_outcome.check_complete(study)
    look_at(browser, tmp_path / "report.html")


def check_nothing_is_kept(person: Person) -> None:
    """The browser has no memory of the study but its cookie, and nothing was said or went wrong."""
    page = person.page
    assert page.problems == []
    assert person.said == []
    kept = page.evaluate("[localStorage.length, sessionStorage.length]")
    assert kept == [0, 0]
    assert page.evaluate("indexedDB.databases().then(found => found.length)") == 0
    assert page.evaluate("caches.keys().then(found => found.length)") == 0
    assert page.evaluate("document.cookie") == ""
    cookies = {cookie["name"] for cookie in page.context.cookies()}
    assert cookies == {"reading_device", "readingroom_reader"}


def check_pages(person: Person, secrets: frozenset[str]) -> None:
    """The page is the same at every pair but for the count, and names nothing."""
    tokens = list(person.pages)
    assert len(tokens) == complete_study.PAIRS
    plain = {COUNTS.sub("", person.pages[token]) for token in tokens[1:]}
    assert len(plain) == 1, sorted(plain, key=len)[:2]
    text = "\n".join([*plain, *person.page.asked]).lower()
    assert not [name for name in secrets if len(name) > 4 and name.lower() in text]
    assert not [token for token in tokens if token.lower() in text]


def look_at(browser, report: Path) -> None:
    """The report opens in a browser and has its figures."""
    with open_page(browser) as page:
        page.goto(report.as_uri())
        assert page.problems == []
        assert page.asked == [report.as_uri()]
        assert page.locator("svg").count() >= 6
        assert page.get_by_role("rowheader", name=re.compile("^M[1-4] restormer$")).count() > 3
