"""Installs a checkpoint of a network for restoration: recognised, tried, and written anew."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from enhancers.errors import CheckpointError, ParameterError
from enhancers.networks import user_networks
from enhancers.networks.bounded import Bounded, LimitExceeded
from enhancers.networks.digests import files_below, known_files
from enhancers.networks.download import check_space
from enhancers.networks.entry import NetworkEntry, Origin, Restoration, bytes_text, weight_names
from enhancers.networks.identify import NetworkImport, new_entry
from enhancers.networks.progress import Progress
from enhancers.networks.restoration import (
    RestorationNetwork,
    descriptor_of,
    takes_noise_level,
)
from enhancers.networks.spandrel_package import require_spandrel
from enhancers.networks.staging import staged
from enhancers.registry import METHODS, RESERVED
from enhancers.settings import get_settings

LARGEST = 2_000_000_000
"""Most bytes of weights; the largest published networks for restoration have 0.5 GB."""
ROOM = 2**30
"""Bytes that building and trying a network may take beyond its weights: tables, masks, images."""
SECONDS = 120.0
TRIAL = 48
"""Side in pixels of the image on which a network is tried."""
GRAY_OR_COLOUR = (1, 3)
LARGEST_SCALE = 8
PURPOSES = {
    "FaceSR": "it draws faces, and nothing else",
    "Inpainting": "it fills holes, for which it needs a mask",
}
"""Why a network of this purpose is refused."""


@dataclass(frozen=True)
class PublishedFile:
    """What is known of a published file by its SHA-256."""

    key: str
    label: str
    licence: str
    restoration: Restoration


LDCT_BENCH_OFFSET, LDCT_BENCH_VALUES = -1024.0, 4096.0
LDCT_BENCH_MEAN, LDCT_BENCH_DEVIATION = 481.45419786099086, 502.18507379395044
"""Mean and deviation of HU + 1024 in its training data (``ldctbench/data/info.yml``)."""

PUBLISHED: Mapping[str, PublishedFile] = {
    "058ae58264a00116e5620ed88047e687c7e93c8b732bfd6d7796e76bae0c74f3": PublishedFile(
        "redcnn",
        "RED-CNN (LDCT-bench)",
        "MIT",
        Restoration(
            architecture="RED-CNN",
            source="https://downloads.eeulig.com/ldct-benchmark/redcnn.pt "
            "(E. Eulig et al., LDCT-bench, https://github.com/eeulig/ldct-benchmark)",
            range=(LDCT_BENCH_OFFSET, LDCT_BENCH_OFFSET + LDCT_BENCH_VALUES),
            normalisation=(
                LDCT_BENCH_MEAN / LDCT_BENCH_VALUES,
                LDCT_BENCH_DEVIATION / LDCT_BENCH_VALUES,
            ),
        ),
    )
}
"""Published files that need facts which they do not hold; the digest is from LDCT-bench's
``ldctbench/hub/checkpoints.json``."""


def from_restoration_checkpoint(
    wanted: NetworkImport, tensors: Mapping[str, Tensor], digest: str, origin: Origin
) -> Generator[Progress, None, NetworkEntry]:
    """Install a checkpoint, and return its entry.

    Parameters
    ----------
    wanted : NetworkImport
    tensors : mapping
        From `read_tensors`, with the names that the architecture gave them.
    digest : str
        SHA-256 of the file.
    origin : Origin

    Raises
    ------
    CheckpointError
        It is of no known architecture, damaged, too large, or of no use here.
    ParameterError
        The key is not possible or taken, or an option does not apply.
    NetworkMissing
        The package spandrel is not installed.
    """
    require_spandrel(f"{wanted.path.name} is no guided-diffusion checkpoint; another network")
    yield Progress(f"Recognising {wanted.path.name}", 0, 0)
    known = PUBLISHED.get(digest)
    wanted, facts = _stated(wanted, known)
    entry = replace(_new_entry(wanted), origin=origin)
    _check_tensors(wanted.path.name, tensors)
    with _refusals(wanted.path.name):
        network = _built(tensors, facts)
        facts = _described(network, facts)
        _try(network)
    entry = _with_facts(entry, network, facts)
    size = sum(tensor.nbytes for tensor in tensors.values())
    check_space(get_settings().models_dir, size, f"The copy of {wanted.path.name}")
    with staged(entry.key) as stage:
        (stage / "network").mkdir()
        yield Progress(f"Writing {wanted.path.name}", 0, size)
        _write(tensors, stage / "network" / weight_names("network")[0])
        entry = replace(entry, stored=(yield from known_files(stage, files_below(stage))))
        user_networks.write(entry, stage)
    return entry


def _stated(
    wanted: NetworkImport, known: PublishedFile | None
) -> tuple[NetworkImport, Restoration]:
    """The import and the facts that no tensor holds, from the user and from the publication."""
    for option, value in (("--native", wanted.native), ("--tiles", wanted.tiles)):
        if value is not None:
            raise ParameterError(
                f"{option} is for a network to sample from; {wanted.path.name} restores images, "
                "and its architecture says how it is split into tiles."
            )
    facts = known.restoration if known else Restoration("")
    if wanted.hu is not None:
        low, high = wanted.hu
        if not -100_000 <= low < high <= 100_000:
            raise ParameterError(f"--hu {low:g} {high:g} is no range of HU; give LOW below HIGH.")
        facts = replace(facts, range=wanted.hu)
    if wanted.source:
        facts = replace(facts, source=_line(wanted.source, 300))
    if known is not None:
        wanted = replace(
            wanted,
            key=wanted.key or known.key,
            label=wanted.label or known.label,
            licence=wanted.licence or known.licence,
        )
    if wanted.licence:
        wanted = replace(wanted, licence=_line(wanted.licence, 200))
    return wanted, facts


def _line(text: str, most: int) -> str:
    """A text of the user on one line, without a full stop at its end."""
    return " ".join(text.split())[:most].rstrip(".")


def check_file(path: Path, sampled: Callable[[str], bool]) -> None:
    """Refuse a safetensors file above the limit by its table, before its tensors are read.

    Parameters
    ----------
    path : Path
    sampled : callable
        Whether a name is one of a network to sample from, which may be larger.
    """
    from enhancers.networks.weight_checks import header

    if not path.is_file() or path.stat().st_size <= LARGEST:
        return
    with path.open("rb") as file:
        is_table = file.read(9)[8:] == b"{"
    if is_table and not any(map(sampled, header(path))):
        raise _too_large(path.name, path.stat().st_size)


def _too_large(name: str, size: int) -> CheckpointError:
    return CheckpointError(
        f"{name} has {bytes_text(size)} of weights; a network for restoration may have "
        f"{bytes_text(LARGEST)}."
    )


def _bytes_of(tensors: Mapping[str, Tensor]) -> int:
    """What the weights take in a network, which computes in 32 bits."""
    return sum(tensor.numel() * max(tensor.element_size(), 4) for tensor in tensors.values())


def _check_tensors(name: str, tensors: Mapping[str, Tensor]) -> None:
    """Refuse weights that are too large, or are not finite."""
    size = _bytes_of(tensors)
    if size > LARGEST:
        raise _too_large(name, size)
    for key, tensor in tensors.items():
        if tensor.is_complex():
            raise CheckpointError(f"{name}: the tensor {key[:120]} has complex numbers.")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise CheckpointError(
                f"{name}: the tensor {key[:120]} has values that are not finite (NaN or infinite); "
                "training failed, or the file is damaged."
            )


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Turn errors about a checkpoint into a sentence."""
    from spandrel import UnsupportedModelError

    try:
        yield
    except CheckpointError:
        raise
    except UnsupportedModelError as error:
        raise CheckpointError(
            f"{name} is of no known architecture: neither guided-diffusion nor one that "
            "spandrel recognises (DRUNet, DnCNN, SCUNet, SwinIR, NAFNet, RED-CNN, ...)."
        ) from error
    except Exception as error:
        # spandrel and torch have many errors for tensors that fit no network.
        words = " ".join(str(error).split())[:160].rstrip(". ") or type(error).__name__
        if isinstance(error, LimitExceeded):
            raise CheckpointError(f"{name} was refused: {words}.") from error
        raise CheckpointError(
            f"{name} resembles a known architecture and cannot be used as one ({words})."
        ) from error


