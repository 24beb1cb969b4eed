"""The Study tab: where readers and coordinators go in. The study itself is another half."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class StudyLinks:
    """Addresses of the study half as the compare page's browser sees them; None: not served here.

    Parameters
    ----------
    reader, coordinator, demo : str, optional
        Relative to the root of the app, such as "reader/".
    """

    reader: str | None = None
    coordinator: str | None = None
    demo: str | None = None


_START = (
    "To begin one: <code>python -m study init FOLDER --key KEYFILE</code>, then start the app with "
    "<code>READINGROOM_STUDY_DIR=FOLDER</code> and <code>READINGROOM_STUDY_KEY=KEYFILE</code>."
)


def study_tab_html(doors: StudyLinks) -> str:
    """The content of the tab."""
    cards = [
        _door(
            "Try the demo",
            "Read six pairs as a radiologist would, beside simulated co-readers, and see kappa and "
            "the report at the end. Two minutes.",
            doors.demo, "Start the demo study", "The demo is switched off here.",
        ),
        _door(
            "Readers",
            "Open your invitation link, or sign in with your code and secret. You can pause at any "
            "pair and go on later, on any computer.",
            doors.reader, "Sign in to read", "No study is served here.",
        ),
        _door(
            "Coordinators",
            "Plan, build, freeze and open a study, invite readers, watch progress without seeing "
            "methods, and unblind once it is closed.",
            doors.coordinator, "Open the coordinator's pages", "No study is served here.",
        ),
    ]  # fmt: skip
    hint = "" if doors.coordinator else f'<p class="doors-hint">{_START}</p>'
    return (
        '<div class="doors"><p class="doors-lead">A blinded reader study asks which method serves: '
        "readers rate randomised pairs without knowing what made them, every answer is kept in a "
        "database, and the report gives Fleiss' kappa and the statistics of a reader paper.</p>"
        f'<div class="doors-row">{"".join(cards)}</div>{hint}</div>'
    )


def _door(title: str, text: str, address: str | None, label: str, absent: str) -> str:
    way = (
        f'<a class="door-link" href="{escape(address)}">{label}</a>'
        if address
        else f'<span class="door-absent">{absent}</span>'
    )
    return f'<section class="door"><h3>{title}</h3><p>{text}</p>{way}</section>'
