"""The HTML document: sections in their order, each rendered by its template."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from enhancers.asset_files import asset_text
from enhancers.html_templates import html_templates
from study.analysis import Analysis, Dataset
from study.analysis.log import run
from study.domain import formatting
from study.report.categories import category
from study.report.cells import Figure, Table
from study.report.checklists import checklists
from study.report.conduct import balance, blinding, left_out
from study.report.consistency import consistency
from study.report.context import ReportContext, Section
from study.report.criteria import criterion
from study.report.measures import measure
from study.report.methods import reproducibility, statistics
from study.report.overview import dates, design, labels, readers, summary
from study.report.preferences import preferences
from study.report.primary import primary
from study.report.rankings import ranking
from study.stats.intervals import RESAMPLES
from study.storage.key import Key
from study.storage.store import Store

if TYPE_CHECKING:
    from jinja2 import Environment

_CONTROLS = dict.fromkeys(c for c in range(0x20) if chr(c) not in "\t\n") | {0x7F: None}
"""Control characters that an HTML file may not contain."""


def make(
    store: Store,
    *,
    actor: str,
    key: Key | None = None,
    seed: int | None = None,
    resamples: int = RESAMPLES,
) -> str:
    """Analyse a closed study, log the analysis, and return its report as HTML.

    The parameters and errors are those of `study.analysis.log.run`.
    """
    done = run(store, actor=actor, key=key, seed=seed, resamples=resamples)
    return render(done.data, done.analysis)


@dataclass(frozen=True)
class ReportDocument:
    """A report as an HTML document, and its tables and figures in the order of their numbers."""

    html: str
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...]


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
        A complete document that refers to no other file. The same arguments give the same text.
    """
    return document(data, analysis).html


def document(data: Dataset, analysis: Analysis) -> ReportDocument:
    """The report as `render` writes it, with its tables and figures."""
    context = ReportContext(data, analysis)
    shown = _sections(context)
    tables: list[Table] = []
    figures: list[Figure] = []

    def next_table(table: Table) -> int:
        tables.append(table)
        return len(tables)

    def next_figure(figure: Figure) -> int:
        figures.append(figure)
        return len(figures)

    numbers = {"next_table": next_table, "next_figure": next_figure}
    templates = _templates()
    html = templates.get_template("page.html").render(
        title=data.protocol.title,
        code=data.study.code,
        style=asset_text("report.css"),
        labels=labels(context),
        dates=dates(context),
        sections=shown,
        bodies=(templates.get_template(s.template).render(numbers, **s.values) for s in shown),
    )
    # Lone surrogates cannot be written as UTF-8.
    written = html.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8") + "\n"
    return ReportDocument(written, tuple(tables), tuple(figures))


def _sections(context: ReportContext) -> list[Section]:
    """The sections of the report in their order."""
    return [
        primary(context),
        summary(context),
        design(context),
        readers(context),
        *_questions(context),
        consistency(context),
        balance(context),
        blinding(context),
        left_out(context),
        statistics(context),
        checklists(context),
        reproducibility(context),
    ]


def _questions(context: ReportContext) -> list[Section]:
    """The sections of the questions by their kinds, that of the primary one first."""
    analysis = context.analysis
    found = [
        *((one.primary, criterion(context, one)) for one in analysis.criteria),
        *((one.primary, measure(context, one)) for one in analysis.measures),
        *((one.primary, category(context, one)) for one in analysis.categories),
        *((one.primary, ranking(context, one)) for one in analysis.rankings),
    ]
    if analysis.preferences:
        question = context.data.preference
        primary_one = question is not None and question.primary
        found.append((primary_one, preferences(context, analysis.preferences)))
    return [section for _, section in sorted(found, key=lambda one: not one[0])]


@cache
def _templates() -> Environment:
    templates = html_templates(Path(__file__).parent / "templates")
    for written in (formatting.count, formatting.date_time, formatting.plural):
        templates.filters[written.__name__] = written
    return templates
