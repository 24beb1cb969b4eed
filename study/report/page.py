"""Puts the parts of the report together."""

from __future__ import annotations

from enhancers.asset_files import asset_text
from study.analysis import Analysis, Dataset
from study.analysis.log import run
from study.report.conduct import balance, blinding, left_out
from study.report.context import ReportContext, heading
from study.report.criteria import criterion
from study.report.markup import Html, join, tag
from study.report.methods import reproducibility, statistics
from study.report.overview import design, masthead, readers, summary
from study.report.readings import preferences, steadiness
from study.stats.intervals import RESAMPLES
from study.storage.key_file import Key
from study.storage.store import Store


def make(
    store: Store,
    *,
    actor: str,
    key: Key | None = None,
    seed: int | None = None,
    resamples: int = RESAMPLES,
) -> str:
    """Analyse a closed study, log that, and write its report; see `study.analysis.log.run`."""
    done = run(store, actor=actor, key=key, seed=seed, resamples=resamples)
    return render(done.data, done.analysis)


def render(data: Dataset, analysis: Analysis) -> str:
    """The report as HTML.

    Parameters
    ----------
    data : Dataset
    analysis : Analysis
        Of the same data.

    Returns
    -------
    str
        A whole document without references to other files. The same arguments give the same
        text.
    """
    sheet = ReportContext(data, analysis)
    top = masthead(sheet)
    parts = [
        ("summary", "Summary", summary(sheet)),
        ("design", "Design and protocol", design(sheet)),
        ("readers", "Readers", readers(sheet)),
        *(
            (
                f"criterion-{result.question}",
                heading(sheet.question(result.question)),
                criterion(sheet, result),
            )
            for result in analysis.criteria
        ),
    ]
    if analysis.preferences is not None:
        parts.append(("preferences", "Preferences", preferences(sheet, analysis.preferences)))
    parts += [
        ("steadiness", "Consistency of each reader", steadiness(sheet)),
        ("balance", "Balance of sides and order", balance(sheet)),
        ("blinding", "Blinding", blinding(sheet)),
        ("left-out", "Withdrawals, exclusions", left_out(sheet)),
        ("statistics", "Statistical methods", statistics(sheet)),
        ("reproducibility", "Reproducibility", reproducibility(sheet)),
    ]
    links = (tag("li", tag("a", title, href=f"#{name}")) for name, title, _ in parts)
    return _document(
        sheet,
        tag("nav", tag("ol", *links), aria_label="Contents"),
        tag("main", top, join(part for _, _, part in parts)),
    )


def _document(sheet: ReportContext, contents: Html, body: Html) -> str:
    head = join(
        (
            Html('<meta charset="utf-8">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Html('<meta name="color-scheme" content="light dark">'),
            Html('<meta name="robots" content="noindex">'),
            tag("title", f"{sheet.data.protocol.title}: report"),
            tag("style", Html(f"\n{asset_text('report.css')}")),
        ),
        "\n",
    )
    whole = f"<head>\n{head}\n</head>\n<body>\n{contents}\n{body}\n</body>"
    return f'<!doctype html>\n<html lang="en">\n{whole}\n</html>\n'
