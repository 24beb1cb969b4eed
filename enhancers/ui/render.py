"""The page's texts and small pieces of HTML; every value that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

from enhancers.image import MedicalImage
from enhancers.job_queue import QueueStatus, about, seconds_text
from enhancers.ui.session import Session, Slot

PURPOSE = "Compare enhancement methods on your own images."
NOT_FOR_DIAGNOSIS = "Not a medical device. Not for diagnosis."

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
    role = "alert" if notice.level == "error" else "status"
    lines = "".join(f"<p>{escape(sentence)}</p>" for sentence in notice.sentences)
    return f'<div class="notice {notice.level}" role="{role}">{lines}</div>'


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
    badges = [_badge("Device", device or "…", "ok" if device else "")]
    for name, present in priors:
        state = "present" if present else "missing"
        badges.append(_badge(f"{name.capitalize()} prior", state, "ok" if present else "missing"))
    if further:
        badges.append(_badge("Further networks", str(further), "ok"))
    return (
        '<div class="masthead">'
        f'<h1>Reading Room</h1><p class="purpose">{escape(PURPOSE)}</p>'
        f'<div class="badges">{"".join(badges)}</div>'
        f'<p class="disclaimer">{escape(NOT_FOR_DIAGNOSIS)}</p>'
        '<button type="button" class="theme-toggle" data-theme-toggle '
        'aria-label="Switch between dark and light">◐</button>'
        "</div>"
    )


def _badge(name: str, value: str, state: str) -> str:
    return (
        f'<span class="badge {state}"><span class="badge-name">{escape(name)}</span>'
        f"{escape(value)}</span>"
    )


def facts_html(session: Session) -> str:
    """One line on the image: name, format, size, bits, spacing, window."""
    image = session.image
    if image is None:
        return '<p class="facts empty">No image yet: drop a file above or choose a sample.</p>'
    height, width = image.shape
    facts = [image.format, f"{width} × {height}", "colour" if image.is_colour else "gray"]
    facts.append("float" if image.bits == 32 else f"{image.bits} bit")
    if image.spacing:
        facts.append(f"{image.spacing[0]:.3g} × {image.spacing[1]:.3g} mm")
    facts.append(f"window {image.window.low:g} to {image.window.high:g} {image.units}")
    line = " · ".join(escape(fact) for fact in facts)
    return f'<p class="facts"><strong>{escape(session.name)}</strong><br>{line}</p>'


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
    """A row a method: name, bar, state, figures and the link to its 16-bit PNG.

    Parameters
    ----------
    base : str
        Address of the downloads, ending in a slash.
    """
    run = session.run
    if run is None:
        return remark_html(HOW_TO)
    rows = "".join(_progress_row(slot, f"{base}{session.token}/") for slot in run.slots)
    finished = len(run.done)
    total = len(run.slots)
    summary = f"{finished} of {total} finished" if run.active else _ended(run.slots)
    bundle = ""
    if finished and not run.active:
        bundle = (
            f'<a class="download all" href="{base}{session.token}/bundle.zip" download>'
            "Download all (zip)</a>"
        )
    line = _line(run.wait) if run.wait else ""
    return (
        f'<div class="runs"><div class="runs-head"><span role="status">{summary}</span>'
        f"{line}{bundle}</div><ul>{rows}</ul></div>"
    )


def waiting_text(session: Session) -> str:
    """The line above Run while a run waits."""
    wait = session.run.wait if session.run else None
    return f"Waiting for {wait.where}." if wait else RUNNING


def _line(wait: QueueStatus) -> str:
    """The place in line: a dot for each run ahead, the number, and the time until the turn."""
    dots = "<i></i>" * min(wait.ahead, MOST_DOTS)
    place = f"{wait.ahead} run{'' if wait.ahead == 1 else 's'} ahead of yours"
    time = "" if wait.seconds is None else f"begins in {about(wait.seconds)}"
    return (
        f'<span class="in-line" data-ahead="{wait.ahead}">'
        f'<span class="line-dots" aria-hidden="true">{dots}<b></b></span>'
        f'<span role="status">{place}</span>'
        f'<span class="line-time">{time}</span></span>'
    )


def _ended(slots: Sequence[Slot]) -> str:
    counts = {
        state: sum(slot.state == state for slot in slots) for state in ("done", "failed", "stopped")
    }
    words = {"done": "finished", "failed": "failed", "stopped": "stopped"}
    return ", ".join(f"{count} {words[state]}" for state, count in counts.items() if count)


def _progress_row(slot: Slot, base: str) -> str:
    percent = round(100 * slot.fraction)
    detail = escape(slot.error or slot_caption(slot))
    figures = figures_text(slot)
    notes = " ".join(slot.outcome.result.notes) if slot.outcome else ""
    hint = escape(" ".join(filter(None, (figures, notes))))
    link = ""
    if slot.outcome is not None:
        link = (
            f'<a class="download" href="{base}{slot.key}.png" download '
            f'aria-label="Download {escape(slot.label)} as 16-bit PNG" title="16-bit PNG">PNG</a>'
        )
    return (
        f'<li class="{slot.state}" data-method="{slot.key}" title="{hint}">'
        f'<span class="run-name">{escape(short(slot.label))}</span>'
        f'<span class="run-bar" role="progressbar" aria-valuenow="{percent}" aria-valuemin="0" '
        f'aria-valuemax="100" aria-label="{escape(slot.label)}">'
        f'<i style="width:{percent}%"></i></span>'
        f'<span class="run-state">{detail}</span>{link}</li>'
    )


def estimate_html(text: str, level: str = "") -> str:
    """The line above Run; ``level`` "problem" makes it stand out."""
    return f'<p class="estimate {level}" role="status">{escape(text)}</p>'


def remark_html(text: str) -> str:
    """A quiet line above a picture."""
    return f'<p class="remark">{escape(text)}</p>'


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