def _built(tensors: Mapping[str, Tensor], facts: Restoration) -> RestorationNetwork:
    with Bounded(_bytes_of(tensors) + ROOM, SECONDS):
        descriptor = descriptor_of(tensors, facts)
    return RestorationNetwork(descriptor, takes_noise_level(descriptor))


def _described(network: RestorationNetwork, facts: Restoration) -> Restoration:
    """The facts, with what the architecture says; CheckpointError where it is of no use here."""
    descriptor: Any = network.descriptor
    kind = descriptor.architecture.name
    if descriptor.purpose in PURPOSES:
        raise CheckpointError(f"A {kind} network is not used here: {PURPOSES[descriptor.purpose]}.")
    channels = {network.channels, int(descriptor.output_channels)}
    if not channels <= set(GRAY_OR_COLOUR):
        raise CheckpointError(
            f"This {kind} network takes images of {network.channels} channels and returns "
            f"{descriptor.output_channels}; 1 or 3 are possible."
        )
    if not 1 <= network.scale <= LARGEST_SCALE:
        raise CheckpointError(
            f"This {kind} network enlarges {network.scale} times; up to {LARGEST_SCALE} is "
            "possible."
        )
    return replace(facts, architecture=kind, scale=network.scale, noise_level=network.noise_level)


