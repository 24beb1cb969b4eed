"""Morphology-consistent diffusion: one clear image of a spine from ultrasound at several depths.

Zhou et al., "Morphological-consistent diffusion network for ultrasound coronal image enhancement":
a diffusion network that knows artefact-free images is led by the features that a segmentation
network finds at all depths (`enhancers.networks.morphology`). Nothing of the input but these
features enters the result.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import cast

from enhancers.colour import with_luminance
from enhancers.depths import depths_of, weights_of
from enhancers.devices import GpuPacing
from enhancers.image import MedicalImage
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import (
    PATCH,
    Figure,
    ProgressTracker,
    Step,
    final_step,
    is_constant,
    unchanged_step,
)
from enhancers.networks.load_morphology import morphology_networks
from enhancers.networks.lookup import network_entry
from enhancers.networks.morphology.enhance import Curve, Enhanced, Start, enhance
from enhancers.parameter_values import as_int

KEPT = 0.6
"""Dice of the structures of input and result below which the result is not to be trusted."""


def samples(params: Mapping[str, ParameterValue]) -> int:
    """How many are averaged: the start by inversion is one."""
    return 1 if params["start"] == "inversion" else as_int(params, "samples")


def calls(params: Mapping[str, ParameterValue]) -> int:
    """Evaluations of the diffusion network."""
    return as_int(params, "steps") * (2 if params["start"] == "inversion" else samples(params))


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches, without loading the networks."""
    side = network_entry(str(params["prior"]), "morphology").native
    count = 1 if image.depths is None else len(image.depths)
    # All depths are segmented for their features, again for the check; the result, and its samples.
    segmented = 2 * count + 1 + (samples(params) if samples(params) > 1 else 0)
    return (calls(params) + segmented) * side**2 / PATCH**2


def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Sample one image from all depths; one `Step` per sampling step (see `Enhancer`)."""
    depths = depths_of(image, params)
    if is_constant(depths):
        yield unchanged_step(image.pixels)
        return
    yield Step(0.0, note="loading the network")
    networks = morphology_networks(device, str(params["variant"]), str(params["prior"]))
    steps, every = as_int(params, "steps"), as_int(params, "preview_every")
    progress, pace = ProgressTracker(steps), GpuPacing(device)
    made = enhance(
        networks, depths, steps=steps, seed=seed, count=samples(params),
        start=cast(Start, params["start"]), weights=weights_of(params),
    )  # fmt: skip
    for done, found in enumerate(made, start=1):
        if isinstance(found, Enhanced):
            yield final_step(
                with_luminance(image.pixels, found.pixels),
                figures=figures(found), calls=calls(params), notes=tuple(_notes(image, found)),
            )  # fmt: skip
            return
        pace.tick()
        shown = with_luminance(image.pixels, found) if done % every == 0 else None
        yield progress.step(done, shown)


def figures(found: Enhanced) -> tuple[Figure, ...]:
    """The curve angles, median and standard deviation over the samples, and the structure kept."""
    curves: tuple[tuple[str, str, Curve], ...] = (
        ("uca_t", "UCA-T", "thoracic"), ("uca_l", "UCA-L", "lumbar"),
    )  # fmt: skip
    told = []
    for name, label, curve in curves:
        angle, known = found.angle(curve), found.angles(curve)
        if angle is None:
            continue
        several = len(found.each) > 1
        told.append(
            Figure(name, f"{label}: median of the samples" if several else label, angle, "°")
        )
        if len(known) == len(found.each) and several:
            sd = statistics.stdev(known)
            told.append(Figure(f"{name}_sd", f"{label}: SD of the samples", sd, "°"))
    return (*told, Figure("structure_kept", "Structure kept (Dice)", found.kept))


def _notes(image: MedicalImage, found: Enhanced) -> Iterator[str]:
    if image.depths is not None:
        yield f"All {len(image.depths)} slices of the file are the input."
        for number, depth in enumerate(image.depths, start=1):
            if is_constant(depth):
                yield f"Slice {number} has the same value everywhere and shows nothing."
    elif image.slice_count > 1:
        yield (
            f"Of the file's {image.slice_count} slices this one alone was the input: together they "
            "can be one where they are 2 to 9, gray, of one size and as the file has them."
        )
    else:
        yield "One image was given: it served for all depths. Open a volume of 2 to 9 slices."
    if image.modality not in (Modality.US, Modality.OTHER):
        yield f"The networks know coronal ultrasound of the spine, and this is {image.modality}."
    if not found.given.any():
        yield (
            "No structure of a spine was found in the input, so nothing led the result. Is it a "
            "coronal ultrasound image of a spine?"
        )
    elif found.kept < KEPT:
        yield (
            f"Only {found.kept:.0%} of the structures of input and result agree (Dice): the result "
            "shows what the networks expect, and not this image. Is it a coronal ultrasound image "
            "of a spine?"
        )
    curves: tuple[Curve, ...] = ("thoracic", "lumbar")
    for curve in curves:
        if found.angle(curve) is None:
            yield f"Fewer than two {curve} levels were found, so the {curve} angle is not given."
