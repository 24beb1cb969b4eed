"""How the image of a method is made, and all that a digest of it has to cover."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass

from enhancers import __version__
from enhancers.compare import Request, compare
from enhancers.degrade import KINDS, degrade_image
from enhancers.errors import ParameterError, ReadingRoomError
from enhancers.image import MedicalImage, Pixels
from enhancers.method import Method, Modality, nearest
from enhancers.registry import METHODS, get, resolve
from enhancers.source_digest import method_digest
from study.domain.disguised_names import normalised
from study.domain.errors import BuildError
from study.domain.protocol import MethodKind
from study.domain.recipes import Making, SourceMethod
from study.stimuli.rendering.case_images import CaseImages
from study.storage.key import KeyMethod

UNPROCESSED, FILTER, NETWORK = "not processed", "filter", "neural network"
"""The usual groups of the blinding question."""


@dataclass(frozen=True)
class Renderer:
    """Makes stimuli: the seed of the methods, their device, and the study's own seed."""

    seed: int
    device: str
    master: bytes

    def make(
        self, shelf: CaseImages, method: SourceMethod, progress: Callable[[float], None]
    ) -> Pixels:
        """The image of a method for a case, in [0, 1] of the window of the case.

        Raises
        ------
        BuildError
            The method refuses the image or fails; the sentence says why.
        """
        image = shelf.image(method)
        try:
            match method.making:
                case Making.FILE | Making.INPUT:
                    return image.pixels
                case Making.DEGRADE:
                    seed = self._noise_seed(shelf, method)
                    level = float(dict(method.values)["level"])
                    return degrade_image(image, method.recipe, level, seed=seed).pixels
                case Making.ENHANCE:
                    return self._enhanced(image, method, progress)
        except ReadingRoomError as error:
            raise BuildError(f"Case {shelf.case.name}, {method.name}: {error}") from None

    def digest(self, shelf: CaseImages, method: SourceMethod) -> str:
        """SHA-256 of all that determines a stimulus: file, window, recipe, seeds, and the code."""
        image = shelf.image(method)
        params: Mapping[str, object] = dict(method.values)
        seed, code = 0, ""
        if method.making is Making.ENHANCE:
            params, seed = resolve(method.recipe, image.modality, dict(method.values)), self.seed
            # What an upgrade changed is not shown beside what was made before it.
            code = method_digest(method.recipe)
        elif method.making is Making.DEGRADE:
            seed = self._noise_seed(shelf, method)
        facts = [__version__, image.digest, image.slice_index, image.window.low, image.window.high,
                 shelf.levels, str(method.making), method.recipe, params, seed,
                 code]  # fmt: skip
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

    def _noise_seed(self, shelf: CaseImages, method: SourceMethod) -> int:
        """A seed of its own for each case: the same noise in all of them would be seen."""
        text = json.dumps(["degrade", shelf.case.name, method.name])
        digest = hmac.new(self.master, text.encode(), hashlib.sha256).digest()
        return int.from_bytes(digest[:4], "big")


def key_method(method: SourceMethod, groups: tuple[str, ...], seed: int) -> KeyMethod:
    """What the key file says of a method; its recipe is checked here, before anything runs.

    Parameters
    ----------
    method : SourceMethod
    groups : tuple of str
        The answers of the study to the blinding question.
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
    if method.group and method.group not in groups:
        raise BuildError(
            f"{method.name} is in the group {method.group!r}, which is not among the answers to "
            f"the blinding question: {', '.join(groups)}."
        )
    usual = _usual_group(method, known)
    values = method.values
    if method.making is Making.ENHANCE:
        values += (("seed", str(seed)),)
    return KeyMethod(
        method.name,
        method.kind,
        method.group or (usual if usual in groups else ""),
        () if known is None else (known.key, *_spellings(known.label)),
        values,
    )


def _known(method: SourceMethod) -> Method | None:
    """The method of the registry that this is, also where ready-made images have its name."""
    if method.making is Making.ENHANCE:
        known = get(method.recipe)
        resolve(known.key, Modality.OTHER, dict(method.values))
        return known
    if method.making is Making.DEGRADE:
        _check_degradation(method)
        return None
    name = normalised(method.name)
    return next((m for m in METHODS if name in (normalised(m.key), normalised(m.label))), None)


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
    if method.making is Making.ENHANCE and known is not None:
        return FILTER if known.family == "classical" else NETWORK
    if method.making is Making.INPUT or method.kind is MethodKind.REFERENCE:
        return UNPROCESSED
    return ""


def _spellings(label: str) -> tuple[str, ...]:
    """A label, and the parts of one such as "DDNM (null-space diffusion)"."""
    before, bracket, inside = label.partition("(")
    return (label, before.strip(), inside.strip(" )")) if bracket else (label,)
