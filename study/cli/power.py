"""Power and precision of the primary comparison, for the command plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from study.cli.options import opened
from study.domain.errors import ProtocolError
from study.domain.inference import Hypothesis
from study.domain.questions import Analysed

if TYPE_CHECKING:
    from study.domain.protocol import Protocol
    from study.domain.questions import Question
    from study.planning.power.grid import PowerPlan
    from study.planning.power.model import RatingModel
    from study.planning.power.pilot import Pilot

Power = Annotated[
    bool,
    typer.Option(
        "--power", help="Simulate the power of the primary comparison over readers and cases."
    ),
]
Effect = Annotated[
    float | None,
    typer.Option(
        help="True difference in points of the scale or in mean rank, or share of wins of the "
        "first method. The default is that of the pilot; without one an eighth of the scale, or "
        "wins in 0.65 of the comparisons with the second method.",
    ),
]
PilotPath = Annotated[
    Path | None,
    typer.Option(
        help="A closed pilot study (its folder), or a table of its ratings: their spreads are used "
        "instead of assumed ones.",
    ),
]
Target = Annotated[float, typer.Option(min=0.05, max=0.99, help="Power that is wanted.")]
GridReaders = Annotated[str, typer.Option(metavar="3,5,8", help="Numbers of readers to simulate.")]
GridCases = Annotated[str, typer.Option(metavar="20,40,80", help="Numbers of cases to simulate.")]
Simulations = Annotated[
    int, typer.Option(min=20, max=100_000, help="Simulated studies of each design.")
]


@dataclass(frozen=True)
class PowerOptions:
    """What is asked for; an empty grid is one around the plan."""

    effect: float | None
    pilot: Path | None
    target: float
    readers: str
    cases: str
    simulations: int


def power_of(
    protocol: Protocol,
    options: PowerOptions,
    *,
    cases: int,
    patients: int | None,
    methods: int,
) -> PowerPlan:
    """The power of a protocol's primary comparison.

    Raises
    ------
    StudyError
        There is no primary question, or the pilot cannot be used.
    """
    from study.planning.power.grid import grid_cases, grid_readers, power_plan
    from study.planning.power.model import assumed

    question = protocol.primary_question
    if question is None:
        raise ProtocolError(
            "No question is marked as primary, and power is that of the primary comparison: mark "
            'one in the protocol, "primary": true.'
        )
    per_patient = cases / patients if patients else 1.0
    if options.pilot is None:
        model = assumed(question)
    else:
        found = _pilot(options.pilot, question)
        model = found.model
        per_patient = per_patient if patients else found.cases_per_patient
    return power_plan(
        protocol,
        _with_effect(model, question, protocol.hypothesis, options),
        methods=methods,
        readers=_numbers(options.readers, "--grid-readers") or grid_readers(protocol.readers),
        cases=_numbers(options.cases, "--grid-cases") or grid_cases(cases),
        cases_per_patient=per_patient,
        target=options.target,
        simulations=options.simulations,
    )


def _with_effect(
    model: RatingModel, question: Question, hypothesis: Hypothesis, options: PowerOptions
) -> RatingModel:
    """The model with the true difference that is asked for.

    Without one it is that of the pilot, or, where no difference is to be shown, none.
    """
    effect, preference = options.effect, question.analysed is Analysed.PREFERENCES
    if effect is None and options.pilot is None and hypothesis is not Hypothesis.DIFFERENCE:
        effect = 0.5 if preference else 0.0
    if effect is None:
        return model
    if preference:
        return model.with_share(effect)
    if question.ranks:
        return model.with_rank_difference(effect)
    if not -question.span < effect < question.span:
        raise ProtocolError(
            f"A difference of {effect:g} is not possible on a scale from {model.low:g} to "
            f"{model.high:g}: give --effect in its points."
        )
    return replace(model, effect=effect)


def _pilot(path: Path, question: Question) -> Pilot:
    from study.planning.power.model import ends_of, whole_points
    from study.planning.power.pilot import (
        pilot_choices,
        pilot_rankings,
        pilot_scores,
        table_rankings,
    )

    if path.is_dir():
        return _of_study(path, question)
    from study.stats.panel import panel_of
    from study.stats.ratings_file.choices_input import read_choices
    from study.stats.ratings_file.csv_input import ColumnChoice, read_ratings
    from study.stats.scale import Scale

    if question.analysed is Analysed.PREFERENCES:
        return pilot_choices(read_choices(path)[0])
    ends, whole = ends_of(question), whole_points(question)
    chosen = ColumnChoice(question=question.code if _has_question(path) else "")
    scale = Scale.span(question.minimum, question.maximum) if whole else None
    rows = [row for row in read_ratings(path, scale, chosen).rows if row.replicate == 1]
    if question.ranks:
        return pilot_rankings(table_rankings(rows), question)
    return pilot_scores(panel_of(rows), ends, whole=whole)


def _of_study(folder: Path, question: Question) -> Pilot:
    """The pilot that is a closed study."""
    from study.analysis.collect import collect
    from study.planning.power.pilot import pilot_study

    with opened(folder, None) as store:
        return pilot_study(collect(store), question)


def _has_question(path: Path) -> bool:
    from study.stats.table_file import read_table

    return "question" in read_table(path).names


def _numbers(text: str, name: str) -> Sequence[int]:
    from study.planning.power.grid import numbers_of

    return numbers_of(text, name) if text else ()
