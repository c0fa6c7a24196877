"""The promises, held against what is there: nothing lost, nothing twice, everything in its order."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from tests.chaos.ledger import Asked, Ledger
from tests.chaos.seen import Row, Seen

RULES = {
    ("enrolment.created", "confirmed"): "participant.confirmed",
    ("enrolment.created", "waitlisted"): "participant.waiting",
    ("enrolment.confirmed", "confirmed"): "participant.promoted",
    ("enrolment.withdrawn", "withdrawn"): "participant.withdrawn",
}
"""What the holder of an enrolment is told of each of its steps."""
MAILS = {"sent": (1, 1), "uncertain": (1, 2), "suppressed": (0, 0), "owed": (0, 0)}
"""How many mails a notice may have been, by its state."""
FEW = 5


@dataclass
class Findings:
    """What was found wrong, each in a sentence; and how much there was."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)
    events: int = 0
    enrolments: int = 0
    mails: int = 0
    uncertain: int = 0

    @property
    def wrong(self) -> list[str]:
        """Give all of it, of each kind no more than a few."""
        kinds = {"lost": self.lost, "twice": self.twice, "disorder": self.disorder}
        return [
            f"{kind}: {text}"
            for kind, all_of_it in kinds.items()
            for text in [*all_of_it[:FEW], *([f"and {len(all_of_it) - FEW} more"] if len(all_of_it) > FEW else [])]
        ]


def hold(ledger: Ledger, seen: Seen) -> Findings:
    """Hold the ledger against what was seen; counted is what this storm was about."""
    of_this_storm = set(map(str, ledger.workshops))
    notices = [each for each in seen.notices if str(each["workshop_id"]) in of_this_storm]
    mails = Counter(_notice_of(each.message_id) for each in seen.mails)
    return Findings(
        lost=[*_enrolments_lost(ledger, seen), *_messages_lost(seen), *_notices_lost(seen), *_mails_lost(ledger, seen)],
        twice=[*_enrolments_twice(seen), *_steps_twice(seen), *_mails_twice(seen)],
        disorder=[
            *ledger.strange,
            *_out_of_sequence(seen),
            *_oversold(seen),
            *_queue_jumped(seen),
            *_not_as_they_came(ledger, seen),
            *([f"{seen.dead_letters} dead letters"] if seen.dead_letters else []),
        ],
        events=sum(said.data.get("workshop_id") in of_this_storm for said in seen.said),
        enrolments=sum(str(each["workshop_id"]) in of_this_storm for each in seen.enrolments),
        mails=sum(mails[str(each["notice_id"])] for each in notices),
        uncertain=sum(each["state"] == "uncertain" for each in notices),
    )


# Lost


def _enrolments_lost(ledger: Ledger, seen: Seen) -> Iterator[str]:
    """See that what was accepted is there, in the state that it was left in, and that its followers know it."""
    there = {(each["email"], each["workshop_id"]): each for each in seen.enrolments}
    for asked in ledger.promised:
        found = there.get((asked.address, asked.workshop))
        if found is None:
            yield f"the request {asked.key} was accepted, and there is no enrolment"
            continue
        if asked.answer and str(found["enrolment_id"]) != asked.answer["enrolment_id"]:
            yield f"the request {asked.key} was answered {asked.answer['enrolment_id']}, which is not there"
        if asked.left != (found["state"] == "withdrawn") or found["state"] not in {
            "confirmed",
            "waitlisted",
            "withdrawn",
        }:
            yield f"{found['enrolment_id']} is {found['state']}; {'it' if asked.left else 'nobody'} was withdrawn"
    for each in seen.enrolments:
        if seen.copies.get(each["enrolment_id"]) != (each["sequence"], each["state"]):
            yield f"notifications does not know how {each['enrolment_id']} stands"
    for asked in ledger.by_bus:
        if asked.accepted is not None and seen.inbox.get(asked.key) != "done":
            yield f"of the event {asked.key} became {seen.inbox.get(asked.key)}"


def _messages_lost(seen: Seen) -> Iterator[str]:
    lying = {each.header("ce_id") for each in seen.records}
    for each in seen.said:
        if not each.sent:
            yield f"{each.type} {each.event_id} was never sent"
        elif each.event_id not in lying:
            yield f"{each.type} {each.event_id} is not on {each.topic}"


def _notices_lost(seen: Seen) -> Iterator[str]:
    owed = {(each["event_id"], each["rule"]) for each in seen.notices}
    for said in seen.said:
        rule = RULES.get((said.type, said.data.get("state", "")))
        if rule and (said.event_id, rule) not in owed:
            yield f"of {said.type} {said.event_id} nobody was to be told by {rule}"


def _mails_lost(ledger: Ledger, seen: Seen) -> Iterator[str]:
    """Each notice that was sent is a mail; who has a seat was last told the day that it is."""
    sent = Counter(_notice_of(each.message_id) for each in seen.mails)
    for notice in seen.notices:
        least, _ = MAILS.get(notice["state"], (0, 0))
        if notice["state"] == "failed":
            yield f"the notice {notice['notice_id']} failed: {notice['reason']}"
        elif sent[str(notice["notice_id"])] < least:
            yield f"the notice {notice['notice_id']} is {notice['state']}, and there is no mail"
    told = {each.to: each for each in seen.mails if each.calendar}
    for each in seen.enrolments:
        if each["state"] == "confirmed" and each["workshop_id"] in ledger.workshops:
            wanted = datetime.fromisoformat(ledger.workshops[each["workshop_id"]].starts_at)
            last = told.get(each["email"])
            if last is None or last.entry.start != wanted:
                yield f"{each['enrolment_id']} has a seat and was last told another day than {wanted}"


