"""``benchmarks peers``: install and remove the rival denoisers of the benchmarks."""

from __future__ import annotations

from typing import Annotated

import typer

from enhancers.cli.progress import confirmed

app = typer.Typer(
    help="Rival denoisers from other packages, for measurements only.", no_args_is_help=True
)


@app.command("list")
def list_peers() -> None:
    """List the rival denoisers: what they are, their licences, whether they are installed."""
    from benchmarks.peers import install
    from benchmarks.peers.packages import PEERS

    for peer in PEERS.values():
        print(f"{peer.key}  {peer.label}: {peer.summary}. {peer.citation}")
    print(_licences())
    print(f"{'installed' if install.installed() else 'not installed'}: {install.FOLDER}")


@app.command("install")
def install_peers(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Accept the licences.")] = False,
) -> None:
    """Download and install them into a folder that only their own process reads."""
    from benchmarks.peers import install

    print(f"Packages from the Python package index, 6 MB, for measurements only:\n{_licences()}")
    if not yes and not confirmed("Accept these licences and install?", "give --yes to accept"):
        raise typer.Exit(1)
    install.install()
    print(f"installed: {install.FOLDER}")


@app.command("remove")
def remove_peers() -> None:
    """Remove them from this machine."""
    from benchmarks.peers import install

    print(f"{'removed' if install.remove() else 'not installed'}: {install.FOLDER}")


def _licences() -> str:
    from benchmarks.peers.packages import PACKAGES

    return "\n".join(f"  {one.name} {one.version}: {one.licence}" for one in PACKAGES)
