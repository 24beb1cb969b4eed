"""``enhancers networks``: the networks of the diffusion methods."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from enhancers.cli.common import AsJson, Device, Seed
from enhancers.errors import ParameterError
from enhancers.networks.entry import QkvOrder, ScheduleName, bytes_text

if TYPE_CHECKING:
    from enhancers.networks.digests import Progress
    from enhancers.networks.installed import State

T = TypeVar("T")

app = typer.Typer(help="The networks of the diffusion methods.", no_args_is_help=True)

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="As priors list shows it.")]


class Which(StrEnum):
    """Which prior to train."""

    PIXEL = "pixel"
    LATENT = "latent"


@app.command("list")
def list_priors(as_json: AsJson = False) -> None:
    """List the priors, which are here, and what a fetch costs."""
    from enhancers.networks.installed import states

    found = states()
    if as_json:
        print(json.dumps({"priors": [_facts(each) for each in found]}, indent=2))
        return
    width = max(len(each.key) for each in found) + 2
    for each in found:
        told = f"{each.status}, {bytes_text(each.size)}" if each.size else each.status
        if each.cost:
            told += f", fetch {bytes_text(each.cost)}"
        print(f"{each.key:{width}}{told:32}{each.entry.summary if each.entry else ''}".rstrip())
        if each.note and each.status in ("damaged", "incomplete"):
            print(f"{'':{width}}{each.note}")


def _facts(state: State) -> dict[str, Any]:
    from enhancers.networks.entry import Download, Hub
    from enhancers.networks.installed import describe_source

    facts: dict[str, Any] = {
        "key": state.key, "status": state.status, "present": state.status == "present",
        "megabytes": state.size / 1e6, "fetch_bytes": state.cost, "note": state.note,
    }  # fmt: skip
    entry = state.entry
    if entry is None:
        return facts
    source = entry.source
    files = entry.stored or (source.files if isinstance(source, Hub) else ())
    return facts | {
        "label": entry.label,
        "summary": entry.summary,
        "kind": entry.kind,
        "parts": entry.parts,
        "licence": entry.licence,
        "source": describe_source(entry),
        "sha256": source.sha256 if isinstance(source, Download) else None,
        "files": [asdict(file) for file in files],
        "origin": asdict(entry.origin) if entry.origin else None,
        "folder": str(entry.folder),
        "channels": entry.channels,
        "tiles": entry.tiles,
        "native": entry.native,
        "values": entry.values,
        "schedule": asdict(entry.schedule),
        "checkpoint": asdict(entry.checkpoint) if entry.checkpoint else None,
        "parameters": entry.parameters,
    }


@app.command("fetch")
def fetch_prior(key: Key, yes: Yes = False) -> None:
    """Download a network of the catalogue; it goes on where an earlier try left off."""
    from enhancers.networks import installed
    from enhancers.networks.lookup import network_entry

    entry = network_entry(key)
    now = installed.state(entry)
    if now.status == "present":
        print(f"{entry.label} is here already: {entry.folder}")
        return
    # Without a cost it cannot be fetched, and fetch says why.
    if now.cost and not yes:
        print(f"{entry.label}: {bytes_text(now.cost)} from {installed.describe_source(entry)}")
        print(f"Licence: {entry.licence}")
        if not sys.stdin.isatty():
            raise ParameterError(f"Nobody is here to ask: give --yes to download {key}.")
        if not typer.confirm("Download it?"):
            print("Nothing was downloaded.")
            return
    _shown(installed.fetch(key))
    print(f"{entry.label} is here: {network_entry(key).folder}")


@app.command("verify")
def verify_priors(
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...")] = None,
) -> None:
    """Check networks byte by byte (all that are here, without KEY); exit status 1 on a fault."""
    from enhancers.networks import installed

    chosen = keys or [each.key for each in installed.states() if each.status != "not here"]
    faults = 0
    for key in chosen:
        findings = _shown(installed.verifying(key))
        print(key)
        for finding in findings:
            print(f"  {'good ' if finding.good else 'WRONG'}  {finding.what}: {finding.says}")
        wrong = sum(not finding.good for finding in findings)
        faults += wrong
        if wrong:
            print(f"  To mend it: {installed.how_to_mend(key)}.")
    if faults:
        raise typer.Exit(1)


@app.command("add")
def add_prior(
    path: Annotated[Path, typer.Argument(help="A checkpoint, or a folder of diffusers.")],
    key: Annotated[str | None, typer.Option(help="Its name here; else that of the file.")] = None,
    label: Annotated[str | None, typer.Option(help="What the page calls it.")] = None,
    like: Annotated[
        str | None, typer.Option(help="adm256, ct-abdomen, ...: the catalogue's facts hold.")
    ] = None,
    head_channels: Annotated[
        int | None, typer.Option(min=0, help="Width of an attention head; 0 for one head.")
    ] = None,
    qkv_order: Annotated[QkvOrder | None, typer.Option(help="Rows of its attention.")] = None,
    schedule: Annotated[ScheduleName | None, typer.Option(help="Betas; linear without it.")] = None,
    native: Annotated[
        int | None, typer.Option(help="Side of the images it was trained on, in pixels.")
    ] = None,
    tiles: Annotated[
        bool | None,
        typer.Option("--tiles/--whole", help="Trained on crops, or on whole images (default)."),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Under which you have it.")] = None,
) -> None:
    """Add a network of your own; a checkpoint is converted once, a pipeline stays in place."""
    from enhancers.networks.identify import NetworkImport
    from enhancers.networks.import_network import adding

    wanted = NetworkImport(
        path=path, key=key, label=label, like=like, head_channels=head_channels,
        qkv_order=qkv_order, schedule=schedule,
        native=native, tiles=tiles, licence=licence,
    )  # fmt: skip
    entry = _shown(adding(wanted))
    print(f"{entry.key}: {entry.label}, {entry.parameters / 1e6:.1f} M parameters, {entry.kind}")
    print(f"It lies in {entry.folder}; use it with --set prior={entry.key}.")


@app.command("remove")
def remove_prior(key: Key, yes: Yes = False) -> None:
    """Delete a network that was added or fetched; a folder added in place stays where it is."""
    from enhancers.networks import installed

    if not yes:
        if not sys.stdin.isatty():
            raise ParameterError(f"Nobody is here to ask: give --yes to remove {key}.")
        if not typer.confirm(f"Remove {key}?"):
            print("Nothing was removed.")
            return
    print(f"{key} is removed, {bytes_text(installed.remove(key))} are free.")


@app.command()
def train(
    which: Annotated[Which, typer.Option(help="pixel or latent.")],
    data: Annotated[Path | None, typer.Option(help="Images; phantoms alone without it.")] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="Training time.")] = 60.0,
    out: Annotated[Path | None, typer.Option(help="Folder; default .runs/WHICH.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on from the checkpoint.")] = False,
    start: Annotated[
        Path | None, typer.Option(help="Train the prior in this folder further.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train a prior; copy its folder to assets/networks to use it."""
    from enhancers import devices
    from enhancers.networks.training.corpus import read_corpus
    from enhancers.networks.training.train import train_latent, train_pixel

    folder = out or Path(".runs") / which
    trainer = train_pixel if which is Which.PIXEL else train_latent
    corpus = read_corpus(data)
    reports = trainer(
        corpus, minutes, folder, devices.choose(device), seed=seed, resume=resume, start=start
    )  # fmt: skip
    for report in reports:
        print(f"{report.stage}: {report.steps} steps, {report.minutes:.1f} min, "
              f"loss {report.loss:.4f}")  # fmt: skip
        for name, value in report.validation.items():
            print(f"  {name}: {value:g}")


def _shown(steps: Generator[Progress, None, T]) -> T:
    """What a generator returns; its progress goes to a bar on standard error."""
    from tqdm.auto import tqdm

    with tqdm(unit="B", unit_scale=True, file=sys.stderr, disable=None, leave=False) as bar:
        while True:
            try:
                step = next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            bar.set_description(step.note, refresh=False)
            bar.total = step.total
            bar.n = step.done
            bar.refresh()