# Twice


def _enrolments_twice(seen: Seen) -> Iterator[str]:
    for (address, workshop), number in Counter(
        (each["email"], each["workshop_id"]) for each in seen.enrolments
    ).items():
        if number > 1:
            yield f"{address} is enrolled {number} times in {workshop}"


def _steps_twice(seen: Seen) -> Iterator[str]:
    """See that an enrolment has as many steps as its version says, and that each version was told of once."""
    taken: dict[UUID, list[int]] = defaultdict(list)
    for row in seen.steps:
        taken[row["enrolment_id"]].append(row["sequence"])
    for each in seen.enrolments:
        if taken[each["enrolment_id"]] != list(range(1, each["sequence"] + 1)):
            yield f"{each['enrolment_id']} is at {each['sequence']} by the steps {taken[each['enrolment_id']]}"
    told = Counter((said.topic, said.key, said.sequence) for said in seen.said if said.sequence is not None)
    for (topic, key, sequence), number in told.items():
        if number > 1:
            yield f"version {sequence} of {key} was told of {number} times on {topic}"


def _mails_twice(seen: Seen) -> Iterator[str]:
    sent = Counter(_notice_of(each.message_id) for each in seen.mails)
    known = {str(each["notice_id"]): each for each in seen.notices}
    for notice, number in sent.items():
        if notice not in known:
            yield f"a mail went out for no notice: {notice}"
        elif number > MAILS.get(known[notice]["state"], (0, 0))[1]:
            yield f"the notice {notice} is {known[notice]['state']} and was mailed {number} times"


# Disorder


def _out_of_sequence(seen: Seen) -> Iterator[str]:
    """Of each key the versions rise in the order in which they are first seen."""
    keys: dict[tuple[str, bytes | None], dict[str, int]] = defaultdict(dict)
    for record in seen.records:
        if sequence := record.header("ce_sequence"):
            keys[record.topic, record.key].setdefault(record.header("ce_id"), int(sequence))
    for (topic, key), versions in keys.items():
        for earlier, later in pairwise(versions.values()):
            if later <= earlier:
                yield f"on {topic} {key!r} goes from {earlier} to {later}"


def _oversold(seen: Seen) -> Iterator[str]:
    counted = Counter((each["workshop_id"], each["attendance"], each["state"]) for each in seen.enrolments)
    for row in seen.seats:
        for state in ("confirmed", "waitlisted"):
            number = counted[row["workshop_id"], row["attendance"], state]
            if number != row[state]:
                yield f"{number} are {state} in {row['workshop_id']}, and {row[state]} are counted"
        if row["capacity"] is not None and row["confirmed"] > row["capacity"]:
            yield f"{row['confirmed']} have a seat in {row['workshop_id']}, which has {row['capacity']}"
    for said in seen.said:
        if said.type == "seats.changed":
            for way in said.data["seats"].values():
                if way["capacity"] is not None and way["confirmed"] + way["offered"] > way["capacity"]:
                    yield f"{said.key} was told to have {way['confirmed']} of {way['capacity']} seats taken"


def _queue_jumped(seen: Seen) -> Iterator[str]:
    """Seats were given in the order of acceptance, and whoever waits came after all who have one."""
    given: dict[str, list[int]] = defaultdict(list)
    for said in seen.said:
        if said.type in {"enrolment.created", "enrolment.confirmed"} and said.data["state"] == "confirmed":
            given[said.data["workshop_id"]].append(said.data["number"])
    for workshop, numbers in given.items():
        if numbers != sorted(numbers):
            yield f"in {workshop} seats were given in the order {numbers}"
        waiting = _numbers(seen.enrolments, workshop, "waitlisted")
        if waiting and min(waiting) < max(numbers):
            yield f"in {workshop} {min(waiting)} waits, and {max(numbers)} has a seat"


def _not_as_they_came(ledger: Ledger, seen: Seen) -> Iterator[str]:
    """Who asked after another had the answer comes after; of one stream each comes after the one before."""
    numbers = {(each["email"], each["workshop_id"]): each["number"] for each in seen.enrolments}
    for workshop in ledger.workshops:
        placed = [
            (each, numbers[each.address, workshop])
            for each in ledger.promised
            if each.workshop == workshop and (each.address, workshop) in numbers
        ]
        in_turn = [number for each, number in placed if each.answer is None and each.in_turn]
        if in_turn != sorted(in_turn):
            yield f"in {workshop} the outside system's came in the order {in_turn}"
        answered = [(each, number) for each, number in placed if each.answer is not None]
        yield from _overtaken(answered)


def _overtaken(answered: Iterable[tuple[Asked, int]]) -> Iterator[str]:
    by_answer = sorted(answered, key=lambda pair: pair[0].accepted or 0)
    by_begin = iter(sorted(by_answer, key=lambda pair: pair[0].begun))
    settled, highest = 0, 0
    for each, number in by_begin:
        while settled < len(by_answer) and (by_answer[settled][0].accepted or 0) < each.begun:
            highest = max(highest, by_answer[settled][1])
            settled += 1
        if number < highest:
            yield f"{each.key} was asked after {highest} had its answer, and has the number {number}"


def _numbers(enrolments: Iterable[Row], workshop: str, state: str) -> list[int]:
    return [each["number"] for each in enrolments if str(each["workshop_id"]) == workshop and each["state"] == state]


def _notice_of(message_id: str) -> str:
    return message_id.strip("<>").partition("@")[0]
