"""The first page of the report: what was done, the main results, the protocol and the readers."""

from __future__ import annotations

from collections import Counter

from study.analysis.records import EXCLUDED, INCLUDED, NEVER_JOINED, WITHDRAWN, MethodRecord
from study.domain.protocol import MethodKind, QuestionKind, Role
from study.report.context import ReportContext, heading, moment, plural
from study.report.formatting import NONE, number, share_with_interval, whole, with_interval
from study.report.markup import (
    Content,
    Html,
    Notes,
    definitions,
    join,
    listing,
    paragraph,
    section,
    table,
    tag,
)
from study.stats.estimate import Estimate
from study.stats.summary import Summary

KINDS = {
    MethodKind.TEST: "under\u00a0test",
    MethodKind.REFERENCE: "hidden\u00a0reference",
    MethodKind.ANCHOR: "degraded\u00a0anchor",
}
STATES = {
    INCLUDED: "included",
    EXCLUDED: "excluded",
    WITHDRAWN: "withdrew consent",
    NEVER_JOINED: "never joined",
}
ROLES = {
    Role.TRAINING: "training",
    Role.DUMMY: "warm-up",
    Role.MAIN: "main",
    Role.REPEAT: "hidden repeats",
    Role.NULL: "identical pairs",
}


def masthead(sheet: ReportContext) -> Html:
    """Title, status and recorded dates."""
    data = sheet.data
    simulated = sum(one.simulated for one in data.readers)
    labels = ["Unblinded: methods named" if data.unblinded else "Methods masked"]
    if data.protocol.demo:
        labels.insert(0, "Demonstration, not a study")
    if simulated:
        labels.insert(0, f"{simulated} of {plural(len(data.readers), 'reader')} simulated")
    dates = (
        ("Frozen", data.study.frozen_at),
        ("Opened", data.study.opened_at),
        ("Closed", data.study.closed_at),
        ("Unblinded", data.study.unblinded_at),
    )
    return tag(
        "header",
        paragraph(f"Blinded reader study · {data.study.code}", class_="kicker"),
        tag("h1", data.protocol.title),
        tag("p", *(tag("span", label, class_="label") for label in labels), class_="labels"),
        tag(
            "p",
            join((f"{name} {moment(when)}" for name, when in dates if when), " · "),
            class_="dates",
        ),
    )


def summary(sheet: ReportContext) -> Html:
    """The study in one line of figures and one table."""
    data = sheet.data
    readers = [one for one in data.readers if one.state == INCLUDED]
    mains = [seen for seen in data.observations if seen.role is Role.MAIN and not seen.excluded]
    answered = sum(seen.value is not None for seen in mains)
    cases = {seen.case for seen in mains}
    facts = (
        (len(readers), "reader" if len(readers) == 1 else "readers"),
        (len(cases), f"cases of {plural(len({seen.patient for seen in mains}), 'patient')}"),
        (len(data.methods), "methods"),
        (sum(one.read for one in readers), f"of {sum(one.planned for one in readers)} pairs read"),
        (answered, "answers"),
        (len(mains) - answered, "answers missing"),
    )
    figures = (tag("div", tag("dd", whole(count)), tag("dt", words)) for count, words in facts)
    return section("summary", "Summary", tag("dl", *figures, class_="facts"), _main_results(sheet))


def _main_results(sheet: ReportContext) -> Html:
    analysis, notes = sheet.analysis, Notes()
    head: list[Content] = ["Method", "Role"]
    for result in analysis.criteria:
        name = heading(sheet.question(result.question))
        name += " (primary)" if result.primary else ""
        head += [join((name, tag("br"), "mean (SD)")), join((name, tag("br"), "Fleiss’ κ"))]
    if analysis.preferences:
        head.append("Preferred, share of decided pairs")
    rates = (
        {one.method: one.rate for one in analysis.preferences.methods}
        if (analysis.preferences)
        else {}
    )
    rows = []
    for method in sheet.data.methods:
        row: list[Content] = [method.label, KINDS[method.kind]]
        for result in analysis.criteria:
            scores = next(one.scores for one in result.summaries if one.method == method.mask)
            agreed = next(one for one in result.agreement if one.method == method.mask)
            row += [mean_sd(scores), with_interval(agreed.fleiss, notes)]
        if analysis.preferences:
            row.append(_rate(rates.get(method.mask), notes))
        rows.append(row)
    caption = sheet.table(
        f"Main results. Each κ with its {sheet.level} interval from Gwet’s standard error; "
        "preferences with Wilson’s."
    )
    return table(caption, head, rows, notes=notes, words=(0, 1))


def _rate(rate: Estimate | None, notes: Notes) -> Content:
    return NONE if rate is None else share_with_interval(rate, notes)


def mean_sd(scores: Summary) -> str:
    """A mean with its standard deviation."""
    return NONE if scores.mean is None else f"{number(scores.mean)} ({number(scores.sd)})"


