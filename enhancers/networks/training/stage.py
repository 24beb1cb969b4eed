"""One network under training: optimiser, moving average of the weights, budget and checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from tqdm.auto import tqdm

from enhancers.errors import ParameterError
from enhancers.files import atomic_path
from enhancers.networks.training.muon import optimizers

RATE = 5e-4
EMA = 0.999
WARM_UP_STEPS = 50
DECAY_SHARE = 0.67
"""Last part of the budget, in which the learning rate decays."""
CHECKPOINT_SECONDS = 120.0
OUTLIER = 10.0
"""Times its running mean from which on the gradient of a step is left out."""
GRADIENT_MEMORY = 0.98


def linear_decay(progress: float) -> float:
    """The learning rate, relative to its most: it falls to 2 % in the last part of the budget.

    So a longer training can go on from before that.
    """
    return min(1.0, max(0.02, (1 - progress) / DECAY_SHARE))


def cosine_decay(progress: float) -> float:
    """The learning rate, relative to its most: half a cosine over the whole budget."""
    return (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def adam(model: nn.Module, rate: float, momentum: float = 0.9) -> Iterable[Optimizer]:
    """Adam for all weights (Kingma and Ba 2015)."""
    yield Adam(model.parameters(), lr=rate, betas=(momentum, 0.999))


@dataclass(frozen=True)
class Recipe:
    """How weights are changed.

    Parameters
    ----------
    rate : float
        The most the learning rate becomes; it warms up linearly.
    decay : callable
        The learning rate, relative to that, from the share of the budget that is used up.
    optimizers : callable
        The optimisers of a model, from it and a learning rate.
    """

    rate: float = RATE
    decay: Callable[[float], float] = linear_decay
    optimizers: Callable[[nn.Module, float], Iterable[Optimizer]] = optimizers


@dataclass(frozen=True)
class StageResult:
    """What one stage of a training reached, as ``training.json`` and the card state it."""

    stage: str
    steps: int
    minutes: float
    loss: float
    validation: dict[str, float]


class Stage:
    """Trains one network until its budget is used up: ``minutes``, or ``max_steps`` where given.

    Parameters
    ----------
    name : str
        Of the stage and, with ``.pt``, of its checkpoint in ``out``.
    model : torch module
    minutes : float
    out : Path
    device : str
    recipe : Recipe
    max_steps : int, optional
    """

    def __init__(
        self, name: str, model: Any, minutes: float, out: Path, device: str,
        recipe: Recipe = Recipe(), *, max_steps: int | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.minutes = minutes
        self.max_steps = max_steps
        self.recipe = recipe
        out.mkdir(parents=True, exist_ok=True)
        self.path = out / f"{name}.pt"
        self.device = device
        self.model = model.to(device=device, memory_format=torch.channels_last)
        self.average = {k: v.detach().clone() for k, v in model.state_dict().items()}
        self.optimizers = tuple(recipe.optimizers(self.model, recipe.rate))
        groups = [group for each in self.optimizers for group in each.param_groups]
        self.rates = tuple(group["lr"] for group in groups)
        """The most that the learning rate of each group of weights becomes."""
        self.steps = 0
        self.elapsed = 0.0
        self.loss = math.nan
        self.gradient = math.nan
        """Running mean of the gradient's norm."""
        self.left_out = 0

    def resume(self) -> None:
        """Continue from the checkpoint, if there is one."""
        if not self.path.exists():
            return
        state = torch.load(self.path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        try:
            for optimizer, stored in zip(self.optimizers, state["optimizers"], strict=True):
                optimizer.load_state_dict(stored)
        except ValueError:
            raise ParameterError(
                f"{self.path} is of a training with other optimisers; train into another folder, "
                "or go on from the trained network with --start."
            ) from None
        self.steps, self.elapsed, self.loss = state["steps"], state["elapsed"], state["loss"]
        self.gradient = state.get("gradient", math.nan)

    def save(self) -> None:
        """Write the checkpoint; an interruption leaves the previous one."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "steps": self.steps,
            "elapsed": self.elapsed,
            "loss": self.loss,
            "gradient": self.gradient,
        }
        with atomic_path(self.path) as part:
            torch.save(state, part)

    def progress(self) -> float:
        """The share of the budget that is used up."""
        if self.max_steps is not None:
            return self.steps / self.max_steps
        return self.elapsed / (self.minutes * 60)

    def fit(
        self, loss_of: Callable[[], Tensor], is_over: Callable[[], bool] = lambda: False
    ) -> None:
        """Minimise ``loss_of()`` until the budget is used up, or ``is_over()`` after a step."""
        saved = last = time.monotonic()
        with tqdm(total=100, initial=min(round(100 * self.progress()), 100), unit="%",
                  desc=self.name) as bar:  # fmt: skip
            while (progress := self.progress()) < 1:
                loss = self._step(loss_of, progress)
                now = time.monotonic()
                self.elapsed += now - last
                last = now
                self.loss = loss if math.isnan(self.loss) else 0.99 * self.loss + 0.01 * loss
                bar.set_postfix(
                    step=self.steps, loss=f"{self.loss:.4f}", left_out=self.left_out, refresh=False
                )
                bar.update(min(round(100 * self.progress()), 100) - bar.n)
                if now - saved > CHECKPOINT_SECONDS:
                    self.save()
                    saved = now
                if is_over():
                    break
        self.save()

    def _step(self, loss_of: Callable[[], Tensor], progress: float) -> float:
        share = min(1.0, (self.steps + 1) / WARM_UP_STEPS) * self.recipe.decay(progress)
        groups = [group for each in self.optimizers for group in each.param_groups]
        for group, rate in zip(groups, self.rates, strict=True):
            group["lr"] = share * rate
        loss = loss_of()
        self.model.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        self.steps += 1
        if self._is_outlier(norm):
            self.left_out += 1
            return self.loss
        for optimizer in self.optimizers:
            optimizer.step()
        decay = min(EMA, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for key, value in self.model.state_dict().items():
                if value.is_floating_point():
                    self.average[key].lerp_(value, 1 - decay)
                else:
                    self.average[key].copy_(value)
        return float(loss.detach())

    def _is_outlier(self, norm: float) -> bool:
        """Whether a gradient would drown those before it; one that recurs becomes usual."""
        if not math.isfinite(norm):
            return True
        if math.isnan(self.gradient):
            self.gradient = norm
        most = OUTLIER * self.gradient
        self.gradient += (1 - GRADIENT_MEMORY) * (min(norm, most) - self.gradient)
        return self.steps > WARM_UP_STEPS and norm > most

    def averaged(self) -> Any:
        """The network with the moving average of its weights, in evaluation mode."""
        self.model.load_state_dict(self.average)
        return self.model.eval()
