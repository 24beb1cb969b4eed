"""``benchmarks network-share``: how much of each learned method's result is its network's."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from enhancers.cli.common import Device
from enhancers.errors import ParameterError


def network_share(
    data: Annotated[
        Path | None, typer.Option(help="Folder of .npz archives. Default: phantoms.")
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="Number of images of each modality.")] = 2,
    only: Annotated[
        list[str] | None, typer.Option(help="Methods to measure: denoiser, unimie, ...")
    ] = None,
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option(help="Markdown file of the table.")] = None,
) -> None:
    """Measure how far learned methods' results are from what needs no network, in gray levels."""
    from tqdm.auto import tqdm

    from benchmarks.network_share import SETTINGS, as_markdown, network_shares
    from enhancers import devices

    known = dict.fromkeys(setting.method for setting in SETTINGS)
    unknown = [name for name in only or () if name not in known]
    if unknown:
        raise ParameterError(f"--only {unknown[0]} is unknown; use {', '.join(known)}.")
    chosen = [setting for setting in SETTINGS if not only or setting.method in only]
    with tqdm(unit="image", file=sys.stderr) as bar:

        def tick(label: str) -> None:
            bar.set_description(label, refresh=False)
            bar.update()

        found = list(network_shares(data, images, devices.choose(device), chosen, tick))
    words = " --data DIR" if data is not None else ""
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    command = f"python -m benchmarks network-share{words} --images {images}"
    text = as_markdown(found, f"Written by `{command}`, {when}. ")
    print(text)
    if out is not None:
        out.write_text(f"{text}\n", encoding="utf-8")
