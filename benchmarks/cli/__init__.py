"""The commands of ``python -m benchmarks``, which measure the figures of the project."""

from __future__ import annotations

import typer

from benchmarks.cli import (
    ablations,
    attack,
    coverage,
    denoisers,
    evidence,
    network_share,
    peers,
    performance,
    reconstruction,
    seed_spread,
    segmentation,
    spine,
    study_load,
    zero_dce,
)
from enhancers.cli.common import run_app
from enhancers.errors import ReadingRoomError
from enhancers.pipes import until_closed
from study.domain.errors import StudyError

app = typer.Typer(
    name="benchmarks", help="Measure the claims of this project again.",
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    rich_markup_mode=None,
)  # fmt: skip
app.command()(evidence.evidence)
app.command()(denoisers.denoisers)
app.add_typer(peers.app, name="peers")
app.command()(ablations.ablations)
app.command()(segmentation.segmentation)
app.command("network-share")(network_share.network_share)
app.command()(reconstruction.reconstruction)
app.command()(spine.spine)
app.command()(performance.floors)
app.command()(performance.speed)
app.command()(performance.memory)
app.command()(performance.all_slices)
app.command()(study_load.durability)
app.command("seed-spread")(seed_spread.seed_spread)
app.command("study-load")(study_load.load)
app.command("study-size")(study_load.size)
app.command()(attack.attack)
app.command()(coverage.coverage)
app.command("zero-dce")(zero_dce.zero_dce)


def main() -> int:
    """Run a command; an error that the user can mend is one line, with status 2."""
    return until_closed(lambda: run_app(app, (ReadingRoomError, StudyError)))
