"""Hybrid enhancement: latent diffusion guided toward the classical pipeline's output.

Singh and Singh, "Bridging classical and learned priors", under review for MIDL 2026, section 2.3
and Algorithm 1, with the guidance as the convex weight w that its Algorithm 1 computes.

The paper starts from pure noise (preset `published`, or `strength` = 1); the network then invents
most of what it adds. From the image, and in the two-call denoiser, the noisy image itself serves as
the latent of a timestep with at least its noise level, so that the network denoises the
measurement, guided toward the pseudo-label. How much noise the image's noise is in the latents is
measured for the autoencoder in use. Measurement and pseudo-label must then differ only by what the
filters removed: the bias field is corrected in both, and the contrast step comes last. The weight
may vary by region (`regions`), the paper's future work: the pseudo-label has most weight where the
image is pure noise, and least where it has structure, which the filters blur.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from enhancers.classical import pipelines
from enhancers.classical.pipelines import Stage
from enhancers.classical.restore_phase import restore_phase
from enhancers.colour import luminance, with_luminance
from enhancers.devices import GpuPacing
from enhancers.diffusion.guidance import DARK, Guidance, blurred, image_noise, regional_weight
from enhancers.diffusion.timestep_noise import START, noise_for_timestep
from enhancers.image import MedicalImage, Pixels
from enhancers.method import Modality, ParameterValue
from enhancers.method_interface import (
    Figure,
    ProgressTracker,
    Step,
    final_step,
    is_constant,
    patches,
    unchanged_step,
)
from enhancers.networks.coloured_noise import filtered
from enhancers.networks.tiled_networks import LatentNetwork, channel_spread, gray_of
from enhancers.networks.tiles import Padding, Predict, pad
from enhancers.networks.timesteps import TimestepPair
from enhancers.noise_spectrum import NoiseSpectrum
from enhancers.parameter_values import as_float, as_float_or_none
from enhancers.restore_clipped import restore_clipped

CLASSICAL_SHARE, LAST = 0.2, 0.999
"""Fractions of the progress bar at which the pseudo-label and the network are finished."""
PAPER_LATENTS = 4 * 32 * 32
"""Number of latent elements over which the paper averages its loss: w = 2 λ / 4096."""
FINE_SIGMA = 2.0
"""Gaussian σ in pixels that separates fine detail from the rest."""
FIELD, CONTRAST = "n4", "clahe"
"""Stages of the classical pipeline that are not denoising filters."""
CALIBRATION = 1001
"""Key of the noise by which the autoencoder is calibrated; not a timestep."""
CALIBRATION_SIDE, CALIBRATION_STRIDE = 128, 32
"""Side and stride, in pixels, of the windows of which one serves for that; autoencoders' sides are
multiples of the stride or fewer pixels."""
LEVELS = 255.0


def work(image: MedicalImage, params: Mapping[str, ParameterValue]) -> float:
    """Planned network evaluations, in patches."""
    return Guidance.read(params, image.modality).calls * patches(*image.shape)


def guided_step(
    pair: TimestepPair, z: Tensor, noise: Tensor, target: Tensor, weight: float | Tensor
) -> tuple[Tensor, Tensor]:
    """One deterministic DDIM step toward ``target``: the next latent and the guided estimate."""
    guided = (1 - weight) * pair.clean(z, noise) + weight * target
    return pair.a * guided + pair.s * noise, guided


def sample(
    predict: Predict,
    pairs: Sequence[TimestepPair],
    weight: float | Tensor,
    target: Tensor,
    *,
    seed: int,
    start: Tensor | None = None,
    noisy: bool = False,
) -> Iterator[tuple[int, Tensor]]:
    """Guided sampling; yields (calls made, clean latent estimate) after each.

    Parameters
    ----------
    predict : callable
        Predicts the noise in a latent.
    pairs : sequence of TimestepPair
        The sampling steps.
    weight : float or Tensor, shape (1, 1, h, w)
        Share w of the target in each clean estimate.
    target : Tensor, shape (B, D, h, w)
        Scaled latent of the pseudo-label.
    seed : int
    start : Tensor, optional
        Scaled latent to start from; pure noise by default.
    noisy : bool
        Whether ``start`` already has the noise of the first step; otherwise noise is added.
    """
    z = noise_for_timestep((1, *target.shape[1:]), seed, START).to(target.device).expand_as(target)
    if start is not None:
        signal = pairs[0].signal
        z = math.sqrt(signal) * start + (0.0 if noisy else math.sqrt(1 - signal)) * z
    for call, pair in enumerate(pairs, start=1):
        noise = predict(z, pair.t)
        z, guided = guided_step(pair, z, noise, target, weight)
        yield call, z if call == len(pairs) else guided


def run(
    image: MedicalImage, params: Mapping[str, ParameterValue], *, seed: int, device: str
) -> Iterator[Step]:
    """Run the hybrid (see `Enhancer`)."""
    if is_constant(luminance(image.pixels)):
        yield unchanged_step(image.pixels)
        return
    guidance = Guidance.read(params, image.modality)
    matched = guidance.strength is None
    field, filters, contrast = _stages(image.modality, params, matched)
    prefix = "pseudo-label: "
    half = CLASSICAL_SHARE / 2 if field else 0.0
    given, notes = yield from _run_stages(image, field, seed, device, (0.0, half), prefix)
    classical, more = yield from _run_stages(
        given, filters, seed, device, (half, CLASSICAL_SHARE), prefix
    )
    notes += more
    label, gray = classical.pixels, luminance(given.pixels)
    network = LatentNetwork(str(params["prior"]), device)
    multiple = network.prior.multiple
    target_gray, padding = pad(luminance(label), multiple=multiple)
    reference = _tensor(target_gray, device)
    target = network.encode(reference)
    noise = NoiseSpectrum.white(0.0)
    if matched:
        noise = image_noise(gray, image.modality, as_float_or_none(params, "sigma"))
        gray = _unbiased(gray, luminance(label), noise, image.modality, seed)
    measured = _tensor(pad(gray, multiple=multiple)[0], device)
    start, spread = None, torch.zeros(target.shape[1])
    if matched or guidance.calls < guidance.steps:
        start = network.encode(measured)
    if matched:
        spread = latent_noise(network, reference, noise, image.modality, seed=seed)
    weight: float | Tensor = guidance.weights[0]
    if guidance.regional:
        fine = regional_weight(measured, noise.sigma, guidance.weights)
        weight = F.avg_pool2d(fine, network.prior.factor)
    pairs = guidance.sampling_steps(network.prior.betas, _rms(spread))
    if matched and start is not None and guidance.draws:
        start = raised(start, spread, pairs[0], seed=seed)
    progress, pace = ProgressTracker(guidance.calls, "network call"), GpuPacing(device)
    made, z = 0, target
    steps = sample(network.predict, pairs, weight, target, seed=seed, start=start, noisy=matched)
    for made, z in steps:
        pace.tick()
        preview = None
        if made % guidance.preview_every == 0 and made < guidance.calls:
            preview = _merged(label, gray_of(network.decode(z)), padding)
        step = progress.step(made, preview)
        yield replace(step, fraction=CLASSICAL_SHARE + (LAST - CLASSICAL_SHARE) * step.fraction)
    round_trip = gray_of(network.decode(target))
    decoded = network.decode(z)
    composed = compose(gray_of(decoded), round_trip, reference, guidance.output)
    change = padding.crop((composed - reference)[0, 0].cpu().numpy())
    merged = image.with_pixels(_merged(label, composed, padding))
    result, more = yield from _run_stages(merged, contrast, seed, device, (LAST, LAST))
    yield final_step(
        result.pixels,
        figures=(
            *_changes(change),
            *_start(pairs[0], spread if matched else None),
            *_figures(weight, round_trip, reference),
            *channel_spread(decoded),
        ),
        calls=made,
        notes=(
            *network.notes,
            *guidance.notes,
            *_change_notes(change),
            *(f"Pseudo-label: {note}" for note in notes),
            *more,
        ),
    )


def latent_noise(
    network: LatentNetwork, label: Tensor, noise: NoiseSpectrum, modality: Modality, *, seed: int
) -> Tensor:
    """The noise that an image's noise becomes in the latents of this autoencoder.

    Parameters
    ----------
    network : LatentNetwork
    label : Tensor, shape (1, 1, H, W) in [0, 1]
        The image without noise.
    noise : NoiseSpectrum
        Of the image, in [0, 1] units; for ultrasound at the mean brightness.
    modality : Modality
    seed : int

    Returns
    -------
    Tensor, shape (D,)
        Standard deviation of each channel, in units of the scaled latent, measured on a window of
        usual brightness: encoding costs more than all network calls.
    """
    bright = label[label > DARK]
    window = _usual_window(label)
    drawn = noise_for_timestep(tuple(window.shape), seed, CALIBRATION)
    gain = torch.from_numpy(noise.amplitude((window.shape[-2], window.shape[-1]))).float()
    added = filtered(drawn, gain).to(label.device)
    if modality is Modality.US and bright.numel():
        added = added * window / bright.square().mean().sqrt()
    return (network.encode(window + added) - network.encode(window)).std((0, 2, 3)).cpu()


def _usual_window(label: Tensor) -> Tensor:
    """The window of `CALIBRATION_SIDE` whose mean power is nearest that of the image."""
    power = label.square()
    height, width = (min(CALIBRATION_SIDE, side) for side in label.shape[-2:])
    windows = F.avg_pool2d(power, (height, width), stride=CALIBRATION_STRIDE)[0, 0]
    row, column = divmod(int((windows - power.mean()).abs().argmin()), windows.shape[1])
    top, left = row * CALIBRATION_STRIDE, column * CALIBRATION_STRIDE
    return label[..., top : top + height, left : left + width]


def _unbiased(
    gray: Pixels, label: Pixels, noise: NoiseSpectrum, modality: Modality, seed: int
) -> Pixels:
    """The image with noise of mean zero: neither Rician nor clipped at black and white."""
    if modality is Modality.MR:
        return restore_phase(gray, label, noise.sigma, seed=seed)
    if modality is Modality.US:
        return gray
    coloured = None if noise.is_white else noise
    return restore_clipped(gray, noise.sigma, seed=seed, spectrum=coloured)


def raised(start: Tensor, spread: Tensor, first: TimestepPair, *, seed: int) -> Tensor:
    """Latents with noise of ``spread`` by channel, given noise up to that of the first step."""
    wanted = (1.0 - first.signal) / first.signal
    missing = (wanted - spread.square()).clamp(min=0.0).sqrt().to(start.device)
    drawn = noise_for_timestep((1, *start.shape[1:]), seed, START).to(start.device)
    return start + missing[None, :, None, None] * drawn


def _tensor(gray: Pixels, device: str) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(gray))[None, None].to(device)


def compose(decoded: Tensor, round_trip: Tensor, label: Tensor, output: str) -> Tensor:
    """The returned image according to ``output``; all images in [0, 1].

    "full" is the decoded sample, as in the paper. "residual" adds the change by the diffusion,
    D(z) - D(z_p), to the pseudo-label, which excludes the autoencoder's error; "fine residual" adds
    only the part of the change finer than `FINE_SIGMA`.
    """
    if output == "full":
        return decoded
    change = decoded - round_trip
    if output == "fine residual":
        change = change - blurred(change, FINE_SIGMA)
    return label + change


def _stages(
    modality: Modality, params: Mapping[str, ParameterValue], matched: bool
) -> tuple[tuple[Stage, ...], tuple[Stage, ...], tuple[Stage, ...]]:
    """The pipeline in three parts: bias correction, filters for the pseudo-label, contrast."""
    every = pipelines.stages(
        modality,
        contrast=bool(params["contrast"]),
        sigma=as_float_or_none(params, "sigma"),
        clip_limit=as_float(params, "clip_limit"),
    )
    if not matched:
        return (), every, ()
    field = tuple(stage for stage in every if stage.key == FIELD)
    contrast = tuple(stage for stage in every if stage.key == CONTRAST)
    return field, tuple(stage for stage in every if stage not in (*field, *contrast)), contrast


def _run_stages(
    image: MedicalImage,
    chosen: Sequence[Stage],
    seed: int,
    device: str,
    span: tuple[float, float],
    prefix: str = "",
) -> Generator[Step, None, tuple[MedicalImage, tuple[str, ...]]]:
    """Run classical stages within ``span`` of the progress bar; return the image and notes."""
    notes: tuple[str, ...] = ()
    if not chosen:
        return image, notes
    for step in pipelines.chain(image, chosen, seed=seed, device=device):
        if step.result is not None:
            image, notes = image.with_pixels(step.result.pixels), step.result.notes
        fraction = span[0] + (span[1] - span[0]) * step.fraction
        yield replace(
            step, fraction=fraction, result=None, seconds_left=None, note=f"{prefix}{step.note}"
        )
    return image, notes


def _merged(label: Pixels, gray: Tensor, padding: Padding) -> Pixels:
    pixels = gray[0, 0].clamp(0, 1).cpu().numpy().astype(np.float32)
    return with_luminance(label, padding.crop(pixels))


def _changes(change: Pixels) -> tuple[Figure, ...]:
    """How much of the result is the network's: the difference to the classical result."""
    levels = np.abs(change) * LEVELS
    return (
        Figure("network_rms", "Change by the network (RMS)", LEVELS * _rms(change), "gray levels"),
        Figure(
            "network_share", "Pixels changed by the network", 100 * float((levels >= 1).mean()), "%"
        ),
    )


