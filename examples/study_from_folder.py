"""From two folders of images to a frozen, blinded reader study.

    python -m examples.study_from_folder [STUDY]

Six synthetic images and their enhanced versions are written, one folder per method, and a study
for two readers is made of them. STUDY is its folder; the other files are written next to it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from enhancers.compare import enhance
from enhancers.degrade import degrade
from enhancers.image import from_array
from enhancers.phantoms import phantom
from enhancers.save import save_png16
from study.domain.protocol import Protocol

PROTOCOL = Protocol(
    title="Which image do you prefer?", readers=2, training=1, dummies=1, repeats=2, nulls=1
)


def write_images(folder: Path) -> None:
    """Write the images; files of the same name show the same case."""
    for case in range(6):
        clean = phantom("cardiac_mr", seed=case)
        noisy = from_array(degrade(clean.pixels, "rician", 0.05, seed=case), clean.modality)
        enhanced = enhance(noisy, "nlm", params={"sigma": 0.05}, seed=case)
        for method, pixels in (("original", noisy.pixels), ("nlm", enhanced.pixels)):
            (folder / method).mkdir(parents=True, exist_ok=True)
            save_png16(folder / method / f"case{case}.png", pixels)


def main() -> None:
    """Write images and protocol, build the study and freeze it."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "study1").absolute()
    images, protocol = folder.with_name("images"), folder.with_name("protocol.json")
    key = folder.with_name(f"{folder.name}.key.json")

    def study(*words: str | Path) -> None:
        environment = {**os.environ, "READINGROOM_STUDY_KEY": str(key)}
        subprocess.run([sys.executable, "-m", "study", *words], env=environment, check=True)

    write_images(images)
    protocol.write_text(PROTOCOL.to_json(), encoding="utf-8")
    study("init", folder, "--protocol", protocol)
    study("build", folder, "--folders", images, "--training", "case0", "--attest-deidentified")
    study("freeze", folder)
    print(f"Next: python -m study open {folder}, then invite and serve.", flush=True)


if __name__ == "__main__":
    main()
