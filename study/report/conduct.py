"""Sections on how the study went: balance, identical pairs, blinding, exclusions."""

from __future__ import annotations

from collections import Counter

from study.analysis.dataset import IMAGE_LOST
from study.analysis.records import (
    EXCLUDED,
    NEVER_JOINED,
    NOT_QUALIFIED,
    UNDONE,
    WITHDRAWN,
    ExclusionRecord,
)
from study.domain.formatting import DASH, date_time, decimal, p_equals, percent, plural
from study.report.cells import (
    Content,
    Row,
    Table,
    capped,
    share_with_interval,
    tested,
    with_interval,
)
from study.report.context import ReportContext, Section
from study.report.crossover import crossover_tables
from study.stats.comparison.preference import SideCheck


def balance(context: ReportContext) -> Section:
    """Where and when each method was shown, and whether the side mattered."""
    paired = context.data.protocol.paired
    title = "Balance of sides and order" if paired else "Balance of order"
    values = {
        "title": title,
        "paired": paired,
        "unit": context.unit,
        "sides": _sides(context),
        "order": _order(context),
        "crossover": crossover_tables(context),
        "side_effect": _side_effect(context),
        "identical": _identical_pairs(context),
    }
    return Section("balance", title, "balance.html", values)


def _sides(context: ReportContext) -> Table:
    rows = [
        (context.pair(one.first, one.second), str(one.left), str(one.right), str(one.worst))
        for one in context.analysis.conduct.sides
    ]
    head = ("First / second", "First on the left", "First on the right",
            "Largest difference in one reader")  # fmt: skip
    return Table("Sides in the main pairs that were read.", head, rows)


def _order(context: ReportContext) -> Table:
    found = context.analysis.conduct.order
    rows = [
        (context.method(mask), *map(str, counts))
        for mask, counts in zip(found.methods, found.counts, strict=True)
    ]
    parts = len(found.counts[0]) if found.counts else 0
    test = found.test
    result = f"undefined: {test.reason}"
    if test.p is not None:
        result = f"χ²({test.df:g}) = {decimal(test.statistic)}, p {p_equals(test.p)}"
    caption = (
        f"How often each method was shown in each of {parts} equal parts of the readers’ main "
        f"{context.unit}s. Test of independence of method and part: {result}."
    )
    return Table(caption, ("Method", *(f"Part {part + 1}" for part in range(parts))), rows)


def _side_effect(context: ReportContext) -> Table:
    found = context.analysis.conduct
    rows: list[Row] = []
    if found.left_preferred is not None:
        rows.append(("Preferences, left of decided", *_side_cells(found.left_preferred)))
    for code, shift in found.side_scores:
        name = f"{context.question_name(code)}, left − right"
        rows.append((name, with_interval(shift), DASH, DASH))
    caption = (
        "Effect of the side in the main pairs. For scores: each reader’s mean of left minus right, "
        "with the readers as the sample."
    )
    return Table(caption, _side_head(context, "Main pairs"), rows)


def _identical_pairs(context: ReportContext) -> Table:
    found = context.analysis.conduct
    rows: list[Row] = []
    if found.null_preferences is not None:
        rows.append(("Preferences, left of decided", *_side_cells(found.null_preferences)))
    for one in found.null_scores:
        name = context.question_name(one.question)
        rows.append((f"{name}, equal scores", share_with_interval(one.equal), DASH, DASH))
        rows.append((f"{name}, left − right", with_interval(one.shift), DASH, DASH))
    pairs = found.null_scores[0].pairs if found.null_scores else 0
    caption = (
        f"Pairs that show one image twice ({pairs} with both scores): any preference is due to the "
        "side or to chance."
    )
    read = any(one.pairs for one in found.null_scores)
    return Table(caption, _side_head(context, "Identical pairs"), rows if read else ())


def _side_head(context: ReportContext, first: str) -> tuple[str, ...]:
    return (first, f"Value and {context.level} interval", "Left / none / right", "p")


def _side_cells(found: SideCheck) -> tuple[Content, ...]:
    counts = f"{found.left} / {found.ties} / {found.right}"
    return (share_with_interval(found.share), counts, tested(found.test))


