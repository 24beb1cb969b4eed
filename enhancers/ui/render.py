"""The page's texts and small pieces of HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from enhancers.image import MedicalImage
from enhancers.job_queue import about, seconds_text
from enhancers.ui.html import fill, piece
from enhancers.ui.session import Session, Slot

OPEN_FIRST = "Open an image to begin."
RUNNING = "Running."

MOST_DOTS = 12
"""Runs ahead that are drawn; more are only counted."""

HOW_TO = (
    "Open an image, tick methods, press Run (Ctrl+Enter). In the grid: drag to set the window, "
    "wheel to zoom, hold I to see the input everywhere."
)

_STATES = {
    "waiting": "waiting",
    "queued": "in line",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "stopped": "stopped",
}
_ORIGINS = {
    "file": "read from the file",
    "guessed": "guessed from the content; change it if it is wrong",
    "user": "chosen by you",
}


@dataclass(frozen=True)
class Notice:
    """The one place where the page says what went wrong or what to know."""

    level: Literal["error", "warning", "info"]
    sentences: tuple[str, ...]


def notice_html(notice: Notice | None) -> str:
    """The notice, or nothing."""
    if notice is None or not notice.sentences:
        return ""
    return piece("notice", notice.level, notice.sentences)


def header_html(device: str, priors: Sequence[tuple[str, bool]], further: int = 0) -> str:
    """Name, purpose, device, priors and the disclaimer.

    Parameters
    ----------
    device : str
        In words; empty while it is being found out.
    priors : sequence of (name, present)
        Those that come with the program.
    further : int
        How many others are on this machine.
    """
    badges = [{"name": "Device", "value": device or "…", "state": "ok" if device else ""}]
    for name, present in priors:
        value, state = ("present", "ok") if present else ("missing", "missing")
        badges.append({"name": f"{name.capitalize()} prior", "value": value, "state": state})
    if further:
        badges.append({"name": "Further networks", "value": str(further), "state": "ok"})
    return fill("header.html", badges=badges)


def facts_html(session: Session) -> str:
    """One line on the image: name, format, size, bits, spacing, window."""
    image = session.image
    if image is None:
        return piece("no_image")
    height, width = image.shape
    facts = [image.format, f"{width} × {height}", "colour" if image.is_colour else "gray"]
    facts.append("float" if image.bits == 32 else f"{image.bits} bit")
    if image.spacing:
        facts.append(f"{image.spacing[0]:.3g} × {image.spacing[1]:.3g} mm")
    facts.append(f"window {image.window.low:g} to {image.window.high:g} {image.units}")
    return piece("facts", session.name, " · ".join(facts))


def modality_info(image: MedicalImage | None) -> str:
    """Where the modality comes from."""
    return _ORIGINS[image.modality_origin] if image else "read from the file, or guessed"


def measured_text(seconds: float) -> str:
    """A duration that was measured: two digits where it is short."""
    return f"{seconds:.2g} s" if seconds < 9.95 else seconds_text(seconds)


def number_text(value: float) -> str:
    """A number to three or four digits, never with an exponent where it can be read without."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def short(label: str) -> str:
    """A method's label without what is in brackets, where there is little room."""
    return label.partition(" (")[0]


def slot_caption(slot: Slot) -> str:
    """How far a method is, in a few words."""
    if slot.state == "running":
        left = "" if slot.seconds_left is None else f" · {seconds_text(slot.seconds_left)} left"
        return f"{slot.note or 'starting'}{left}"
    if slot.state == "done":
        return "from the cache" if slot.cached else measured_text(slot.seconds)
    return _STATES[slot.state]


def figures_text(slot: Slot) -> str:
    """What the method reports about its run."""
    if slot.outcome is None:
        return ""
    return " · ".join(
        f"{figure.label} {figure.value:.3g}{' ' + figure.unit if figure.unit else ''}"
        for figure in slot.outcome.result.figures
    )


def progress_html(session: Session, base: str) -> str:
    """A row per method: name, bar, state, figures and the link to its 16-bit PNG.

    Parameters
    ----------
    base : str
        Address of the downloads, ending in a slash.
    """
    run = session.run
    if run is None:
        return remark_html(HOW_TO)
    finished = len(run.done)
    return fill(
        "progress.html",
        methods=run.slots,
        summary=f"{finished} of {len(run.slots)} finished" if run.active else _ended(run.slots),
        wait=run.wait,
        dots=min(run.wait.ahead, MOST_DOTS) if run.wait else 0,
        complete=finished and not run.active,
        base=f"{base}{session.token}/",
        about=about, short=short, caption=slot_caption, details=_details,
    )  # fmt: skip


def waiting_text(session: Session) -> str:
    """The line above Run while a run waits."""
    wait = session.run.wait if session.run else None
    return f"Waiting for {wait.where}." if wait else RUNNING


def _ended(slots: Sequence[Slot]) -> str:
    counts = {
        state: sum(slot.state == state for slot in slots) for state in ("done", "failed", "stopped")
    }
    words = {"done": "finished", "failed": "failed", "stopped": "stopped"}
    return ", ".join(f"{count} {words[state]}" for state, count in counts.items() if count)


def _details(slot: Slot) -> str:
    """What the method reports about its run, and its notes."""
    notes = slot.outcome.result.notes if slot.outcome else ()
    return " ".join(filter(None, (figures_text(slot), *notes)))


def estimate_html(text: str, level: str = "") -> str:
    """The line above Run; ``level`` "problem" makes it stand out."""
    return piece("estimate", text, level)


def remark_html(text: str) -> str:
    """A quiet line above a picture."""
    return piece("remark", text)


def estimate_text(methods: int, seconds: float, *, unknown: bool = False) -> str:
    """What will run and for how long; ``seconds`` is that of the diffusion methods.

    ``unknown`` says that the time of one of these is not known.
    """
    count = f"{methods} method{'' if methods == 1 else 's'}"
    if unknown:
        return f"{count} · diffusion: time not known yet"
    return f"{count} · diffusion about {seconds_text(seconds)}" if seconds else f"{count} · seconds"


def large_text(shape: tuple[int, int], seconds: Mapping[str, float]) -> str:
    """The warning above Run for a large image, with the time of each diffusion method."""
    slow = ", ".join(f"{label} {seconds_text(value)}" for label, value in seconds.items())
    time = f"about {slow}" if slow else "the time is not known"
    return f"{shape[1]} × {shape[0]} pixels is large for diffusion: {time}."
