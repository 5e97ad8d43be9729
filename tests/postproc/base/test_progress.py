"""How far a computation is: what is said of it, when, and to whom. The clock is turned by hand."""

import io

import pytest

from postproc.base import progress
from postproc.base.progress import Progress, Stage, said
from postproc.base.runtime import run, using
from tests.support.each import each


class Clock:
    """Seconds that pass when somebody says so."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


class Terminal(io.StringIO):
    """A text stream that says that somebody is watching."""

    def isatty(self):
        return True


@each(
    ("seconds", "words"),
    [
        (0, "1 s"),
        (1.4, "1 s"),
        (59.4, "59 s"),
        (60, "1.0 min"),
        (150, "2.5 min"),
        (1200, "20 min"),
        (9000, "2.5 h"),
    ],
)
def test_durations_in_words(seconds, words):
    assert said(seconds) == words


def test_two_seconds_pass_in_silence(clock):
    watcher = Progress(clock=clock)
    with watcher.task("sorting", 4) as step_on:
        step_on()
        clock.wait(1.9)
        assert watcher.text() == ""
        clock.wait(0.1)
        assert watcher.text() == "sorting  25 % [#####...............], 2 s, about 6 s left"  # 2 s each, 3 to go


def test_what_cannot_be_told_is_not_said(clock):
    watcher = Progress(clock=clock)
    with watcher.task("factors", 1):
        clock.wait(5)
        assert watcher.text() == "factors   0 % [....................], 5 s"
    assert watcher.text() == ""


def test_short_tasks_one_after_the_other_are_no_secret(clock):
    watcher = Progress(clock=clock)
    for _ in range(5):
        with watcher.task("answer", 2) as step_on:
            step_on()
            clock.wait(0.8)
            text = watcher.text()
    assert text.startswith("answer  50 %")


def test_time_left_is_that_of_the_whole_run(clock):
    """The first stage took twice what was said, so the others may: (20 + 5) / (10 + 5) of what is said of them."""
    watcher = Progress([Stage("read", 10), Stage("rerank", 30), Stage("write", 6)], clock=clock)
    watcher._since = clock()
    clock.wait(20)
    watcher.next_stage()
    clock.wait(5)
    left = 25 / 15 * 30 - 5 + 25 / 15 * 6
    assert watcher.text() == f"rerank, 5 s, about {said(left)} left of the run"
    with watcher.task("neighbours", 10) as step_on:
        step_on()
        clock.wait(10)  # nine more of ten seconds: 90 are left here
        assert watcher.text().endswith(f"about {said(90 + 25 / 15 * 6)} left of the run")


def test_a_stage_of_unknown_time_has_only_its_own(clock):
    watcher = Progress([Stage("read", 10), Stage("mine", None)], clock=clock)
    watcher._since = clock()
    clock.wait(10)
    assert watcher.text() == "read, 10 s"
    watcher.next_stage()
    with watcher.task("pairs", 2) as step_on:
        step_on()
        clock.wait(7)
        assert watcher.text() == "mine: pairs  50 % [##########..........], 7 s, about 7 s left"


def test_on_a_terminal_one_line_is_written_over(monkeypatch, clock):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    watcher = Progress(clock=clock)
    with watcher.task("sorting", 2) as step_on:
        clock.wait(3)
        watcher._say()
        step_on()
        watcher._say()
    first, second, cleared = terminal.getvalue().split("\r")[1:4]
    assert first.startswith("sorting   0 %")
    assert second.startswith("sorting  50 %")
    assert cleared.strip() == ""
    assert len(cleared) >= len(second)
    assert "\n" not in terminal.getvalue()


def test_a_log_gets_a_line_now_and_then(monkeypatch, clock):
    log = io.StringIO()
    monkeypatch.setattr("sys.stderr", log)
    watcher = Progress(clock=clock)
    with watcher.task("sorting", 2):
        for _ in range(70):
            clock.wait(1)
            watcher._say()
    assert [line.split(",")[1] for line in log.getvalue().splitlines()] == [" 30 s", " 1.0 min"]
    assert "\r" not in log.getvalue()


def test_nobody_listens(monkeypatch, clock):
    closed = io.StringIO()
    closed.close()
    for stream in (None, closed):
        monkeypatch.setattr("sys.stderr", stream)
        watcher = Progress(clock=clock)
        with watcher.task("sorting", 2):
            clock.wait(40)
            watcher._say()


def test_somebody_looks_on_while_it_runs(monkeypatch):
    terminal, there = Terminal(), []
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr(progress, "QUICK", 0.0)
    monkeypatch.setattr(progress, "GLANCE", 0.001)

    def wait(task):
        while not terminal.getvalue():
            pass
        there.append(terminal.getvalue())

    with using(threads=1, progress=True):
        run(wait, range(1), what="waiting")
    assert there[0].startswith("\rwaiting   0 %")
    assert terminal.getvalue().endswith("\r")
