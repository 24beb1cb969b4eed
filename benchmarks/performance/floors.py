"""``benchmarks floors``: the least PSNR and SSIM that the embedded networks must reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.performance.scores import ScoreTable
from enhancers import compare
from enhancers.degrade import degrade
from enhancers.evaluation.measures import fit
from enhancers.evaluation.problem import TestImage
from enhancers.image import Pixels, from_array
from enhancers.method import ParameterValue

SEEDS = 4
SIGMA = 0.1
EXPOSURE = 0.3
NLM_STRENGTHS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
TV_WEIGHTS = (0.04, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2)


@dataclass(frozen=True)
class Floor:
    """One requirement: ``measured`` must be at least ``required``."""

    name: str
    measured: float
    required: float
    detail: str

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return self.measured >= self.required


Cases = Sequence[TestImage]
Measured = tuple[ScoreTable, list[Floor]]
Progress = Callable[[str], None]
"""Called with the name of the stage after every image."""


def enhance(
    case: TestImage, pixels: Pixels, key: str, device: str, seed: int, **given: ParameterValue
) -> Pixels:
    """The result of a method on the degraded pixels of a case."""
    image = from_array(pixels, case.modality)
    return compare.enhance(image, key, params=given, seed=seed, device=device).pixels


def denoising(cases: Cases, device: str, tick: Progress) -> Measured:
    """Gaussian noise of known σ = 0.1, clipped: DDNM against NLM and TV at their best strengths."""
    from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

    table = ScoreTable()
    for case in cases:
        noisy = degrade(case.truth, "gaussian", SIGMA, seed=case.seed)
        for h in NLM_STRENGTHS:
            filtered = denoise_nl_means(
                noisy, patch_size=5, patch_distance=6, h=h * SIGMA, sigma=SIGMA, fast_mode=True
            )
            table.add(f"nlm h={h:g}σ", case, filtered)
        for weight in TV_WEIGHTS:
            table.add(f"tv {weight:g}", case, denoise_tv_chambolle(noisy, weight=weight))
        run = partial(enhance, case, noisy, "null_space", device, sigma=SIGMA)
        samples = [run(seed) for seed in range(SEEDS)]
        table.add("DDNM, one sample", case, samples[0])
        table.add("DDNM, mean of samples", case, np.mean(samples, axis=0))
        table.add("DDNM, one call", case, run(0, output="one call"))
        tick("denoise")
    ours = table.mean("DDNM, mean of samples")
    rivals = {"NLM": table.best("nlm"), "TV": table.best("tv")}
    floors = []
    for name, (psnr, ssim) in rivals.items():
        floors.append(Floor(f"denoise σ 0.1: PSNR over best {name}, dB", ours[0] - psnr, 0.5,
                            f"{ours[0]:.2f} against {psnr:.2f}"))  # fmt: skip
        floors.append(Floor(f"denoise σ 0.1: SSIM over best {name}", ours[1] - ssim, 0.0,
                            f"{ours[1]:.4f} against {ssim:.4f}"))  # fmt: skip
    return table, floors


def enlargement(cases: Cases, device: str, tick: Progress) -> Measured:
    """Block-mean downsampling by 4: DDNM against bicubic and Lanczos."""
    import cv2

    table = ScoreTable()
    for case in cases:
        small = degrade(case.truth, "downsample", 4, seed=case.seed)
        size = case.truth.shape[::-1]
        for name, how in (("bicubic", cv2.INTER_CUBIC), ("Lanczos", cv2.INTER_LANCZOS4)):
            table.add(name, case, cv2.resize(small, size, interpolation=how))
        run = partial(enhance, case, small, "null_space", device, task="sr4")
        samples = [run(seed) for seed in range(SEEDS)]
        table.add("DDNM, one sample", case, samples[0])
        table.add("DDNM, mean of samples", case, np.mean(samples, axis=0))
        tick("enlarge")
    mean, one = table.mean("DDNM, mean of samples"), table.mean("DDNM, one sample")
    floors = []
    for name in ("bicubic", "Lanczos"):
        psnr, ssim = table.mean(name)
        floors.append(Floor(f"enlarge x4: PSNR of the mean over {name}, dB", mean[0] - psnr, 0.5,
                            f"{mean[0]:.2f} against {psnr:.2f}"))  # fmt: skip
        floors.append(Floor(f"enlarge x4: SSIM of one sample over {name}", one[1] - ssim, 0.0,
                            f"{one[1]:.4f} against {ssim:.4f}"))  # fmt: skip
    return table, floors


def round_trip(cases: Cases, device: str, tick: Progress) -> Measured:
    """The round trip decode(encode(x)) of the latent prior's autoencoder."""
    import torch

    from enhancers.networks.load import latent_prior

    prior, table = latent_prior(device), ScoreTable()
    for case in cases:
        x = torch.from_numpy(case.truth)[None, None].to(device) * 2 - 1
        decoded = (prior.decode(prior.encode(x)) + 1) / 2
        table.add("autoencoder", case, decoded[0, 0].clamp(0, 1).cpu().numpy())
        tick("autoencoder")
    mean = table.mean("autoencoder")[0]
    worst, psnr = min(((g, s[0]) for g, s in table.by_group("autoencoder").items()),
                      key=lambda found: found[1])  # fmt: skip
    return table, [
        Floor("autoencoder round trip: mean PSNR, dB", mean, 34.0, f"{mean:.2f}"),
        Floor("autoencoder round trip: least PSNR of a modality, dB", psnr, 30.0, worst),
    ]