def _try(network: RestorationNetwork) -> None:
    """Run the network twice on a small image: the size must fit, and the results be the same."""
    side = torch.linspace(0.0, 1.0, TRIAL)
    image = (0.5 + 0.4 * torch.outer(side, side).sin())[None, None].expand(
        1, network.channels, -1, -1
    )
    with Bounded(ROOM, SECONDS):
        first, second = (network.restored(image.clone(), 0.05) for _ in range(2))
    wanted = (1, int(network.descriptor.output_channels), *(TRIAL * network.scale,) * 2)
    if tuple(first.shape) != wanted:
        raise CheckpointError(
            f"On an image of {TRIAL} x {TRIAL} the network returned the shape "
            f"{tuple(first.shape)}, not {wanted}."
        )
    if not bool(torch.isfinite(first).all()):
        raise CheckpointError("On a test image the network returned values that are not finite.")
    if not torch.equal(first, second):
        raise CheckpointError(
            "The network returns something else every time: it draws random numbers that no seed "
            "controls, so that its results could not be reproduced."
        )


def _new_entry(wanted: NetworkImport) -> NetworkEntry:
    """The entry before the network is built; ParameterError where its key is taken."""
    entry = new_entry(wanted, None, None, None)
    if entry.key in (*RESERVED, *(method.key for method in METHODS)):
        raise ParameterError(f"{entry.key} is a method of this program; give another --key.")
    return entry


def _with_facts(
    entry: NetworkEntry, network: RestorationNetwork, facts: Restoration
) -> NetworkEntry:
    parameters = sum(weight.numel() for weight in network.descriptor.model.parameters())
    what = f"enlarges {facts.scale} times" if facts.scale > 1 else "restores images"
    return replace(
        entry,
        kind="restoration",
        parts=("network",),
        channels=network.channels,
        parameters=parameters,
        restoration=facts,
        summary=f"{facts.architecture} that {what}, {parameters / 1e6:.1f} M parameters.",
    )


def _write(tensors: Mapping[str, Tensor], path: Any) -> None:
    from safetensors.torch import save_file

    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, path)
