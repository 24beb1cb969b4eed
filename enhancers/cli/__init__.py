"""The commands of ``python -m enhancers --help``.

An error is one line on standard error with exit status 2. Heavy imports happen inside the commands,
so that listing the methods takes no time.
"""

from __future__ import annotations

from typing import Annotated

import typer

from enhancers.cli import batch, evaluate, images, metrics, networks, series, stacks
from enhancers.cli.common import AsJson, run_app

app = typer.Typer(
    name="enhancers", help="Enhance medical images, measure, degrade, and train the networks.",
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    rich_markup_mode=None,
)  # fmt: skip


@app.command("list")
def list_methods(
    method: Annotated[
        str | None, typer.Argument(help="The key of a method, for its parameters.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the methods with their summaries, or the parameters of one method."""
    from enhancers import listing

    if as_json:
        print(listing.as_json(method))
    else:
        print(listing.as_text() if method is None else listing.parameters(method))


for command in (
    images.run,
    series.series,
    images.degrade,
    images.samples,
    stacks.spine_volumes,
    stacks.stack,
):
    app.command()(command)
app.command(cls=batch.WithAddress)(batch.batch)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(metrics.app, name="metrics")
app.add_typer(networks.app, name="networks")


def main() -> int:
    """Run a command; an error of the user is one line with status 2."""
    return run_app(app)
