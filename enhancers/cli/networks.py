"""``enhancers networks``: list, fetch, verify, add, remove and train networks."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from enhancers.cli.common import AsJson, Device, Seed, check_folder
from enhancers.cli.progress import bytes_bar, confirmed
from enhancers.errors import ParameterError
from enhancers.networks.entry import QkvOrder, ScheduleName, bytes_text

if TYPE_CHECKING:
    from enhancers.networks.installed import State

app = typer.Typer(
    help="Manage networks: those of the diffusion methods, and your own.", no_args_is_help=True
)

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
Key = Annotated[
    str, typer.Argument(metavar="KEY", help="The key of the network, as networks list shows it.")
]


class Which(StrEnum):
    """The network to train: one to sample from, a restorer, or those of `morphology`."""

    PIXEL = "pixel"
    LATENT = "latent"
    RESTORMER = "restormer"
    PIX2PIX = "pix2pix"
    DIFFUSION_UNET = "diffusion_unet"
    DIFFUSION_UNET_PUBLISHED = "diffusion_unet_published"
    MORPHOLOGY = "morphology"


class Trained(StrEnum):
    """A modality that restorers are trained for."""

    CT = "CT"
    MR = "MR"
    US = "US"


class Stage(StrEnum):
    """A stage of the training of `morphology`."""

    DIFFUSION = "diffusion"
    SEGMENTATION = "segmentation"
    TUNER_PUBLISHED = "tuner_published"
    TUNER_RESIDUAL = "tuner_residual"
    TUNER_TUNED = "tuner_tuned"


@app.command("list")
def list_networks(as_json: AsJson = False) -> None:
    """List the networks with their status, and the size of a download."""
    from enhancers.networks.installed import states

    found = states()
    if as_json:
        print(json.dumps({"priors": [_facts(each) for each in found]}, indent=2))
        return
    width = max(len(each.key) for each in found) + 2
    for each in found:
        status = f"{each.status}, {bytes_text(each.size)}" if each.size else each.status
        if each.cost:
            status += f", fetch {bytes_text(each.cost)}"
        print(f"{each.key:{width}}{status:32}{each.entry.summary if each.entry else ''}".rstrip())
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
        "restoration": asdict(entry.restoration) if entry.restoration else None,
    }


@app.command("fetch")
def fetch_network(key: Key, yes: Yes = False) -> None:
    """Download a network of the catalogue; an interrupted download is resumed."""
    from enhancers.networks import installed
    from enhancers.networks.fetch import fetch
    from enhancers.networks.lookup import network_entry

    entry = network_entry(key)
    now = installed.state(entry)
    if now.status == "present":
        print(f"{entry.label} is here already: {entry.folder}")
        return
    # Without a cost it cannot be fetched; `fetch` raises the reason.
    if now.cost and not yes:
        print(f"{entry.label}: {bytes_text(now.cost)} from {installed.describe_source(entry)}")
        print(f"Licence: {entry.licence}")
        if not confirmed("Download it?", f"give --yes to download {key}"):
            print("Nothing was downloaded.")
            return
    bytes_bar(fetch(key))
    print(f"{entry.label} is here: {network_entry(key).folder}")


@app.command("verify")
def verify_networks(
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...")] = None,
) -> None:
    """Check the files of networks (by default of all installed); exit status 1 on a fault."""
    from enhancers.networks import installed
    from enhancers.networks.verify import how_to_mend, verify

    chosen = keys or [each.key for each in installed.states() if each.status != "not here"]
    faults = 0
    for key in chosen:
        findings = bytes_bar(verify(key))
        print(key)
        for finding in findings:
            print(f"  {'good ' if finding.good else 'WRONG'}  {finding.what}: {finding.says}")
        wrong = sum(not finding.good for finding in findings)
        faults += wrong
        if wrong:
            print(f"  To mend it: {how_to_mend(key)}.")
    if faults:
        raise typer.Exit(1)


@app.command("add")
def add_network(
    path: Annotated[
        Path, typer.Argument(help="A checkpoint file, or a folder in the format of diffusers.")
    ],
    key: Annotated[
        str | None, typer.Option(help="The key of the network; by default the name of the file.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The name of the network on the page.")] = None,
    like: Annotated[
        str | None,
        typer.Option(help="Take missing facts from this network of the catalogue: adm256, ..."),
    ] = None,
    head_channels: Annotated[
        int | None, typer.Option(min=0, help="The width of an attention head; 0 for a single head.")
    ] = None,
    qkv_order: Annotated[
        QkvOrder | None, typer.Option(help="The order of the rows of its attention weights.")
    ] = None,
    schedule: Annotated[
        ScheduleName | None, typer.Option(help="The schedule of β; linear by default.")
    ] = None,
    native: Annotated[
        int | None, typer.Option(help="The side of its training images in pixels.")
    ] = None,
    tiles: Annotated[
        bool | None,
        typer.Option("--tiles/--whole", help="Trained on crops, or on complete images (default)."),
    ] = None,
    licence: Annotated[str | None, typer.Option(help="The licence of the network.")] = None,
    source: Annotated[
        str | None,
        typer.Option(help="For a network that restores images: where it is from, an address."),
    ] = None,
    hu: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH",
            help="For one that restores CT: the HU that it takes as 0 and 1; by default the "
            "processing window.",
        ),
    ] = None,
) -> None:
    """Add your own network, to sample from or to restore images with.

    A guided-diffusion checkpoint is converted, a diffusers folder stays in place. A network that
    restores images becomes a method: DRUNet, DnCNN, SCUNet, SwinIR, NAFNet, RED-CNN, and others
    that the package spandrel recognises.
    """
    from enhancers.networks.identify import NetworkImport
    from enhancers.networks.import_network import import_network

    wanted = NetworkImport(
        path=path, key=key, label=label, like=like, head_channels=head_channels,
        qkv_order=qkv_order, schedule=schedule,
        native=native, tiles=tiles, licence=licence, source=source, hu=hu,
    )  # fmt: skip
    entry = bytes_bar(import_network(wanted))
    print(f"{entry.key}: {entry.label}, {entry.parameters / 1e6:.1f} M parameters, {entry.kind}")
    if entry.restoration is not None:
        print(f"It is a method: python -m enhancers run IMAGE --method {entry.key} --out OUT.png")
        return
    print(f"It lies in {entry.folder}; use it with --set prior={entry.key}.")


@app.command("remove")
def remove_network(key: Key, yes: Yes = False) -> None:
    """Delete an added or fetched network; a folder that was added in place is kept."""
    from enhancers.networks import installed

    if not yes and not confirmed(f"Remove {key}?", f"give --yes to remove {key}"):
        print("Nothing was removed.")
        return
    print(f"{key} is removed, {bytes_text(installed.remove(key))} are free.")


@app.command()
def train(
    which: Annotated[Which, typer.Option(help="The network to train.")],
    data: Annotated[
        Path | None, typer.Option(help="A folder of training images; by default only phantoms.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.01, help="The training time in minutes.")] = 60.0,
    out: Annotated[
        Path | None, typer.Option(help="The output folder; by default .runs/WHICH.")
    ] = None,
    resume: Annotated[
        bool, typer.Option(help="Continue from the checkpoint in the output folder.")
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option(
            help="Continue the training of the network in this folder; not for morphology."
        ),
    ] = None,
    modality: Annotated[
        list[Trained] | None,
        typer.Option(case_sensitive=False, help="For a restorer: the modalities; by default all."),
    ] = None,
    published: Annotated[
        bool,
        typer.Option("--published-size", help="For a restorer: its published size, for a GPU."),
    ] = False,
    side: Annotated[
        int,
        typer.Option(
            min=64,
            max=512,
            help="For morphology: the side of its images in pixels, 16 times a whole number.",
        ),
    ] = 128,
    stage: Annotated[
        list[Stage] | None,
        typer.Option(
            help="For morphology: the stages that go on from their checkpoints in the output "
            "folder, with equal shares of the minutes; the others stay as they are."
        ),
    ] = None,
    cohorts: Annotated[
        int,
        typer.Option(
            min=1,
            max=64,
            help="For morphology: cohorts of phantoms to learn from, 241 volumes each.",
        ),
    ] = 1,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Train a network; to use it, copy its folder to assets/networks."""
    from enhancers import devices

    folder, chosen = out or Path(".runs") / which, devices.choose(device)
    check_folder(folder, "--out")
    if which in (Which.PIXEL, Which.LATENT):
        from enhancers.networks.training.corpus import read_corpus
        from enhancers.networks.training.train import train_latent, train_pixel

        trainer = train_pixel if which is Which.PIXEL else train_latent
        results = trainer(
            read_corpus(data), minutes, folder, chosen, seed=seed, resume=resume, start=start
        )
    elif which is Which.MORPHOLOGY:
        from enhancers.networks.training.morphology.train import train_morphology
        from enhancers.networks.training.morphology.volumes import spine_corpus

        _check_morphology(data, side, start)
        results = train_morphology(
            spine_corpus(side, seed, cohorts=cohorts), minutes, folder, chosen, seed=seed,
            resume=resume, only=tuple(stage or ()),
        )  # fmt: skip
    else:
        from enhancers.networks.training.restorers.pairs import read_pairs
        from enhancers.networks.training.restorers.train import train_restorer

        corpus = read_pairs(data, tuple(modality or Trained))
        results = (
            train_restorer(
                which,
                corpus,
                minutes,
                folder,
                chosen,
                seed=seed,
                resume=resume,
                start=start,
                published=published,
            ),
        )
    for result in results:
        print(f"{result.stage}: {result.steps} steps, {result.minutes:.1f} min, "
              f"loss {result.loss:.4f}")  # fmt: skip
        for name, value in result.validation.items():
            print(f"  {name}: {value:g}")


def _check_morphology(data: Path | None, side: int, start: Path | None) -> None:
    """Refuse what the training of `morphology` has no use for."""
    if start is not None:
        raise ParameterError("morphology cannot start from a trained one; leave --start away.")
    if data is not None:
        raise ParameterError("morphology is trained on spine phantoms; leave --data away.")
    if side % 16:
        raise ParameterError(f"--side {side} is not possible; give a multiple of 16, such as 128.")