def hybrid(cases: Cases, device: str, tick: Progress) -> Measured:
    """The hybrid without its contrast step against its own pseudo-label."""
    kinds = {"us": ("speckle", (0.1, 0.3)), "mr": ("rician", (0.02, 0.04))}
    table = ScoreTable()
    for case in (case for case in cases if case.group in kinds):
        kind, (low, high) = kinds[case.group]
        level = float(np.random.default_rng(case.seed).uniform(low, high))
        noisy = degrade(case.truth, kind, level, seed=case.seed)
        table.add("degraded", case, noisy)
        label = enhance(case, noisy, "classical", device, 0, contrast=False)
        table.add("pseudo-label", case, label)
        for output in ("residual", "full"):
            result = enhance(case, noisy, "pseudo_label", device, 0, contrast=False, output=output)
            table.add(f"hybrid, {output}", case, result)
        tick("hybrid")
    ours, label_score = table.mean("hybrid, residual"), table.mean("pseudo-label")
    return table, [
        Floor("hybrid: PSNR over its pseudo-label, dB", ours[0] - label_score[0], -0.2,
              f"{ours[0]:.2f} against {label_score[0]:.2f}"),
        Floor("hybrid: SSIM over its pseudo-label", ours[1] - label_score[1], -0.005,
              f"{ours[1]:.4f} against {label_score[1]:.4f}"),
    ]  # fmt: skip


def exposure(cases: Cases, device: str, tick: Progress) -> Measured:
    """Under-exposure by 0.3 with a smooth mask: UniMIE against the input, both after a fit."""
    table = ScoreTable()
    for case in cases:
        dark = degrade(case.truth, "under_exposure", EXPOSURE, seed=case.seed)
        table.add("input, fitted", case, fit(dark, case.truth).pixels)
        result = enhance(case, dark, "unimie", device, 0)
        table.add("UniMIE, fitted", case, fit(result, case.truth).pixels)
        table.add("UniMIE, as it is", case, result)
        tick("exposure")
    ours, theirs = table.mean("UniMIE, fitted")[1], table.mean("input, fitted")[1]
    return table, [
        Floor("under-exposure: fitted SSIM over the fitted input", ours - theirs, 1e-4,
              f"{ours:.4f} against {theirs:.4f}")
    ]  # fmt: skip


STAGES: Mapping[str, Callable[[Cases, str, Progress], Measured]] = {
    "autoencoder": round_trip,
    "hybrid": hybrid,
    "denoise": denoising,
    "exposure": exposure,
    "enlarge": enlargement,
}


def floors(
    cases: Cases,
    device: str,
    only: tuple[str, ...] = (),
    tick: Progress = lambda _: None,
) -> Iterator[tuple[str, ScoreTable, list[Floor]]]:
    """Measure the stages in order: (name, table of scores, floors)."""
    for name, stage in STAGES.items():
        if not only or name in only:
            table, found = stage(cases, device, tick)
            yield name, table, found


def as_markdown(found: list[tuple[str, ScoreTable, list[Floor]]], images: int) -> str:
    """Markdown tables of the floors and of every candidate's mean PSNR and SSIM."""
    lines = [f"{images} images, unweighted mean over the modalities.", ""]
    lines += ["| floor | measured | required | | detail |", "|---|---|---|---|---|"]
    for _, _, floors_ in found:
        for floor in floors_:
            verdict = "met" if floor.met else "MISSED"
            lines.append(
                f"| {floor.name} | {floor.measured:.4g} | {floor.required:.4g} | {verdict} "
                f"| {floor.detail} |"
            )
    for name, table, _ in found:
        lines += ["", f"| {name} | PSNR, dB | SSIM | by modality |", "|---|---|---|---|"]
        for candidate in table.scores:
            psnr, ssim = table.mean(candidate)
            parts = ", ".join(
                f"{group} {a:.2f}/{b:.3f}" for group, (a, b) in table.by_group(candidate).items()
            )
            lines.append(f"| {candidate} | {psnr:.2f} | {ssim:.4f} | {parts} |")
    return "\n".join(lines)
