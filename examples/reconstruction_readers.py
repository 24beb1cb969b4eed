"""The reader study of four reconstructions: from a folder of clean slices to a frozen study.

    python -m examples.reconstruction_readers FOLDER STUDY [MODALITY]

FOLDER holds slices named PATIENT_SLICE; the last two are for training. Each is degraded as in the
paper (MODALITY, by default CT, where the files do not say) and restored by every method. Five
readers score each image alone, by the protocol next to this file.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from enhancers.compare import enhance
from enhancers.degrade import degrade_image
from enhancers.load import load
from enhancers.method import Modality
from enhancers.registry import METHODS
from enhancers.save import save_png16

PROTOCOL = Path(__file__).with_name("reconstruction_readers.json")
DEGRADED = {"CT": ("ct_dose", 0.25), "MR": ("mr_undersample", 6.0), "US": ("us_snr", -6.0)}
PAPER = ("tv_recon", "pix2pix", "restormer", "diffusion_unet")


def main() -> None:
    """Write the images of every method, build the study and freeze it."""
    source, study = Path(sys.argv[1]), Path(sys.argv[2]).absolute()
    modality = sys.argv[3] if len(sys.argv) > 3 else "CT"
    images, key = study.with_name(f"{study.name}-images"), study.with_name(f"{study.name}.key.json")
    paths = sorted(path for path in source.iterdir() if path.is_file())
    for seed, path in enumerate(paths):
        clean = load(path)
        if clean.modality not in DEGRADED:
            clean = replace(clean, modality=Modality(modality))
        degraded = degrade_image(clean, *DEGRADED[clean.modality], seed=seed)
        for method in (method.key for method in METHODS if method.key in PAPER):
            (images / method).mkdir(parents=True, exist_ok=True)
            restored = enhance(degraded, method, seed=seed)
            save_png16(images / method / f"{path.stem}.png", restored.pixels)

    def run(*words: str | Path) -> None:
        environment = {**os.environ, "READINGROOM_STUDY_KEY": str(key)}
        subprocess.run([sys.executable, "-m", "study", *words], env=environment, check=True)

    training = [f"--training={path.stem}" for path in paths[-2:]]
    run("init", study, "--protocol", PROTOCOL)
    run("build", study, "--folders", images, "--separator", "_", "--accept-differences",
        "--attest-deidentified", *training)  # fmt: skip
    run("freeze", study)
    print(f"Next: python -m study open {study}, then invite and serve.", flush=True)


if __name__ == "__main__":
    main()
