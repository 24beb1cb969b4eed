"""A trained network, from which another training goes on, and what was said of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from enhancers.errors import NetworkMissing
from enhancers.networks.training.stage import Stage, StageResult


def load_trained(kind: Any, folder: Path) -> Any:
    """A trained network in float32."""
    try:
        network = kind.from_pretrained(
            folder, torch_dtype=torch.float32, local_files_only=True, low_cpu_mem_usage=False
        )
    except (OSError, ValueError) as error:
        raise NetworkMissing(
            f"{folder} holds no trained network to start from; give a folder "
            "such as assets/networks/latent."
        ) from error
    # Otherwise the path on this machine would be saved with it.
    network.register_to_config(_name_or_path="")
    return network


def earlier_stages(start: Path | None) -> dict[str, StageResult]:
    """The stages of the training that made the network in ``start``, by name."""
    if start is None:
        return {}
    try:
        facts = json.loads((start / "training.json").read_text(encoding="utf-8"))
        return {stage["stage"]: StageResult(**stage) for stage in facts["stages"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NetworkMissing(
            f"{start} has no readable training.json; start from the folder of a trained network."
        ) from error


def steps_before(earlier: Mapping[str, StageResult], stage: Stage) -> int:
    """The steps of an earlier training of a stage."""
    return earlier[stage.name].steps if stage.name in earlier else 0


def stage_result(
    stage: Stage, validation: dict[str, float], earlier: Mapping[str, StageResult]
) -> StageResult:
    """The result of a stage, including the steps and minutes of an earlier training."""
    before = earlier.get(stage.name)
    minutes = stage.elapsed / 60 + (before.minutes if before else 0.0)
    return StageResult(
        stage.name, stage.steps + steps_before(earlier, stage), minutes, stage.loss, validation
    )  # fmt: skip
