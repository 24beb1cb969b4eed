"""Texts and small pieces of HTML of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from enhancers.degrade.kinds import Degradation
from enhancers.image import MedicalImage
from enhancers.job_queue import about, seconds_text
from enhancers.method_interface import UNCHANGED
from enhancers.settings import Settings
from enhancers.ui.html import fill, piece
from enhancers.ui.run import MethodRun, Run
from enhancers.ui.session import Session
from enhancers.ui.slices_job import is_of_dicom

OPEN_FIRST = "Open an image to begin."
ESTIMATING = "Estimating the time …"
HOW_TO = (
    "Open an image, select methods, press Run (Ctrl+Enter). In the grid: drag to set the window, "
    "scroll to zoom, hold I to see the input."
)

KEPT_MINUTES = 10
"""Minutes for which a page that was left finds its image and results again."""

NETWORK_CHANGE = "network_rms"
"""Name of the figure that says how much of a hybrid's result is its network's."""
MAX_QUEUE_DOTS = 12
"""Runs ahead that are drawn as dots; the number next to them counts all."""

_MODALITY_ORIGINS = {
    "file": "read from the file",
    "guessed": "guessed: please check",
    "user": "chosen by you",
}


@dataclass(frozen=True)
class Notice:
    """A message at the top of the page."""

    level: Literal["error", "warning", "info"]
    sentences: tuple[str, ...]


def notice_html(notice: Notice | None) -> str:
    """The notice; empty for None."""
    if notice is None or not notice.sentences:
        return ""
    return piece("notice", notice.level, notice.sentences)


def header_html(device: str, priors: Sequence[tuple[str, bool]], other_networks: int = 0) -> str:
    """Name, purpose, device, embedded networks and disclaimer.

    Parameters
    ----------
    device : str
        Its description; empty while it is not known yet.
    priors : sequence of (name, present)
        The embedded ones.
    other_networks : int
        Number of other networks on this machine.
    """
    badges = [{"name": "Device", "value": device or "…", "state": "ok" if device else ""}]
    for name, present in priors:
        value, state = ("present", "ok") if present else ("missing", "missing")
        badges.append({"name": f"{name.capitalize()} network", "value": value, "state": state})
    if other_networks:
        badges.append({"name": "Further networks", "value": str(other_networks), "state": "ok"})
    return fill("header.html", badges=badges)


def upload_remark(*, on_a_space: bool) -> str:
    """The formats that are read, and where an image goes that is opened."""
    where = (
        "This page runs on Hugging Face: what you open is uploaded there. Do not open patient data."
        if on_a_space
        else "Images stay on the machine that runs this page."
    )
    return f"DICOM and its series, NIfTI, TIFF, PNG and more. {where}"


def keeping_remark(settings: Settings) -> str:
    """How long uploads and results are kept, and where."""
    results = (
        f"Results are kept on its disk, in {short_path(settings.cache_dir / 'results')}, up to "
        f"{settings.cache_gb:g} GB."
        if settings.cache_bytes
        else "Results are kept in memory only."
    )
    return (
        "An uploaded file is removed from the disk of the server as soon as it is opened. The "
        "files of a series stay there, without their names, until something else is opened. "
        f"{results} A page that is reloaded shows its image and results again for "
        f"{KEPT_MINUTES} minutes; then they are forgotten."
    )


def short_path(path: Path) -> str:
    """A path with ~ for the home folder."""
    home = Path.home()
    return f"~/{path.relative_to(home).as_posix()}" if path.is_relative_to(home) else str(path)


def facts_html(session: Session) -> str:
    """The image's name, format, size, bit depth, pixel spacing and window."""
    image = session.image
    if image is None:
        return piece("no_image")
    height, width = image.shape
    facts = [image.format, f"{width} × {height}", "colour" if image.is_colour else "gray"]
    facts.append("float" if image.bits == 32 else f"{image.bits} bit")
    if image.spacing:
        facts.append(f"{image.spacing[0]:.3g} × {image.spacing[1]:.3g} mm")
    elif image.aspect:
        facts.append(f"pixels {image.aspect[0] / image.aspect[1]:.3g} times as high as wide")
    facts += place_words(image, session.opened.slice_name if session.opened else "slice")
    facts.append(f"window {image.window.low:g} to {image.window.high:g} {image.units}")
    if image.measured is not None and image.measured.spectrum is not None:
        facts.append(f"{100 * image.measured.spectrum.share:.3g} % of k-space sampled")
    if image.measured is not None and image.measured.coils is not None:
        coils = image.measured.coils
        share = 100 * coils.sampled.mean()
        facts.append(f"{share:.3g} % of k-space sampled by {len(coils.samples)} coils")
    if image.measured is not None and image.measured.projections is not None:
        facts.append(f"{image.measured.projections.beam.views} projections")
    if session.known is not None:
        facts.append(f"{100 * (1 - session.known.mean()):.3g} % of the pixels missing")
    facts += [f"degraded: {value}" for name, value in image.tags if name == "degraded"]
    return piece("facts", session.name, " · ".join(facts))


def place_words(image: MedicalImage, name: str = "slice") -> list[str]:
    """The plane and slice of a volume, and its time, counted from 1."""
    words = []
    if image.slice_count > 1:
        words.append(
            f"{image.shown_plane} {name} {image.slice_index + 1} of {image.slice_count}".strip()
        )
    if image.time_count > 1:
        words.append(f"time {image.time_index + 1} of {image.time_count}")
    return words


