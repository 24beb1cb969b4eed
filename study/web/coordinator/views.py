"""The coordinator's pages as HTML: how far the study is, and its readers."""

from __future__ import annotations

from study.accounts.staff import StaffAccount
from study.domain.protocol import Status
from study.planning.progress_report import ProgressReport, ReaderProgress
from study.report.markup import Content, Html, join, tag
from study.web.coordinator.background_jobs import JobState

NOTHING = Html("")
_STEPS = (
    (Status.DRAFT, "Draft", "plan and build"),
    (Status.FROZEN, "Frozen", "nothing can change"),
    (Status.OPEN, "Open", "readers read"),
    (Status.CLOSED, "Closed", "results by code"),
    (Status.UNBLINDED, "Unblinded", "results by name"),
)
_ORDER = tuple(Status)


def header(member: StaffAccount | None, seen: ProgressReport | None) -> Html:
    """The line at the top: which study, where it stands, who is signed in."""
    study: list[Content] = []
    person: list[Content] = []
    if seen is not None:
        study = [
            tag("p", tag("strong", seen.code), " ", seen.protocol.title, class_="purpose"),
            tag("span", seen.status.value, class_=f"badge co-status co-{seen.status.value}"),
        ]
        if seen.protocol.demo:
            study.append(tag("span", "demo", class_="badge"))
    if member is not None:
        person = [
            tag(
                "span", tag("span", member.role.value, class_="badge-name"), member.code,
                class_="badge co-member",
            ),
            Html(
                '<form method="post" action="logout"><button class="co-small">Sign out</button>'
                "</form>"
            ),
        ]  # fmt: skip
    return tag(
        "div",
        tag("h1", "Coordinator"),
        *(study or [Html('<p class="purpose"></p>')]),
        *person,
        Html('<button class="theme-toggle" data-theme-toggle aria-label="Light or dark" '
             'title="Light or dark">◐</button>'),
        class_="masthead",
    )  # fmt: skip


def notice(words: str = "", kind: str = "") -> Html:
    """The one place for messages; ``kind`` is "", "error" or "warning"."""
    if not words:
        return NOTHING
    lines = [tag("p", line) for line in words.splitlines() if line.strip()]
    role = "alert" if kind == "error" else "status"
    return tag("div", *lines, class_=f"notice {kind}".strip(), role=role)


def life(status: Status) -> Html:
    """The five steps of a study, and which one it is at."""
    now = _ORDER.index(status)
    steps = []
    for place, (_, name, meaning) in enumerate(_STEPS):
        state = "done" if place < now else "current" if place == now else "coming"
        current = {"aria_current": "step"} if place == now else {}
        steps.append(tag("li", tag("strong", name), tag("span", meaning), class_=state, **current))
    return tag("ol", *steps, class_="co-life", aria_label="Status of the study")


def advice(step: str) -> Html:
    """What to do next."""
    return tag("p", tag("strong", "Next: "), step, class_="co-next")


def board(seen: ProgressReport) -> Html:
    """Counts, and the readers."""
    return tag("div", _tiles(seen), tag("h3", "Readers"), readers(seen), class_="co-board")


def _tiles(seen: ProgressReport) -> Html:
    images = seen.images
    finished = sum(reader.state == "finished" for reader in seen.readers)
    begun = sum(reader.state in ("reading", "waiting") for reader in seen.readers)
    places = len(seen.readers) or seen.protocol.readers
    answers = sum(reader.answers for reader in seen.readers)
    missing = sum(reader.missing for reader in seen.readers)
    return tag(
        "div",
        _tile("Cases", images.cases, f"{images.training} more for training, "
              f"{_count(images.patients, 'patient')}"),
        _tile("Methods", images.methods, _kinds(seen) or "none built yet"),
        _tile("Readers", places, f"{finished} finished, {begun} reading"),
        _tile(
            "Pairs read",
            Html(f"{seen.done}<small> of {seen.planned}</small>") if seen.planned else "–",
            bar(seen.done, seen.planned) if seen.planned else "planned at the freeze",
        ),
        _tile("Cannot judge", percent(missing, answers), f"{missing} of {answers} answers"),
        class_="co-tiles",
    )  # fmt: skip


def _kinds(seen: ProgressReport) -> str:
    words = {"test": "under test", "reference": "reference", "anchor": "degraded on purpose"}
    return ", ".join(f"{number} {words[kind]}" for kind, number in seen.images.kinds)


