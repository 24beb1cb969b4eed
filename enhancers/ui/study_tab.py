"""The Study tab: links to the pages of readers and coordinators, and to the demo."""

from __future__ import annotations

from dataclasses import dataclass

from enhancers.ui.html import fill


@dataclass(frozen=True)
class StudyLinks:
    """Addresses of the study's pages as the browser sees them; None where they are not served.

    Parameters
    ----------
    reader, coordinator, demo : str, optional
        Relative to the root of the app, such as "reader/".
    """

    reader: str | None = None
    coordinator: str | None = None
    demo: str | None = None


def study_tab_html(links: StudyLinks) -> str:
    """The content of the tab."""
    return fill("study.html", links=links)
