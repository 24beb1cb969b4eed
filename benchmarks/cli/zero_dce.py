"""``benchmarks zero-dce``: trains the curve network of the Zero-DCE baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def zero_dce(
    data: Annotated[
        Path, typer.Option(help="Training images; held-out subjects are left to evaluation.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="File of the weights. Default: the shipped one.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Number of training steps.")] = 600,
    seed: Annotated[int, typer.Option(min=0, help="Seed of weights and crops.")] = 0,
) -> None:
    """Train the curve network of the Zero-DCE baseline, in minutes on a CPU."""
    import torch
    from safetensors.torch import save_file

    from benchmarks.zero_dce import train
    from enhancers.evaluation.baselines.zero_dce import WEIGHTS, CurveNetwork
    from enhancers.networks.training.corpus import read_corpus

    torch.manual_seed(seed)
    network = CurveNetwork()
    for progress in train(network, read_corpus(data), steps, seed=seed):
        print(f"step {progress.done}: loss {progress.loss:.4f}", flush=True)
    target = out or WEIGHTS
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), target)
    print(f"{sum(p.numel() for p in network.parameters())} parameters, {target}")
