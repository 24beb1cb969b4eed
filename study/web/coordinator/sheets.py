"""The coordinator's pages as HTML: protocol, images, freeze, unblinding, results, audit."""

from __future__ import annotations

from collections.abc import Sequence

from study.analysis.records import ExclusionRecord
from study.domain.protocol import Protocol, QuestionKind, Status
from study.planning.freeze import FreezeCheck
from study.planning.progress_report import ImageCounts, ProgressReport
from study.planning.workload import ASSUMED_KAPPA, WorkloadEstimate
from study.report.markup import Content, Html, join, tag
from study.stimuli.checks import GateReport
from study.web.coordinator.views import code, empty, facts, moment, remark, table

_PLACES = {"protocol": "protocol_sha256", "seed": "seed_sha256", "names": "key_sha256",
           "plan": "plan_sha256"}  # fmt: skip


def cost(estimate: WorkloadEstimate, *, saved: bool) -> Html:
    """What a design costs its readers, and whether it is the one that is stored."""
    width = estimate.kappa_half_width
    kappa = "needs 2 readers" if width is None else f"± {width:.2f}"
    main = f"{estimate.main} = {estimate.cases} cases × {estimate.pairs} method pairs"
    whole = facts(
        [
            ("Time for each reader", tag("strong", f"{estimate.hours:.1f} h")),
            ("Sittings", f"{estimate.sittings}"),
            ("Pairs for each reader", tag("strong", f"{estimate.trials}")),
            ("of these main pairs", main),
            ("Answers of a reader", f"{estimate.ratings}"),
            ("Answers in all", f"{estimate.ratings_total}"),
            ("Kappa of a method", f"{kappa} (95%, if it is {ASSUMED_KAPPA:g})"),
        ]
    )
    notes = [f"Note: {words}" for words in estimate.warnings]
    if not saved:
        notes.append("This design is not saved yet.")
    return join((whole, *(tag("p", words, class_="co-warn") for words in notes)))


def problem(words: str) -> Html:
    """Why something is not possible."""
    return join(tag("p", line, class_="co-problem") for line in words.splitlines() if line.strip())


def protocol(seen: ProgressReport) -> Html:
    """The protocol of a frozen study, which nothing can change."""
    plan = seen.protocol
    return tag(
        "div",
        tag("h3", "Fixed at the freeze"),
        hashes(seen),
        tag("h3", "Questions"),
        _questions(plan),
        tag("h3", "Pairs"),
        facts(
            [
                ("Compared", _pairing(plan)),
                ("Readers", plan.readers),
                ("Training, dummies", f"{plan.training}, {plan.dummies}"),
                ("Repeats, null pairs", f"{plan.repeats}, {plan.nulls}"),
                ("Washout", f"{plan.washout_days:g} days" if plan.washout_days else "none"),
                ("Feedback in training", "yes" if plan.feedback else "no"),
                ("Asked how images were made",
                 ", ".join(plan.blinding_groups) if plan.ask_blinding else "no"),
                ("Rule for kappa", "first main rating of reader, case and method"),
                ("Significance level", f"{plan.alpha:g}"),
            ]
        ),
        tag("h3", "Texts"),
        facts(
            [
                ("Title", plan.title),
                ("Instructions", plan.instructions),
                ("Consent", plan.consent),
                ("Notes", plan.notes or "–"),
            ]
        ),
        class_="co-sheet",
    )  # fmt: skip


def _pairing(plan: Protocol) -> str:
    if plan.control:
        return "every method with one control"
    return f"{len(plan.pairs)} chosen pairs of methods" if plan.pairs else "every pair of methods"


def _questions(plan: Protocol) -> Html:
    rows: list[list[Content]] = []
    for question in plan.questions:
        likert = question.kind is QuestionKind.LIKERT
        scale = f"{question.minimum} to {question.maximum}" if likert else "left, none, right"
        rows.append(
            [
                question.code,
                question.text,
                scale,
                "yes" if question.cannot_judge else "no",
                "primary" if question.primary else "",
            ]
        )
    return table(("Code", "Text", "Scale", "Cannot judge", ""), rows)


def hashes(seen: ProgressReport) -> Html:
    """The SHA-256 values to note in a registration."""
    entries: list[tuple[str, Content]] = [
        ("Frozen", f"{moment(seen.frozen_at)} UTC" if seen.frozen_at else "not yet")
    ]
    for name, place in _PLACES.items():
        found = getattr(seen, place)
        if found:
            entries.append((f"SHA-256 of {name}", code(found)))
    return facts(entries)


