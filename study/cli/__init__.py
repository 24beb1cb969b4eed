"""The commands of ``python -m study``, in the order in which a coordinator needs them.

Errors are one line on standard error and exit status 2. Heavy imports happen inside the commands,
so that statistics of a table wait neither for a database nor for a web server.
"""

from __future__ import annotations

import sys

import typer

from enhancers.files import system_error
from enhancers.pipes import until_closed
from study.cli import conduct, maintenance, readers, results, setup
from study.domain.errors import StudyError

app = typer.Typer(
    name="study", help="Run a blinded reader study: from a folder of cases to kappa.",
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    rich_markup_mode=None,
)  # fmt: skip
app.command()(setup.plan)
app.command()(setup.init)
app.command()(setup.texts)
app.command()(setup.build)
app.command()(setup.qualify)
app.command()(setup.freeze)
app.command("open")(conduct.open_)
app.command()(conduct.amend)
app.command()(conduct.invite)
app.add_typer(readers.app)
app.command()(conduct.serve)
app.command()(readers.status)
app.command()(readers.reminders)
app.command()(conduct.close)
app.command()(results.unblind)
app.command()(results.export)
app.command()(results.report)
app.command()(results.stats)
app.command()(conduct.demo)
app.command()(maintenance.backup)
app.command()(maintenance.restore)
app.command()(maintenance.mirror)
app.command()(maintenance.verify)


def main() -> int:
    """Run a command; an error that the user can fix is one line, with exit status 2."""
    return until_closed(_run)


def _run() -> int:
    try:
        status = app(standalone_mode=False)
    except BrokenPipeError:
        raise
    except (StudyError, OSError) as error:
        said = system_error(error) if isinstance(error, OSError) else str(error)
        print(f"error: {' '.join(said.split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        # Typer has its own copy of click: a usage error is recognised by two attributes.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            print(f"error: {' '.join(error.format_message().split())}", file=sys.stderr)
            return 2
        raise
    return status if isinstance(status, int) else 0
