"""A clock that a test moves by hand."""

from datetime import UTC, datetime, timedelta


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, start: datetime = datetime(2027, 1, 11, 9, 0, tzinfo=UTC)) -> None:
        self.now = start

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def forward(self, step: timedelta) -> None:
        """Let time pass."""
        self.now += step
