"""The load of `post-many` and `post-rush`: so many connections, each asking again as soon as it is answered."""

import asyncio
import itertools
import json
import sys
import time
from collections import Counter

import uvloop

from tests.bench import world
from tests.bench.programs.client import CREATED, Connection, Spans, connect

TAG = "post"


async def main(port: int, connections: int, workshops: int, warm: float, seconds: float) -> None:
    """Ask for `warm` seconds unmeasured, then for `seconds`; print the rate and the latencies."""
    numbers = itertools.count()
    spans: list[float] = []
    statuses = Counter[int]()
    begin = time.perf_counter() + warm
    end = begin + seconds

    async def ask(connection: Connection) -> None:
        while (sent := time.perf_counter()) < end:
            statuses[await connection.post(world.body(next(numbers), workshops, TAG))] += 1
            if begin <= (now := time.perf_counter()) < end:
                spans.append(now - sent)
        connection.close()

    opened = await asyncio.gather(*(connect(port) for _ in range(connections)))
    await asyncio.gather(*(ask(each) for each in opened))
    others = sum(statuses.values()) - statuses[CREATED]
    found = Spans(spans)
    answer = {"rate": len(spans) / seconds, "p99": found.percentile(0.99), "others": others}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    uvloop.run(main(**json.load(sys.stdin)))