def blinding(context: ReportContext) -> Section:
    """Whether readers could tell how the images were made."""
    data, found = context.data, context.analysis.blinding
    values: dict[str, object] = {
        "asked": data.protocol.ask_blinding,
        "unblinded": data.unblinded,
        "stored": len(data.guesses),
        "guesses": _guesses(context),
    }
    if found is not None:
        values["james"] = Table("", (), [(with_interval(found.index.james),)])
    return Section("blinding", "Blinding", "blinding.html", values)


def _guesses(context: ReportContext) -> Table | None:
    found = context.analysis.blinding
    if found is None:
        return None
    index = found.index
    rows = [
        (
            group,
            *map(str, index.counts[place]),
            share_with_interval(found.correct[place]),
            with_interval(index.bang[place]),
        )
        for place, group in enumerate(index.methods)
    ]
    head = (
        "True group", *(f"Guessed: {group}" for group in index.methods), "Do not know",
        "Correct, of those who guessed", "Bang’s index",
    )  # fmt: skip
    caption = (
        f"Guesses of {plural(found.readers, 'reader')} about how images were made. Chance alone "
        f"gives {percent(found.chance)} correct; Bang’s index is 0 at chance and 1 if all guesses "
        "are correct."
    )
    remark = (
        "The answers of one reader are not independent, so the intervals are too short. "
        f"Bang’s index: {index.bang[0].method.partition(';')[0]}."
    )
    return Table(caption, head, rows, remark=remark)


def left_out(context: ReportContext) -> Section:
    """Withdrawals, exclusions, corrections and comments."""
    data = context.data
    states = {
        WITHDRAWN: "Withdrew consent",
        EXCLUDED: "Excluded by a logged decision",
        NEVER_JOINED: "Never joined",
    }
    if data.protocol.qualification:
        states[NOT_QUALIFIED] = "Did not qualify"
    values = {
        "states": [
            (words, [one.code for one in data.readers if one.state == state])
            for state, words in states.items()
        ],
        "unit": context.unit,
        "corrections": sum(one.corrections for one in data.readers),
        "comments": len(data.comments),
        "lost": _lost(context),
        "exclusions": _exclusions(context),
        "changes": _changes(context),
    }
    return Section("left-out", "Withdrawals, exclusions", "left_out.html", values)


def _lost(context: ReportContext) -> str:
    """The number of pairs that could not be shown to each reader."""
    lost = {
        (obs.reader, obs.pair) for obs in context.data.observations if obs.missing == IMAGE_LOST
    }
    counted = sorted(Counter(reader for reader, _ in lost).items())
    return ", ".join(f"{reader}: {plural(number, context.unit)}" for reader, number in counted)


def _changes(context: ReportContext) -> Table:
    rows = [
        (one.reader, one.change, one.reason or DASH, one.decided_by, date_time(one.decided_at))
        for one in context.data.reader_changes
    ]
    head = ("Reader", "Change", "Reason", "Decided by", "Decided")
    remark = (
        "A reader who replaces another one reads the pairs that were left, after a consent, a "
        "profile and a training of their own; each rating counts for the reader who gave it."
    )
    caption = "Changes of the readers after the freeze."
    return Table(caption, head, rows, text_columns=tuple(range(5)), remark=remark)


def _exclusions(context: ReportContext) -> Table:
    rows = [
        (
            one.target,
            one.kind,
            one.rule,
            _prespecified(one, context.data.study.unblinded_at),
            one.reason,
            one.decided_by,
            date_time(one.decided_at),
        )
        for one in context.data.exclusions
    ]
    head = ("Excluded", "Kind", "Rule", "Prespecified", "Reason", "Decided by", "Decided")
    undone = any(one.undoes for one in context.data.exclusions)
    remark = f"“{UNDONE}” undoes the exclusion before it." if undone else ""
    table = Table("Exclusions.", head, rows, text_columns=tuple(range(7)), remark=remark)
    return capped(table, "exclusions.csv")


def _prespecified(one: ExclusionRecord, unblinded_at: str) -> str:
    """Whether a rule was fixed before the first rating; nothing for a decision that undoes one."""
    if one.undoes:
        return DASH
    if unblinded_at and one.decided_at >= unblinded_at:
        return "no, after unblinding"
    return "yes" if one.prespecified else "no"
