"""Log lines of one kind are limited, whatever they say."""

import logging

import pytest

from enhancers.http_limits.log_lines import LineLimit


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def kept():
    """A logger, what it has written, and the clock of its limit."""
    log = logging.Logger("limited")
    lines, clock = [], Clock()
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    handler.addFilter(LineLimit(3, 60.0, clock))
    log.addHandler(handler)
    return log, lines, clock


def warn(log, text):
    log.warning("from %s", text)


def test_a_flood_leaves_a_few_lines_and_its_number(kept):
    log, lines, clock = kept
    for number in range(1000):
        warn(log, number)
    assert lines == ["from 0", "from 1", "from 2"]
    log.warning("something else")
    assert lines[3:] == ["something else"]
    clock.now = 61.0
    warn(log, "later")
    warn(log, "again")
    assert lines[4:] == ["from later (997 more like it were left out)", "from again"]


def fail(log, kind):
    try:
        raise kind("wrong")
    except Exception as error:
        log.error("event", exc_info=error)


def test_errors_are_of_one_kind_when_they_come_from_one_place(kept):
    log, lines, _ = kept
    for kind in (ValueError, LookupError):
        for _ in range(100):
            fail(log, kind)
    assert len(lines) == 6


def test_kinds_do_not_fill_the_memory(kept):
    log, lines, _ = kept
    for number in range(3000):
        log.handle(logging.makeLogRecord({"name": "x", "lineno": number, "levelno": 30}))
    assert len(lines) == 3000
