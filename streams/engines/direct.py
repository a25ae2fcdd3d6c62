"""The direct engine: a plain loop in one process. Scales by partitions: start it again, and the group shares them.

It runs until it is told to stop, or, with `drain`, until it has come to where the raw topics ended when it began.
"""

from __future__ import annotations

from collections.abc import Callable

from lineage.facts import RunRef
from streams.batches import by_topic, record_batch
from streams.connectors.kafka import Fetcher, Slot, end_offsets
from streams.engines import topics
from streams.engines.cleaner import Cleaner
from streams.setup import Setup
from streams.topology import CLEAN_GROUP

IDLE_SECONDS = 0.2

Stop = Callable[[], bool]


def clean(setup: Setup, stop: Stop, *, drain: bool = False, group: str = CLEAN_GROUP) -> list[RunRef]:
    """Clean the contracts' raw topics; return the runs. `stop` is asked between batches; what is under way is then committed.

    Records come with their coordinates, so a broker that goes away for a while costs time and nothing else.
    """
    raw = [contract.raw_topic for contract in setup.contracts]
    topics.ensure(setup)
    goal = {Slot(*slot): end for slot, (_, end) in end_offsets(setup.client, raw).items()} if drain else {}
    cleaner = Cleaner(setup)
    fetcher = Fetcher(setup.client, group, raw, cleaner.assigned, cleaner.lost)
    try:
        while not stop() and not (drain and fetcher.reached(goal)):
            _turn(setup, cleaner, fetcher)
        cleaner.finish()
        fetcher.hint(cleaner.hints())
        return cleaner.runs
    finally:
        fetcher.close()


def _turn(setup: Setup, cleaner: Cleaner, fetcher: Fetcher) -> None:
    """Fetch, clean and commit one batch; when nothing more has come, settle what is on its way."""
    messages = fetcher.fetch(setup.limits.batch_records, setup.limits.batch_bytes, IDLE_SECONDS)
    for topic, held in by_topic(messages).items():
        cleaner.clean(topic, record_batch(held))
    if not messages:
        cleaner.settle()
    fetcher.hint(cleaner.hints())
    setup.step("hint")
