"""Tables of a crossover: the orders of the methods, and whether they mattered."""

from __future__ import annotations

from study.analysis.crossover import CrossoverConduct
from study.domain.formatting import plural
from study.report.cells import Row, Table, tested, with_interval
from study.report.context import ReportContext


def crossover_tables(context: ReportContext) -> tuple[Table, ...]:
    """Orders of the methods over the sessions, the effect of the session, and of carry-over."""
    found = context.analysis.conduct.crossover
    if found is None:
        return ()
    return _orders(context, found), _periods(context, found), _effects(context, found)


def _orders(context: ReportContext, found: CrossoverConduct) -> Table:
    balance = found.balance
    rows: list[Row] = [
        (context.method(mask), *map(str, by_session), *map(str, before))
        for mask, by_session, before in zip(
            balance.methods, balance.in_session, balance.before, strict=True
        )
    ]
    partial = (
        f" {plural(found.partial, 'reader')} did not read all sessions." if found.partial else ""
    )
    return Table(
        f"Orders of {plural(balance.readers, 'reader')} in the crossover: in which session each "
        "method was read, and how often directly before which other one.",
        ("Method", *_sessions(found), *(f"before {mask}" for mask in balance.methods)),
        rows,
        remark=balance.as_text() + partial,
    )


def _periods(context: ReportContext, found: CrossoverConduct) -> Table:
    rows: list[Row] = [
        (context.question_name(code), *(with_interval(one) for one in estimates))
        for code, estimates in found.periods
    ]
    return Table(
        "Effect of the session: means of the readers minus their means over all sessions, with the "
        f"readers as the sample and {context.level} intervals. With balanced orders the methods "
        "cancel out.",
        ("Question", *_sessions(found)),
        rows,
    )


def _effects(context: ReportContext, found: CrossoverConduct) -> Table:
    """Tests of carry-over and of the period, and what they are not for."""
    masks, rows = found.balance.methods, []
    for code, one in found.effects:
        carry, period = tested(one.carry_over_test), tested(one.period_test)
        shown: Row = (carry, period)
        if one.carry_over is not None and one.period is not None:
            shown = (with_interval(one.carry_over), carry, with_interval(one.period), period)
        rows.append((context.question_name(code), *shown))
    caption = (
        "Does the order of the sessions matter? Means of patients of each reader; the readers are "
        "the sample. "
    )
    head: tuple[str, ...] = ("Question", "Carry-over, p", "Period, p")
    power = "has little power with few readers"
    if len(masks) == 2:
        head = ("Question", "Carry-over", "p", "Period", "p")
        power = f"compares groups of readers and {power}"
        caption += (
            f"Two-sample t tests by order, with {context.level} intervals. Carry-over: the sum of "
            f"both sessions of readers who began with {context.method(masks[0])}, minus that of "
            "the others. Period: the first session minus the second."
        )
    else:
        caption += (
            "F tests in a linear model of reader, session, method, and method of the session "
            "before."
        )
    remark = (
        "No analysis was chosen by these tests. To use the first session alone where carry-over is "
        "significant (a two-stage procedure) has a far larger error than its level (Freeman 1989, "
        f"Senn 2002). A test of carry-over {power}: that it is not significant does not show that "
        "there is none. Against it stand the washout and the balance of the orders."
    )
    return Table(caption, head, rows, remark=remark)


def _sessions(found: CrossoverConduct) -> list[str]:
    return [f"Session {place + 1}" for place in range(len(found.balance.methods))]