def design(sheet: ReportContext) -> Html:
    """The protocol as it was frozen, with the hashes that prove it."""
    data, protocol, study = sheet.data, sheet.data.protocol, sheet.data.study
    hashes = (
        ("Protocol", study.protocol_sha256),
        ("Plan of all readers", study.plan_sha256),
        ("Master seed", study.seed_sha256),
        ("Names of the methods", study.key_sha256),
    )
    entries: list[tuple[Content, Content]] = [
        ("Questions", listing(_questions(sheet))),
        ("Pairs", _pairs(sheet)),
        ("Randomisation", _randomisation(sheet)),
        ("Blinding", _blinding(sheet)),
        ("Instructions", tag("span", protocol.instructions, class_="quoted")),
        ("Consent text", tag("span", protocol.consent, class_="quoted")),
    ]
    if protocol.notes.strip():
        entries.append(("Notes", tag("span", protocol.notes, class_="quoted")))
    entries.append(
        (
            "SHA-256",
            definitions((name, tag("code", value)) for name, value in hashes if value),
        )
    )
    return section(
        "design",
        "Design and protocol",
        paragraph(
            f"All of this was fixed when the study was frozen on {moment(study.frozen_at)}, "
            "before the first rating; the database refuses a change afterwards."
        ),
        definitions(entries),
        _methods_table(sheet) if data.unblinded else None,
    )


def _questions(sheet: ReportContext) -> list[Content]:
    found: list[Content] = []
    for question in sheet.data.protocol.questions:
        words = [question.text]
        if question.kind is QuestionKind.LIKERT:
            points = (
                f"{point} {anchor}".strip()
                for point, anchor in zip(
                    question.scale, question.anchors or [""] * len(question.scale), strict=True
                )
            )
            words.append(f"({', '.join(points)}; each image)")
        else:
            words.append("(left, no preference, right; each pair)")
        if question.cannot_judge:
            words.append("“Cannot judge” was allowed.")
        if question.primary:
            words.append("Primary.")
        found.append(join((tag("b", question.code), ": ", " ".join(words))))
    return found


def _pairs(sheet: ReportContext) -> str:
    """How many pairs of each role a reader had, by the largest plan."""
    counted: Counter[tuple[str, Role]] = Counter(
        (reader, role) for reader, role, _ in _showings(sheet)
    )
    words = []
    for role, name in ROLES.items():
        numbers = {count for (_, of_role), count in counted.items() if of_role is role}
        if numbers:
            least, most = min(numbers), max(numbers)
            span = str(most) if least == most else f"{least} to {most}"
            words.append(f"{span} {name}")
    return (
        f"For each reader: {', '.join(words)}. Only main pairs enter scores, agreement and "
        "comparisons; repeats and identical pairs have sections of their own."
    )


def _showings(sheet: ReportContext) -> set[tuple[str, Role, str]]:
    return {(seen.reader, seen.role, seen.pair) for seen in sheet.data.observations}


def _randomisation(sheet: ReportContext) -> str:
    protocol = sheet.data.protocol
    repeats = (
        f"Repeats came in a second session at least {protocol.washout_days:g} days later."
        if protocol.washout_days
        else "Repeats came in the same session, at a distance from the pair they repeat."
    )
    return (
        "Sides in permuted blocks, balanced to one within each reader and pair of methods; "
        "neighbouring readers mirrored. Order shuffled for each reader, cases of one patient kept "
        "apart where possible. All drawn from a 256-bit master seed that was kept outside the "
        f"database. {repeats}"
    )


def _blinding(sheet: ReportContext) -> str:
    asked = (
        " Readers were asked at the end how some images were made."
        if sheet.data.protocol.ask_blinding
        else ""
    )
    return (
        "Images of a case had one size, depth and display window, were sent as raw pixels of equal "
        "length under single-use random names, and were rendered before the study was frozen. "
        f"Names of methods were in a key file outside the study.{asked}"
    )


def _methods_table(sheet: ReportContext) -> Html:
    rows = [
        (method.label, KINDS[method.kind], method.group or NONE, _parameters(method))
        for method in sheet.data.methods
    ]
    caption = sheet.table("The methods behind the codes, from the key file.")
    head = ("Method", "Role", "Group in the blinding question", "How its images were made")
    return table(caption, head, rows, words=(0, 1, 2, 3))


def _parameters(method: MethodRecord) -> str:
    return ", ".join(f"{name} {value}" for name, value in method.parameters) or NONE


def readers(sheet: ReportContext) -> Html:
    """Who read, and how."""
    data = sheet.data
    ways = {one.reader: one for one in sheet.analysis.conduct.readers}
    rows: list[list[Content]] = []
    for one in data.readers:
        way = ways.get(one.code)
        years = NONE if one.experience_years is None else str(one.experience_years)
        missing = {entry.reason: entry.count for entry in way.missing} if way else {}
        time: Content = NONE
        if way and way.seconds is not None:
            spread = f"({number(way.q1, 0)} to {number(way.q3, 0)})"
            time = join((number(way.seconds, 0), " ", tag("span", spread, class_="interval")))
        rows.append(
            [
                join((one.code, " (simulated)" if one.simulated else "")),
                STATES[one.state],
                one.specialty or NONE,
                years,
                one.display_check,
                f"{one.read} of {one.planned}" if one.planned else NONE,
                str(missing.get("cannot judge", 0)) if way else NONE,
                str(one.corrections) if way else NONE,
                time,
            ]
        )
    head = (
        "Reader", "State", "Specialty", "Years of experience", "Display check", "Main pairs read",
        "Cannot judge", "Corrected pairs", "Seconds a pair, median (quartiles)",
    )  # fmt: skip
    caption = sheet.table("Readers, by their codes. Time is that in which a pair was visible.")
    remark = (
        "Ratings of readers who withdrew their consent are in no analysis and in no export."
        if any(one.state == WITHDRAWN for one in data.readers)
        else None
    )
    return section(
        "readers", "Readers", table(caption, head, rows, words=(0, 1, 2, 4), remark=remark)
    )
