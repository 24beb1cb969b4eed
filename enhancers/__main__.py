"""``python -m enhancers``: the commands of `enhancers.cli`, with a fast path for the listing."""

from __future__ import annotations

import sys

from enhancers.pipes import until_closed


def main() -> int:
    """Run a command and return its exit status."""
    return until_closed(_run)


def _run() -> int:
    # Importing Typer takes longer than the listing itself, which scripts call often.
    if sys.argv[1:] in (["list"], ["list", "--json"]):
        from enhancers import listing

        print(listing.as_json() if "--json" in sys.argv else listing.as_text())
        return 0
    from enhancers.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