def images(built: ImageCounts) -> Html:
    """What is built, by counts."""
    if not built.stimuli and not built.cases:
        return empty("No image has been rendered yet.")
    of_kind = {str(kind): number for kind, number in built.kinds}
    state: Content = tag("span", "complete", class_="co-good")
    if not built.complete:
        wanted = (built.cases + built.training) * built.methods
        state = tag(
            "span",
            f"{wanted - built.stimuli} of {wanted} are missing, {built.pending} have not passed "
            "the gates",
            class_="co-problem",
        )
    return facts(
        [
            ("State", state),
            ("Images", built.stimuli),
            ("Cases to be read", f"{built.cases}, of {built.patients} patients"),
            ("Cases for training", built.training),
            ("Methods under test", of_kind.get("test", 0)),
            ("Hidden reference", of_kind.get("reference", 0)),
            ("Degraded on purpose", of_kind.get("anchor", 0)),
        ]
    )


def gates(report: GateReport) -> Html:
    """What the gates measured; names methods, so only whoever built it sees it, once."""
    rows: list[list[Content]] = []
    for method in report.methods:
        found = [one for one in report.measured if one.method == method]
        if not found:
            rows.append([method, "the base of comparison", "", "", "", ""])
            continue
        brightness = sum(one.brightness for one in found) / len(found)
        contrast = sum(one.contrast for one in found) / len(found)
        beyond = sum(bool(one.findings) for one in found)
        rows.append(
            [
                method,
                f"{max(one.shift for one in found):.1f} px",
                f"{brightness:+.1%}",
                f"{contrast:.2f}",
                f"{max((one.frame for one in found), key=abs):+d} px",
                tag("span", f"{beyond} of {len(found)}", class_="co-warn" if beyond else None),
            ]
        )
    head = ("Method", "Largest shift", "Brightness", "Contrast", "Frame", "Beyond limits")
    told = [f"Case {one.case}, {one.method}: {', '.join(one.findings)}."
            for one in report.measured if one.findings]  # fmt: skip
    return tag(
        "div",
        remark(
            "Against the base of each case. Differences beyond the limits may be the work of a "
            "method, or may tell readers which one it is. This table names methods: it is shown "
            "once, to you."
        ),
        table(head, rows, numbers=(1, 2, 3, 4, 5)),
        findings(told),
        findings(report.notes),
    )


def findings(words: Sequence[str], longest: int = 12) -> Html:
    """Sentences as a list, the first ones of many."""
    if not words:
        return Html("")
    more = [f"... and {len(words) - longest} more."] if len(words) > longest else []
    return tag("ul", *(tag("li", one) for one in [*words[:longest], *more]), class_="co-list")


def checks(found: FreezeCheck) -> Html:
    """What forbids the freeze, or that nothing does."""
    if not found.problems:
        words = (
            "Nothing forbids the freeze: all images are there, no text names a method, a case or a "
            "patient, and the plan of every reader is balanced and random."
        )
        return join((tag("p", words, class_="co-good"), findings(found.notes)))
    number = len(found.problems)
    count = "One thing forbids" if number == 1 else f"{number} things forbid"
    told = findings(found.problems, 30)
    return join((tag("p", f"{count} the freeze:", class_="co-problem"), told))


def excluded(found: Sequence[ExclusionRecord]) -> Html:
    """Decisions to leave something out."""
    rows: list[list[Content]] = [
        [one.target, one.rule, "yes" if one.prespecified else "no", one.reason, one.decided_by,
         moment(one.decided_at)]
        for one in found
    ]  # fmt: skip
    head = ("Left out", "Rule", "Set before", "Reason", "By", "At (UTC)")
    return table(head, rows) if rows else Html("")


def unblinding(seen: ProgressReport, asked_by: str, me: str) -> Html:
    """Where closing and unblinding stand."""
    if seen.status in (Status.DRAFT, Status.FROZEN):
        return empty("There is nothing to close: the study is not open yet.")
    if seen.status is Status.OPEN:
        left = seen.planned - seen.done
        words = f"{left} of {seen.planned} pairs are not read." if left else "Every pair is read."
        return join((tag("p", words, class_="co-warn" if left else "co-good"),
                     remark("After the study is closed no rating can be added.")))  # fmt: skip
    if seen.status is Status.UNBLINDED:
        return tag("p", "The study is unblinded: results name the methods.", class_="co-good")
    if not asked_by:
        return remark(
            "The study is closed. Unblinding takes two administrators: one asks, another one "
            "confirms. Both are logged, and it cannot be undone."
        )
    own = " You asked: somebody else has to confirm." if asked_by == me else ""
    return tag("p", tag("strong", asked_by), f" asks to unblind the study.{own}", class_="co-warn")
