"""The commands of ``python -m enhancers --help``.

Errors are one line on standard error and exit status 2. Heavy imports happen inside the commands,
so that listing the methods is instant.
"""

from __future__ import annotations

import sys

import typer

from enhancers.cli import batch, bench, evidence, images, ingredients, priors, quality, segmentation
from enhancers.cli.common import AsJson
from enhancers.errors import ReadingRoomError

app = typer.Typer(
    name="enhancers", help="Enhance medical images, measure, degrade, and train the priors.",
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    rich_markup_mode=None,
)  # fmt: skip


@app.command("list")
def list_methods(as_json: AsJson = False) -> None:
    """List the methods."""
    from enhancers import listing

    print(listing.as_json() if as_json else listing.as_text())


for command in (images.run, images.metrics, images.degrade, images.samples):
    app.command()(command)
app.command(cls=batch.WithAddress)(batch.batch)
bench.app.command()(quality.quality)
bench.app.command()(segmentation.segmentation)
bench.app.command()(evidence.evidence)
bench.app.command()(ingredients.ingredients)
app.add_typer(priors.app, name="priors")
app.add_typer(bench.app, name="bench")


def main() -> int:
    """Run a command; every error a user can mend is one line and status 2."""
    try:
        status = app(standalone_mode=False)
    except (ReadingRoomError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # Typer carries its own copy of click: a usage error is known by its two attributes.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            print(f"error: {' '.join(error.format_message().split())}", file=sys.stderr)
            return 2
        raise
    return status if isinstance(status, int) else 0
