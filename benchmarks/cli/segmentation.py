"""``benchmarks segmentation``: whether enhanced images are segmented better."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from enhancers.cli.common import Device, named_modality
from enhancers.errors import ParameterError

if TYPE_CHECKING:
    from benchmarks.segmentation.runs import Experiment
    from benchmarks.segmentation.subjects import Cohort
    from benchmarks.segmentation.tables import Facts
    from benchmarks.segmentation.training import Recipe

HEARTS = "hearts"
METHODS = "classical,classical:plain,pseudo_label,pseudo_label:plain,null_space,unimie"
PAPER = "paper"
QUICK_EPOCHS, QUICK_RATE, QUICK_BATCH = 30, 3e-3, 4
"""A recipe for CPUs: in the same time, many small steps reach more than few large ones."""


def segmentation(
    out: Annotated[Path, typer.Option(help="Folder for the tables.")],
    data: Annotated[str, typer.Option(
        help="Simulated hearts, or a folder with NAME.png and NAME.mask.png.")] = HEARTS,
    networks: Annotated[str, typer.Option(
        help="unet, attention_unet, unet_plus_plus, deeplab_v3_plus, unetr; or all.")]
        = "unet,attention_unet",
    methods: Annotated[str, typer.Option(
        help="Methods, as in evaluate: method, method:variant, method@name=value.")] = METHODS,
    degradation: Annotated[str, typer.Option(
        help="paper, strong, dark, or kind:low-high, such as speckle:0.1-0.3.")] = PAPER,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Seeds of each network.")] = 3,
    size: Annotated[int, typer.Option(help="Side of the images in pixels, a multiple of 16.")] = 96,
    train: Annotated[int, typer.Option(min=2, help="Simulated hearts for training.")] = 80,
    test: Annotated[int, typer.Option(min=1, help="Simulated hearts for the test.")] = 12,
    epochs: Annotated[int | None, typer.Option(
        min=1, help="Largest number of epochs; the paper has 500.")] = None,
    recipe: Annotated[str, typer.Option(
        help="quick (30 epochs at 0.003, batches of 4) or paper (500 at 0.0001, of 16).")]
        = "quick",
    modality: Annotated[str | None, typer.Option(
        help="Modality of the images of a folder: CT, MR, US, XR, ...")] = None,
    page: Annotated[bool, typer.Option(
        "--page", help="Only write the page of the results in --out again.")] = False,
    work: Annotated[Path | None, typer.Option(
        help="Folder of reusable networks and images. Default: .runs/segmentation.")] = None,
    device: Device = "auto",
) -> None:  # fmt: skip
    """Train segmentation networks on clean images; test them on degraded and enhanced ones."""
    from benchmarks.segmentation import page as page_of
    from benchmarks.segmentation import runs, variants
    from benchmarks.segmentation.networks import NETWORKS, check_size, find
    from enhancers import devices
    from enhancers.method import Modality
    from enhancers.settings import get_settings

    if page:
        print(page_of.write_page(out), end="")
        return
    keys = tuple(NETWORKS) if networks == "all" else tuple(dict.fromkeys(_words(networks)))
    degradations = tuple(dict.fromkeys(_words(degradation)))
    for name in degradations:
        variants.damage(name, Modality.OTHER)
    plan = runs.Experiment(
        networks=tuple(find(key).key for key in keys),
        methods=variants.methods(_words(methods)),
        seeds=tuple(range(seeds)),
        recipe=_recipe(recipe, epochs),
        degradations=degradations,
        device=devices.choose(device),
        # Last, so that other errors are reported before images are simulated or read.
        cohorts=_cohorts(data, check_size(size), train, test, modality),
    )
    asked = {
        "data": data if data == HEARTS else "FOLDER", "networks": networks, "methods": methods,
        "degradation": degradation, "seeds": seeds, "size": size, "train": train, "test": test,
        "recipe": recipe, "epochs": plan.recipe.epochs,
    }  # fmt: skip
    devices.limit_threads(get_settings().threads)
    _measure(plan, _facts(plan, _command(asked)), out, work or Path(".runs") / "segmentation")


def _measure(plan: Experiment, facts: Facts, out: Path, work: Path) -> None:
    """Run with a progress bar, draw the pictures, write the tables and print the summary."""
    from tqdm.auto import tqdm

    from benchmarks.segmentation import page, pictures, runs
    from benchmarks.segmentation.tables import Labelled

    with tqdm(total=plan.pieces, unit="piece", file=sys.stderr) as bar:

        def tick(note: str, pieces: int) -> None:
            bar.set_description(note[:48], refresh=False)
            bar.update(pieces)

        rows = runs.run(plan, work, tick)
    drawn = {path.name for path in pictures.draw(plan, work, out)}
    shown = tuple(
        Labelled(pictures.file_name(name), f"Degradation {name}")
        for name in plan.degradations
        if pictures.file_name(name) in drawn
    )
    print(page.write(out, rows, replace(facts, pictures=shown)), end="")


def _command(asked: Mapping[str, object]) -> str:
    """The command with all its options, without the name of the user's folder."""
    words = [f"--{name} {value}" for name, value in asked.items()]
    return " ".join(["python -m benchmarks segmentation", *words, "--out DIR"])


def _words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ParameterError("A list is empty; name at least one, separated by commas.")
    return words


def _cohorts(
    data: str, size: int, train: int, test: int, modality: str | None
) -> tuple[Cohort, ...]:
    from benchmarks.segmentation import subjects
    from benchmarks.segmentation.folder import read_folder
    from enhancers.load import Caps
    from enhancers.settings import get_settings

    if data == HEARTS:
        validation = max(1, train // 5)
        return tuple(
            subjects.hearts(kind, size=size, train=train, validation=validation, test=test)
            for kind in subjects.HEARTS
        )
    caps = Caps.from_settings(get_settings())
    named = None if modality is None else named_modality(modality)
    return (read_folder(Path(data), size=size, modality=named, caps=caps),)


def _recipe(name: str, epochs: int | None) -> Recipe:
    from benchmarks.segmentation.training import Recipe

    if name not in ("quick", PAPER):
        raise ParameterError(f"--recipe {name} is unknown; use quick or paper.")
    if name == PAPER:
        return Recipe() if epochs is None else Recipe(epochs=epochs)
    return Recipe(epochs=epochs or QUICK_EPOCHS, learning_rate=QUICK_RATE, batch=QUICK_BATCH)


def _facts(plan: Experiment, command: str) -> Facts:
    from benchmarks.performance import figures
    from benchmarks.segmentation import origin, variants
    from benchmarks.segmentation.networks import NETWORKS, version
    from benchmarks.segmentation.tables import Facts, Labelled

    about = figures.report("Segmentation of enhanced images", command, plan.device, [])
    packages = {NETWORKS[key].package: version(NETWORKS[key]) for key in plan.networks}
    damages = [
        Labelled(f"{cohort.key}/{name}", variants.damage(name, cohort.modality).text)
        for cohort in plan.cohorts
        for name in plan.degradations
    ]
    return Facts(
        command=command,
        when=about.when,
        machine=about.machine,
        cohorts=tuple(Labelled(c.key, c.label, c.account) for c in plan.cohorts),
        networks=tuple(
            Labelled(key, NETWORKS[key].label, NETWORKS[key].citation) for key in plan.networks
        ),
        degradations=tuple(damages),
        variants=tuple(Labelled(one.key, one.label) for one in plan.methods),
        seeds=len(plan.seeds),
        recipe=plan.recipe.text,
        versions=(*about.versions, *packages.items()),
        weights=origin.weights(plan),
        codes=origin.codes(plan.methods),
    )
