"""How the story is shown: a live table on a terminal, plain lines elsewhere."""

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.demo.steps import Step
from deploy.demo.watch import Mail, Passed

EVENTS_SHOWN, MAILS_SHOWN = 10, 8
CLOCK_WIDTH = len("12:00:00")


class Show:
    """What a person sees of the story, on stderr."""

    def __init__(self, console: Console) -> None:
        """Show on `console`; with a live table where it is a terminal."""
        self.console = console
        self._steps: list[Step] = []
        self._events: deque[Passed] = deque(maxlen=EVENTS_SHOWN)
        self._mails: deque[Mail] = deque(maxlen=MAILS_SHOWN)
        self._passed = self._sent = 0
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=8, transient=True)

    def __enter__(self) -> Self:
        """Begin."""
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End; the table goes, the lines stay."""
        self._live.stop()

    def on_event(self, event: Passed) -> None:
        """Show an event as it passes."""
        self._passed += 1
        self._events.append(event)
        self._plain(f"event  {_clock(event.at)}  {event.topic:24} {event.type:24} {event.subject}")

    def on_mail(self, mail: Mail) -> None:
        """Show a mail as it leaves."""
        self._sent += 1
        self._mails.append(mail)
        self._plain(f"mail   {_clock(mail.sent_at)}  {mail.to}: {mail.subject}")

    def on_step(self, step: Step) -> None:
        """Show a step that begins, or what became of it."""
        if not step.done:
            self._steps.append(step)
            self._plain(f"step   {step.title}")
        else:
            self.line(_outcome(step))
            for check in step.checks:
                if not check.holds:
                    self.line(f"       not so: {check.what}")
            if step.failure:
                self.line(f"       {step.failure}")

    def close(self) -> None:
        """Show the whole story in one table: what each step did, and how much of its effect was found."""
        table = Table(title="The story", title_justify="left")
        for head in ("step", "counts", "effects"):
            table.add_column(head, overflow="fold")
        for step in self._steps:
            found = f"{sum(check.holds for check in step.checks)} of {len(step.checks)}"
            table.add_row(Text(step.title), Text(_counts(step)), Text(found if step.holds else f"{found}: FAILED"))
        self.console.print(table)

    def line(self, text: str) -> None:
        """Write a line that stays."""
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _plain(self, text: str) -> None:
        if not self.console.is_terminal:
            self.line(text)

    def _table(self) -> Group:
        now = next((step.title for step in reversed(self._steps) if not step.done), "")
        return Group(
            f"{now}…" if now else "",
            _grid(
                f"Events ({self._passed})",
                ("at", "topic", "type", "about"),
                [(_clock(each.at), each.topic, each.type, each.subject[-12:]) for each in self._events],
            ),
            _grid(
                f"Mails ({self._sent})",
                ("at", "to", "subject"),
                [(_clock(each.sent_at), each.to, each.subject) for each in self._mails],
            ),
        )


def _grid(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left", expand=True)
    for head in heads:
        table.add_column(head, no_wrap=True, overflow="ellipsis", min_width=CLOCK_WIDTH)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _outcome(step: Step) -> str:
    good = sum(check.holds for check in step.checks)
    verdict = "ok    " if step.holds else "FAILED"
    return f"{verdict} {step.title}: {_counts(step)}; {good} of {len(step.checks)} effects found"


def _counts(step: Step) -> str:
    return ", ".join(f"{number} {name}" for name, number in step.counts.items()) or "-"


def _clock(at: datetime | None) -> str:
    return f"{at.astimezone():%H:%M:%S}" if at else "--:--:--"
