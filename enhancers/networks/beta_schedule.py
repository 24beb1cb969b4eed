"""The noise schedule that a network was trained with, from the configuration of its scheduler."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from enhancers.errors import CheckpointError
from enhancers.networks.config_checks import Config
from enhancers.networks.entry import Schedule

PREDICTIONS = ("epsilon", "v_prediction")
"""What a network may have been trained to predict."""
_BETAS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas",
          "rescale_betas_zero_snr")  # fmt: skip


@dataclass(frozen=True, eq=False)
class BetaSchedule:
    """A noise schedule, and what the network predicts.

    Parameters
    ----------
    signal : Tensor, shape (T,)
        ābar.
    predicts : {"epsilon", "v_prediction"}
    offset : int
        Added to every timestep by the network's own sampler.
    final : float
        ābar at which that sampler ends.
    """

    signal: Tensor
    predicts: Literal["epsilon", "v_prediction"]
    offset: int = 0
    final: float = 1.0


def scheduler_config(schedule: Schedule) -> Config:
    """A schedule of the catalogue as a scheduler's configuration states it."""
    return {
        "num_train_timesteps": schedule.steps,
        "beta_start": schedule.start,
        "beta_end": schedule.end,
        "beta_schedule": schedule.name,
    }


def beta_schedule(config: Config) -> BetaSchedule:
    """The schedule that a scheduler's configuration describes.

    Raises
    ------
    CheckpointError
        It has no betas, impossible ones, or the network predicts something else.
    """
    from diffusers import DDIMScheduler

    predicts = config.get("prediction_type", "epsilon")
    if predicts not in PREDICTIONS:
        raise CheckpointError(
            f"The network predicts {str(predicts)[:40]!r}; networks here must predict "
            f"{' or '.join(PREDICTIONS)}."
        )
    if "beta_schedule" not in config and config.get("trained_betas") is None:
        raise CheckpointError(
            f"{config.get('_class_name')} has no betas of a diffusion; give those of the training "
            "with --schedule."
        )
    try:
        scheduler = DDIMScheduler(**{name: config[name] for name in _BETAS if name in config})
        signal: Tensor = scheduler.alphas_cumprod
    except Exception as error:
        # An impossible value ends in one of many errors of torch or diffusers.
        words = " ".join(str(error).split())[:160].rstrip(". ")
        raise CheckpointError(f"The scheduler's betas are not possible ({words}).") from error
    falls = bool((signal.diff() <= 0).all()) and bool(signal.isfinite().all())
    if len(signal) < 2 or not falls or not 0 <= float(signal[-1]) < float(signal[0]) < 1:
        raise CheckpointError("The scheduler's betas do not take an image to noise.")
    offset = config.get("steps_offset", 0)
    if not isinstance(offset, int) or not 0 <= offset < len(signal):
        raise CheckpointError(f"The scheduler's timesteps are moved by {str(offset)[:40]!r}.")
    final = 1.0 if config.get("set_alpha_to_one", True) else float(signal[0])
    return BetaSchedule(signal, predicts, offset, final)
