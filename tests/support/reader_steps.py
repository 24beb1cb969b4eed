"""A reader who takes the steps by calling them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from study.domain.answers import Answer
from study.domain.questions import PAIR
from study.domain.screens import PATCHES, Display, ScreenKind
from study.reading import presentation, reader_state, steps
from study.reading.ratings import Submission

FINE = Display(
    seen=(True,) * PATCHES, ends_seen=True, dim_room=True, width=1280, height=720,
    screen_width=1280, screen_height=720, colour_depth=24, ratio=1.0, carry_on=False,
)  # fmt: skip


def with_(display, **changes):
    from dataclasses import replace

    return replace(display, **changes)


class Seat:
    """A reader who takes the steps by calling them."""

    def __init__(self, small, code="R01"):
        self.small = small
        self.store = small.store
        self.id = small.reader(code)
        self.keys = 0

    @property
    def screen(self):
        return reader_state.state(self.store, self.id)

    @property
    def kind(self):
        return self.screen.kind

    def sit_down(self, *, until=ScreenKind.PAIR):
        """All steps up to a screen."""
        while (screen := self.screen).kind is not until:
            if screen.kind is ScreenKind.CONSENT:
                steps.accept(self.store, self.id, screen.body.digest)
            elif screen.kind is ScreenKind.PROFILE:
                steps.save_profile(
                    self.store, self.id, specialty="radiology", experience_years=9,
                    frequency="daily",
                )  # fmt: skip
            elif screen.kind is ScreenKind.DISPLAY:
                steps.save_display(self.store, self.id, FINE)
            elif screen.kind is ScreenKind.READY:
                steps.start(self.store, self.id)
            elif screen.kind is ScreenKind.PAIR:
                self.answer()
            else:
                raise AssertionError(f"{until} was not reached, but {screen.kind}")
        return self

    def answer(self, value=3, reason=None, shown=None):
        self.keys += 1
        shown = shown or presentation.show(self.store, self.id)
        protocol = self.store.protocol()
        answers = tuple(
            Answer(question.code, slot, 0 if slot == PAIR else value)
            for question in protocol.questions
            for slot in protocol.slots(question)
        )
        given = Submission(shown.token, answers, f"{self.id} {self.keys}", reason=reason)
        return presentation.submit(self.store, self.id, given)


def count(seat, table):
    with seat.store.read() as db:
        return db.scalar(select(func.count()).select_from(table))


def later(seat, **passed):
    """The reader's screen after some time."""
    return reader_state.state(seat.store, seat.id, at=datetime.now(UTC) + timedelta(**passed))