def degrade_info(kind: Degradation) -> str:
    """What the level of a degradation is, and which it can have."""
    if kind.choices:
        return f"{kind.level}: one of {', '.join(f'{choice:g}' for choice in kind.choices)}"
    return f"{kind.level}: {kind.low:g} to {kind.high:g}"


def modality_info(image: MedicalImage | None) -> str:
    """Where the modality comes from."""
    return _MODALITY_ORIGINS[image.modality_origin] if image else "from the file or guessed"


def measured_text(seconds: float) -> str:
    """A measured duration: two significant digits below 10 s."""
    return f"{seconds:.2g} s" if seconds < 9.95 else seconds_text(seconds)


def number_text(value: float) -> str:
    """A number with four significant digits; without an exponent where it is large."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def short_label(label: str) -> str:
    """A method's label without its part in brackets."""
    return label.partition(" (")[0]


def method_caption(method: MethodRun) -> str:
    """State and progress of a method in a few words."""
    if method.state == "running":
        left = method.seconds_left
        note = method.note or "starting"
        return note if left is None else f"{note} · {seconds_text(left)} left"
    if method.state == "done":
        if method.outcome is not None and UNCHANGED in method.outcome.result.notes:
            return "unchanged"
        return "cached" if method.cached else measured_text(method.seconds)
    return method.state


def method_state(method: MethodRun) -> str:
    """`method_caption`, and how far a finished hybrid is from its classical pipeline."""
    figures = method.outcome.result.figures if method.outcome else ()
    change = next((one for one in figures if one.name == NETWORK_CHANGE), None)
    caption = method_caption(method)
    if change is None:
        return caption
    return f"{caption} · network changed {change.value:.2g} {change.unit}"


def figures_text(method: MethodRun) -> str:
    """The figures a method reports about its run."""
    if method.outcome is None:
        return ""
    return " · ".join(
        f"{figure.label} {figure.value:.3g}{' ' + figure.unit if figure.unit else ''}"
        for figure in method.outcome.result.figures
    )


def progress_html(session: Session, base: str) -> str:
    """A row per method: name, bar, state, figures and the link to its 16-bit PNG.

    Parameters
    ----------
    session : Session
    base : str
        Address of the downloads, ending in a slash.
    """
    run = session.run
    if run is None:
        return remark_html(HOW_TO)
    return fill(
        "progress.html",
        methods=run.methods,
        summary=_summary(run),
        wait=run.wait,
        dots=min(run.wait.ahead, MAX_QUEUE_DOTS) if run.wait else 0,
        complete=bool(run.done) and not run.active,
        formats=_formats(run), keeping=_KEEPING,
        base=f"{base}{session.token}/",
        about=about, short_label=short_label, caption=method_state, details=_details,
    )  # fmt: skip


_FORMATS = (
    ("tif", "TIFF", "32-bit float TIFF in source units"),
    ("nii.gz", "NIfTI", "NIfTI, 32-bit float in source units, with the affine of the source"),
    ("nrrd", "NRRD", "NRRD, 32-bit float in source units"),
    ("mha", "MHA", "MetaImage, 32-bit float in source units"),
)
_KEEPING = "DICOM with patient"
_DICOM = (
    ("dcm", "DICOM", "Derived DICOM object; only technical elements of the source are kept"),
    ("dcm", _KEEPING, "Derived DICOM object that keeps name, identifier and study of the patient"),
)


def _formats(run: Run) -> tuple[tuple[str, str, str], ...]:
    """Ending, name and description of the formats for a result."""
    return (*_FORMATS, *_DICOM) if is_of_dicom(run.image) else _FORMATS


def waiting_text(session: Session) -> str:
    """The line above Run during a run."""
    wait = session.run.wait if session.run else None
    return f"Waiting for {wait.where}." if wait else "Running."


def _summary(run: Run) -> str:
    """How far a run is, or how it ended: "3 finished, 1 failed"."""
    if run.active:
        return f"{len(run.done)} of {len(run.methods)} finished"
    words = {"done": "finished", "failed": "failed", "stopped": "stopped"}
    counts = {word: sum(one.state == state for one in run.methods) for state, word in words.items()}
    return ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _details(method: MethodRun) -> str:
    """Figures and notes of a finished method."""
    notes = method.outcome.result.notes if method.outcome else ()
    figures = figures_text(method)
    return " ".join((*([f"{figures}."] if figures else []), *notes))


def estimate_html(text: str, level: str = "") -> str:
    """The line above Run, empty without a text; ``level`` "problem" highlights it."""
    return piece("estimate", text, level) if text else ""


def remark_html(text: str) -> str:
    """A subdued line of text."""
    return piece("remark", text)


def estimate_text(methods: int, seconds: float, *, unknown: bool = False) -> str:
    """The number of methods and the expected time.

    Parameters
    ----------
    methods : int
    seconds : float
        Of all whose time is known.
    unknown : bool
        Whether the time of one is not known.
    """
    count = f"{methods} method{'' if methods == 1 else 's'}"
    return f"{count} · {'time not known yet' if unknown else about(seconds)}"


def large_text(shape: tuple[int, int], seconds: Mapping[str, float]) -> str:
    """The warning for a large image, with the seconds by label of each diffusion method."""
    times = ", ".join(f"{label} about {seconds_text(value)}" for label, value in seconds.items())
    time = times or "the time is not known"
    return f"{shape[1]} × {shape[0]} pixels is large for diffusion methods: {time}."
