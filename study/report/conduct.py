"""How the study went: balance of sides and order, identical pairs, blinding, what was left out."""

from __future__ import annotations

from study.analysis.records import EXCLUDED, NEVER_JOINED, WITHDRAWN
from study.report.context import ReportContext, heading, moment, plural
from study.report.formatting import (
    NONE,
    equals,
    number,
    percent,
    share_with_interval,
    tested,
    with_interval,
)
from study.report.markup import Content, Html, Notes, paragraph, section, table, tag
from study.stats.preference import SideCheck


def balance(sheet: ReportContext) -> Html:
    """Where the methods were shown, and whether the side mattered."""
    return section(
        "balance",
        "Balance of sides and order",
        _sides(sheet),
        _order(sheet),
        tag("h3", "Did the side matter?"),
        _side_effect(sheet),
        tag("h3", "Identical pairs"),
        _nulls(sheet),
    )


def _sides(sheet: ReportContext) -> Html:
    rows: list[list[Content]] = [
        [
            f"{sheet.method(one.first)} / {sheet.method(one.second)}",
            str(one.left),
            str(one.right),
            str(one.worst),
        ]
        for one in sheet.analysis.conduct.sides
    ]
    head = ("First / second", "First on the left", "First on the right",
            "Largest difference in one reader")  # fmt: skip
    return table(sheet.table("Sides in the main pairs that were read."), head, rows)


def _order(sheet: ReportContext) -> Html:
    found = sheet.analysis.conduct.order
    if not found.counts:
        return paragraph("No main pair was read.")
    rows: list[list[Content]] = [
        [sheet.method(mask), *(str(count) for count in counts)]
        for mask, counts in zip(found.methods, found.counts, strict=True)
    ]
    parts = len(found.counts[0])
    head = ("Method", *(f"Part {part + 1}" for part in range(parts)))
    test = found.test
    words = f"undefined: {test.reason}"
    if test.p is not None:
        words = f"χ²({test.df:g}) = {number(test.statistic)}, p {equals(test.p)}"
    caption = sheet.table(
        f"How often each method was shown in each of {parts} equal parts of the readers’ main "
        f"pairs. Method against part: {words}."
    )
    return table(caption, head, rows)


def _side_effect(sheet: ReportContext) -> Html:
    notes, found = Notes(), sheet.analysis.conduct
    rows: list[list[Content]] = []
    if found.left_preferred is not None:
        rows.append(["Preferences, left of decided", *_check(found.left_preferred, notes)])
    for code, shift in found.side_scores:
        name = heading(sheet.question(code))
        rows.append([f"{name}, left − right", with_interval(shift, notes), NONE, NONE])
    head = ("Main pairs", f"Value and {sheet.level} interval", "Left / none / right", "p")
    caption = sheet.table(
        "Effect of the side in the main pairs. For scores: each reader’s mean of left less right, "
        "with the readers as the sample."
    )
    return table(caption, head, rows, notes=notes)


def _nulls(sheet: ReportContext) -> Html:
    notes, found = Notes(), sheet.analysis.conduct
    if not any(one.pairs for one in found.null_scores):
        return paragraph("No identical pair was read.")
    rows: list[list[Content]] = []
    if found.null_preferences is not None:
        rows.append(["Preferences, left of decided", *_check(found.null_preferences, notes)])
    for one in found.null_scores:
        name = heading(sheet.question(one.question))
        rows.append([f"{name}, equal scores", share_with_interval(one.equal, notes), NONE, NONE])
        rows.append([f"{name}, left − right", with_interval(one.shift, notes), NONE, NONE])
    head = ("Identical pairs", f"Value and {sheet.level} interval", "Left / none / right", "p")
    caption = sheet.table(
        f"Pairs that show one image twice ({found.null_scores[0].pairs} with both scores): there "
        "is nothing to prefer, so that a preference comes from the side or from chance."
    )
    return table(caption, head, rows, notes=notes)


def _check(found: SideCheck, notes: Notes) -> list[Content]:
    return [
        share_with_interval(found.share, notes),
        f"{found.left} / {found.ties} / {found.right}",
        tested(found.test, notes),
    ]


def blinding(sheet: ReportContext) -> Html:
    """Whether readers could tell how the images were made."""
    found, protocol = sheet.analysis.blinding, sheet.data.protocol
    if found is None:
        if not protocol.ask_blinding:
            words = "Readers were not asked how the images were made."
        elif not sheet.data.unblinded:
            words = "The blinding index needs the groups of the methods: it is computed after "
            words += f"unblinding. {plural(len(sheet.data.guesses), 'guess', 'guesses')} stored."
        else:
            words = "The blinding question has too few answers for an index."
        return section("blinding", "Blinding", paragraph(words))
    notes, index = Notes(), found.index
    rows: list[list[Content]] = [
        [
            group,
            *(str(count) for count in index.counts[place]),
            share_with_interval(found.correct[place], notes),
            with_interval(index.bang[place], notes),
        ]
        for place, group in enumerate(index.methods)
    ]
    head = (
        "True group", *(f"Guessed: {group}" for group in index.methods), "Do not know",
        "Right, of those who guessed", "Bang’s index",
    )  # fmt: skip
    caption = sheet.table(
        f"Guesses of {plural(found.readers, 'reader')} about how images were made. Chance alone "
        f"gives {percent(found.chance)} right; Bang’s index is 0 at chance and 1 if all are right."
    )
    remark = (
        "Answers of one reader are not independent, so that the intervals are too short. "
        f"Bang’s index: {index.bang[0].method.partition(';')[0]}."
    )
    james = Notes()
    return section(
        "blinding",
        "Blinding",
        table(caption, head, rows, notes=notes, remark=remark),
        paragraph(
            "James’s index (1: nobody could tell; 0.5: guesses at random; 0: all were right): ",
            with_interval(index.james, james),
            ".",
        ),
        james.render(),
    )


def left_out(sheet: ReportContext) -> Html:
    """Withdrawals, exclusions, and what else readers left."""
    data = sheet.data
    counted = {
        state: [one.code for one in data.readers if one.state == state]
        for state in (WITHDRAWN, EXCLUDED, NEVER_JOINED)
    }
    words = ((WITHDRAWN, "withdrew consent"), (EXCLUDED, "excluded by a logged decision"),
             (NEVER_JOINED, "never joined"))  # fmt: skip
    lines = [
        f"{text[0].upper()}{text[1:]}: {', '.join(counted[state]) or 'no reader'}."
        for state, text in words
    ]
    corrected = sum(one.corrections for one in data.readers)
    lines.append(f"{plural(corrected, 'pair')} corrected by readers, each with a reason.")
    lines.append(
        f"{plural(len(data.comments), 'comment')} written by readers; they are in the export."
    )
    rows: list[list[Content]] = [
        [
            one.target,
            one.kind,
            one.rule,
            "yes" if one.prespecified else "no",
            one.reason,
            one.decided_by,
            moment(one.decided_at),
        ]
        for one in data.exclusions
    ]
    head = ("Left out", "Kind", "Rule", "Prespecified", "Reason", "Decided by", "Decided")
    return section(
        "left-out",
        "Withdrawals, exclusions, comments",
        tag("ul", *(tag("li", line) for line in lines)),
        table(sheet.table("Exclusions."), head, rows, words=tuple(range(7)))
        if rows
        else paragraph("No exclusion was decided."),
    )