def _tile(name: str, value: Content, note: Content) -> Html:
    return tag(
        "div",
        tag("span", name, class_="co-name"),
        tag("span", value, class_="co-value"),
        tag("span", note, class_="co-note"),
        class_="co-tile",
    )


def readers(seen: ProgressReport) -> Html:
    """How far each reader is: counts, times and missing answers, nothing by method."""
    if not seen.readers:
        return empty(
            f"{_count(seen.protocol.readers, 'place')} planned. Readers get their codes at the "
            "freeze."
        )
    head = (
        "Reader", "State", "Pairs read", "Training", "Time a pair", "Cannot judge", "Corrected",
        "Last answer",
    )  # fmt: skip
    return table(head, [_reader(reader) for reader in seen.readers], numbers=(3, 4, 5, 6))


def _reader(one: ReaderProgress) -> list[Content]:
    state: Content = one.state
    if one.waits_until:
        state = f"{one.state} until {moment(one.waits_until)}"
    if one.simulated:
        state = f"{state} (simulated)"
    share = one.done / one.planned if one.planned else 0.0
    done = tag(
        "span",
        bar(one.done, one.planned),
        tag("span", f"{one.done} of {one.planned}", class_="co-of"),
        class_="co-progress",
        title=f"{share:.0%}",
    )
    return [
        one.code,
        tag("span", state, class_=f"co-state co-{one.state.replace(' ', '-')}"),
        done,
        f"{one.training_done} of {one.training_planned}" if one.training_planned else "–",
        "–" if one.seconds is None else f"{one.seconds:.0f} s",
        percent(one.missing, one.answers),
        one.corrections or "–",
        moment(one.last_at) if one.last_at else "–",
    ]


def table(
    head: tuple[str, ...], rows: list[list[Content]], *, numbers: tuple[int, ...] = ()
) -> Html:
    """A table whose first cell names the row."""

    def side(place: int) -> str | None:
        return "number" if place in numbers else None

    top = tag("tr", *(tag("th", cell, scope="col", class_=side(i)) for i, cell in enumerate(head)))
    body = (
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", cell, class_=side(i)) for i, cell in enumerate(row[1:], 1)),
        )
        for row in rows
    )
    whole = tag("table", tag("thead", top), tag("tbody", join(body)))
    return tag("div", whole, class_="co-table")


def facts(entries: list[tuple[str, Content]]) -> Html:
    """Names and what they are."""
    pairs = (tag("div", tag("dt", name), tag("dd", value)) for name, value in entries)
    return tag("dl", *pairs, class_="co-facts")


def empty(words: str) -> Html:
    """A place where there is nothing yet, and why."""
    return tag("p", words, class_="co-empty")


def remark(*words: Content) -> Html:
    """A quiet sentence."""
    return tag("p", *words, class_="co-remark")


def code(words: str) -> Html:
    """A hash or an address, whole."""
    return tag("code", words, class_="co-code")


def bar(done: float, whole: float) -> Html:
    """A bar filled to a share."""
    share = min(1.0, done / whole) if whole else 0.0
    return Html(f'<span class="co-bar"><i style="width:{100 * share:.1f}%"></i></span>')


def job(state: JobState) -> Html:
    """What the server is doing, or what came out of it last."""
    if not state.name:
        return NOTHING
    name = tag("strong", f"{state.name.capitalize()}: ")
    if not state.running:
        lines = state.what.splitlines() or [""]
        kind = "notice error" if state.failed else "co-good"
        told = [tag("p", name, lines[0]), *(tag("p", line) for line in lines[1:])]
        return tag("div", *told, class_=f"co-ended {kind}", role="status")
    left = "" if state.left is None else f" · {duration(state.left)} left"
    kind = "co-running" if state.share else "co-running co-busy"
    words = tag("p", name, state.what, left)
    return tag("div", words, bar(state.share, 1.0), class_=kind, role="status")


def duration(seconds: float) -> str:
    """A time to come, roughly."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def percent(part: int, whole: int) -> str:
    """A share, or a dash where there is nothing to share."""
    return f"{part / whole:.1%}" if whole else "–"


def moment(recorded: str) -> str:
    """A recorded time to the minute, UTC."""
    return f"{recorded[:10]} {recorded[11:16]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
