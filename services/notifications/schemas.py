"""Bodies of answers."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from shared.events.base import Language

NoticeState = Literal["owed", "sent", "merged", "suppressed", "failed", "uncertain"]


class Notice(BaseModel):
    """A line of the ledger: what caused it, by which rule, to whom, and what became of it and why.

    `recipient` is a person's id or `staff:<name>`; `language` and `sent_at` are null until it was sent.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    notice_id: UUID
    event_id: str
    rule: str
    recipient: str
    channel: str
    language: Language | None
    state: NoticeState
    reason: str | None
    workshop_id: UUID | None
    person_id: UUID | None
    created_at: datetime
    sent_at: datetime | None
