"""Whether a weight file fits its configuration, found out from its header without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from enhancers.errors import CheckpointError
from enhancers.networks.config_checks import Config, network_class, part_config
from enhancers.networks.entry import Part

if TYPE_CHECKING:
    from torch import Tensor

_EARLY_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def check_weights(home: Path, part: Part, path: Path) -> int:
    """The number of parameters of a part whose weight file fits its configuration.

    Raises
    ------
    CheckpointError
        The file is damaged, or tensors are missing, unexpected or of another shape.
    """
    from enhancers.networks.checkpoint import differences

    found = header(path)
    if part == "network":
        # Its architecture is recognised by the tensors, and its file by their digest.
        return sum(tensor.numel() for tensor in found.values())
    config = part_config(home, part)
    if part != "text_encoder":
        wrong = differences(_expected(config, home), _renamed(found))
        if wrong:
            raise CheckpointError(f"{path} does not fit its config.json: {wrong}.")
    # Positions are counted and not trained.
    trained = (tensor for name, tensor in found.items() if not name.endswith("position_ids"))
    return sum(tensor.numel() for tensor in trained)


def header(path: Path) -> dict[str, Tensor]:
    """Names and shapes of the tensors of a safetensors file, on the meta device.

    Raises
    ------
    CheckpointError
        The file is missing, truncated or damaged.
    """
    import torch
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"There is no file {path}.") from None
    except (SafetensorError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path} is a truncated or damaged safetensors file ({reason}); download it again."
        ) from error
    with torch.device("meta"):
        return {name: torch.empty(shape) for name, shape in shapes.items()}


def _renamed(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The attention layers of early autoencoders under the names that diffusers gives them now."""
    names = {}
    for name, tensor in found.items():
        current = name
        if ".attentions." in name:
            for old, new in _EARLY_NAMES.items():
                current = current.replace(f".{old}.", f".{new}.")
        names[current] = tensor
    return names


def _expected(config: Config, home: Path) -> dict[str, Tensor]:
    import torch

    try:
        with torch.device("meta"):
            network = network_class(config).from_config(dict(config))
    except Exception as error:
        # diffusers raises different errors for configurations that describe no network.
        reason = " ".join(str(error).split())[:160]
        raise CheckpointError(f"{home}/config.json describes no network ({reason}).") from error
    state: dict[str, Tensor] = network.state_dict()
    return state
