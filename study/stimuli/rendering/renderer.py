"""Rendering of stimuli, and the digest of all their inputs."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np

from enhancers import __version__
from enhancers.compare import Request, compare
from enhancers.compare.runs import prior_facts
from enhancers.degrade import KINDS, degrade_image
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image import MedicalImage, Pixels
from enhancers.method import Method, Modality, nearest
from enhancers.registry import get, methods, resolve
from enhancers.source_digest import method_digest
from study.domain.composed import composed
from study.domain.disguised_names import normalised
from study.domain.errors import BuildError
from study.domain.recipes import MASK, UNPROCESSED, ImageSource, SourceMethod
from study.domain.terms import MethodKind
from study.stimuli.rendering.case_images import CaseImages
from study.storage.key import KeyMethod

FILTER, NETWORK = "filter", "neural network"
"""The other default groups of the blinding question."""


@dataclass(frozen=True)
class Renderer:
    """Renders stimuli with the seed and device of the methods and the master seed."""

    seed: int
    device: str
    master: bytes

    def make(
        self, inputs: CaseImages, method: SourceMethod, progress: Callable[[float], None]
    ) -> Pixels:
        """The image of a method for a case, in [0, 1] of the window of the case.

        A method gets every slice of a stack by itself, as `enhancers run --all-slices` gives them.

        Returns
        -------
        ndarray, float32, shape (S, H, W) or (S, H, W, 3)
            S is 1 unless the case is a stack.

        Raises
        ------
        BuildError
            The method refuses the image or fails.
        """
        images = inputs.slices(method)

        def part(done: int) -> Callable[[float], None]:
            return lambda fraction: progress((done + fraction) / len(images))

        try:
            made = [
                self._slice(inputs, method, image, part(done)) for done, image in enumerate(images)
            ]
        except ReadingRoomError as error:
            raise BuildError(f"Case {inputs.case.name}, {method.name}: {error}") from None
        return np.stack(made)

    def _slice(
        self,
        inputs: CaseImages,
        method: SourceMethod,
        image: MedicalImage,
        progress: Callable[[float], None],
    ) -> Pixels:
        match method.source:
            case ImageSource.FILE | ImageSource.INPUT:
                return image.pixels
            case ImageSource.DEGRADE:
                seed = self._noise_seed(inputs, method, image)
                level = float(dict(method.values)["level"])
                return degrade_image(image, method.recipe, level, seed=seed).pixels
            case ImageSource.ENHANCE:
                return self._enhanced(image, method, progress)

    def digest(self, inputs: CaseImages, method: SourceMethod) -> str:
        """SHA-256 of all inputs of a stimulus: file, window, recipe, network, seeds and code."""
        images = inputs.slices(method)
        image = images[0]
        params: Mapping[str, object] = dict(method.values)
        seed, code = 0, ""
        if method.source is ImageSource.ENHANCE:
            complete = resolve(method.recipe, image.modality, dict(method.values))
            params, seed = complete, self.seed
            # Images from before and after an upgrade must not be mixed, nor those of two networks
            # that had the same name.
            code = method_digest(method.recipe)
            network = prior_facts(get(method.recipe), complete)
            code += f" {network.sha256}" if network else ""
        elif method.source is ImageSource.DEGRADE:
            seed = self._noise_seed(inputs, method, image)
        facts = [__version__, image.digest, image.slice_index, image.window.low, image.window.high,
                 inputs.level_facts(), str(method.source), method.recipe, params, seed,
                 code]  # fmt: skip
        facts += [[one.digest, one.slice_index] for one in images[1:]]
        if method in inputs.known:
            facts += [one.measured.digest for one in images if one.measured is not None]
        text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def _enhanced(
        self, image: MedicalImage, method: SourceMethod, progress: Callable[[float], None]
    ) -> Pixels:
        request = Request(method.recipe, dict(method.values))
        with closing(compare(image, [request], seed=self.seed, device=self.device)) as events:
            for event in events:
                progress(event.step.fraction)
                if event.error:
                    raise ReadingRoomError(event.error)
                if event.outcome is not None:
                    return event.outcome.result.pixels
        raise ReadingRoomError("the method ended without a result.")

    def _noise_seed(self, inputs: CaseImages, method: SourceMethod, image: MedicalImage) -> int:
        """A different seed for each case and slice: the same noise in all would be noticed."""
        place = [] if inputs.case.stack is None else [image.slice_index]
        text = json.dumps(["degrade", inputs.case.name, method.name, *place])
        digest = hmac.new(self.master, text.encode(), hashlib.sha256).digest()
        return int.from_bytes(digest[:4], "big")


def key_method(method: SourceMethod, groups: tuple[str, ...], seed: int) -> KeyMethod:
    """The entry of a method in the key file; this validates its recipe before anything runs.

    Parameters
    ----------
    method : SourceMethod
    groups : tuple of str
        The possible answers to the blinding question.
    seed : int

    Raises
    ------
    BuildError
        No such method, degradation, parameter, level or group.
    """
    try:
        known = _known(method)
    except ReadingRoomError as error:
        raise BuildError(f"{method.name}: {error}") from None
    group = next((one for one in groups if composed(one) == composed(method.group)), "")
    if method.group and not group:
        raise BuildError(
            f"{method.name} is in the group {method.group!r}, which is not among the answers to "
            f"the blinding question: {', '.join(groups)}."
        )
    usual = _usual_group(method, known)
    values = method.values
    if method.source is ImageSource.ENHANCE:
        # Reports show the parameters: where the masks are is in the recipe of the key file alone.
        values += ((MASK, PurePath(method.mask).name),) if method.mask else ()
        values += (("seed", str(seed)),)
    return KeyMethod(
        method.name,
        method.kind,
        group or (usual if usual in groups else ""),
        () if known is None else (known.key, *_spellings(known.label)),
        values,
    )


def is_known(method: SourceMethod) -> bool:
    """Whether this version has the method or degradation, and every value of its recipe."""
    try:
        _known(method)
    except ReadingRoomError:
        return False
    return True


def _known(method: SourceMethod) -> Method | None:
    """The registered method, also where ready-made images have its name."""
    if method.source is ImageSource.ENHANCE:
        known = get(method.recipe)
        params = resolve(known.key, Modality.OTHER, dict(method.values))
        if method.mask and params.get("task") != "inpaint":
            raise ParameterError(
                f"{method.name} has a mask, which is for null_space:task=inpaint; leave it out."
            )
        return known
    if method.source is ImageSource.DEGRADE:
        _check_degradation(method)
        return None
    name = normalised(method.name)
    return next((m for m in methods() if name in (normalised(m.key), normalised(m.label))), None)


def _check_degradation(method: SourceMethod) -> None:
    if method.recipe not in KINDS:
        raise ParameterError(
            f"No degradation {method.recipe}; {nearest(method.recipe, list(KINDS))}."
        )
    if method.recipe == "downsample":
        raise ParameterError("downsample changes the size of the image; use blur.")
    level = dict(method.values)["level"]
    try:
        KINDS[method.recipe].check(float(level))
    except ValueError:
        raise ParameterError(f"The level {level!r} is not a number.") from None


def _usual_group(method: SourceMethod, known: Method | None) -> str:
    if method.source is ImageSource.ENHANCE and known is not None:
        return FILTER if known.family == "classical" else NETWORK
    if method.source is ImageSource.INPUT or method.kind is MethodKind.REFERENCE:
        return UNPROCESSED
    return ""


def _spellings(label: str) -> tuple[str, ...]:
    """A label and its parts, as of "DDNM (null-space diffusion)"."""
    before, bracket, inside = label.partition("(")
    return (label, before.strip(), inside.strip(" )")) if bracket else (label,)
