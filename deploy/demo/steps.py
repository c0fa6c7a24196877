"""A step of the story: what was done, what was counted, and which effects were looked for and found."""

from dataclasses import dataclass, field


class StepFailed(Exception):  # noqa: N818 - what happened to the step
    """The story cannot go on from here; the text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One effect that a step must have."""

    what: str
    holds: bool


@dataclass(slots=True)
class Step:
    """One step as it is being told."""

    title: str
    counts: dict[str, int] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    failure: str | None = None
    done: bool = False

    @property
    def holds(self) -> bool:
        """Tell whether it was done and all its effects are there."""
        return self.done and self.failure is None and all(check.holds for check in self.checks)

    def check(self, what: str, holds: object) -> None:
        """Note whether an effect is there."""
        self.checks.append(Check(what, bool(holds)))