def _change_notes(change: Pixels) -> tuple[str, ...]:
    levels = LEVELS * _rms(change)
    if levels >= 1.0:
        return ()
    return (
        f"The network changed the classical result by less than one gray level of 255 (RMS "
        f"{levels:.2g}): this is practically the classical pipeline.",
    )


def _rms(values: Pixels | Tensor) -> float:
    return float(np.sqrt(np.mean(np.square(np.asarray(values), dtype=np.float64))))


def _start(first: TimestepPair, spread: Tensor | None) -> tuple[Figure, ...]:
    step = Figure("start", "First timestep", first.t)
    if spread is None:
        return (step,)
    low, high = float(spread.min()), float(spread.max())
    return (
        step,
        Figure(
            "start_level",
            "Noise from which sampling starts",
            ((1 - first.signal) / first.signal) ** 0.5,
        ),
        Figure("latent_noise", "Noise of the latent", _rms(spread)),
        Figure("latent_noise_low", "Noise of its cleanest channel", low),
        Figure("latent_noise_high", "Noise of its noisiest channel", high),
    )


def _figures(weight: float | Tensor, round_trip: Tensor, label: Tensor) -> tuple[Figure, ...]:
    error = float((round_trip - label).square().mean())
    # Not `enhancers.metrics.psnr`: that works in double precision, and published figures hold this.
    psnr = -10 * math.log10(max(error, 1e-10))
    trip = Figure("round_trip", "Autoencoder round trip of the pseudo-label", psnr, "dB")
    if isinstance(weight, Tensor):
        mean = float(weight.mean())
        return Figure("guidance", "Share w of the pseudo-label, mean over the regions", mean), trip
    return (
        Figure("guidance", "Share w of the pseudo-label", weight),
        Figure("lambda", "Guidance as the paper's λ", weight * PAPER_LATENTS / 2),
        trip,
    )
