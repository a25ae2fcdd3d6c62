"""Run clean jobs on Flink and follow them: submit, tell the ledger what was committed, submit again what was lost, stop.

Flink commits records and checkpoints by itself. What it cannot do is done here, by any process of ours at any time:

1. a job that is not there is submitted from its newest savepoint or checkpoint; one that never was, or was not the last to
   clean the topic, starts where another engine left off (`streams.engines.cleaner` recovers the clean topic first)
2. the counts of every batch, which the job sends in the transaction of the batch's records, become lineage events. A batch is
   told when no event covers its offsets yet: so a follower that was killed is taken up by the next, nothing told twice
3. `stop` takes a savepoint, which commits what was sent, and then 2 once more

A killed TaskManager is started again and Flink restores the job; a killed JobManager is started again and step 1 restores it.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from contracts.contract import Contract
from contracts.errors import NotFound, StackBroken, TransientError
from infra.flink import restore
from infra.flink.cluster import ensure, home_of
from infra.flink.rest import Cluster, FlinkAway, Job
from infra.flink.submit import Submission, job_name, state_uri, submitted
from infra.settings import Settings
from lineage.facts import RunRef
from streams.clean_facts import clean_facts, decoded_batch
from streams.connectors import delta
from streams.connectors.kafka import Slot, committed_hints, end_offsets, ensure_topics, read_range
from streams.connectors.kafka_groups import set_offsets
from streams.engines import topics
from streams.engines.cleaner import Cleaner
from streams.engines.frozen import refuse_changed
from streams.setup import Setup
from streams.topology import CLEAN_GROUPS, clean_dataset, clean_job, dead_letter_dataset, facts_topic, raw_dataset

WATCH_SECONDS = 0.5
LOOK_SECONDS = 5.0
"""Between two looks at whether processes of our own cluster still run."""
QUIET_SECONDS = 5.0
"""After so long without news, what lies between here and a drain's goal is looked at: it may be transaction markers alone."""
START_SECONDS_MAX = 240.0
FACTS_CONFIG = {"retention.ms": "-1"}

Stop = Callable[[], bool]
Say = Callable[[str], None]


class FollowedAlready(StackBroken):
    """Another process follows this domain's job."""


class CleanJob:
    """One domain's clean job, as seen from outside the cluster. Not for several threads at once."""

    def __init__(self, settings: Settings, setup: Setup, there: Cluster, contracts: Sequence[Contract], parallelism: int) -> None:
        self.domain = contracts[0].domain
        self.name = job_name(self.domain)
        self.runs: list[RunRef] = []
        self.ended = False
        """Whether the job was stopped by someone: there is nothing more to follow."""
        self._settings, self._there = settings, there
        self._setup = replace(setup, contracts=tuple(contracts))
        self._parallelism = parallelism
        self._by_topic = {contract.raw_topic: contract for contract in contracts}
        self._run_of: dict[str, RunRef] = {}
        self._facts = facts_topic(self.domain)
        self._facts_next = 0
        self._covered: dict[Slot, int] = {}
        self._job_id = ""
        self._news_at = time.monotonic()

    def start(self, say: Say) -> None:
        """Open the runs; have the job in the cluster, from where it last was. One that runs already is joined.

        One that runs under other contracts, or other code, is stopped with a savepoint first and goes on from there.
        """
        self._ensure_topics()
        for contract in self._setup.contracts:
            refuse_changed(contract, delta.table_uri(self._setup.tables, "silver", contract.domain, contract.name))
            self._open(contract)
        self._learn()
        running = self._there.running(self.name)
        if running is not None and restore.noted(self._settings, self.domain).get("made_of") != self._made_of():
            say(f"{self.name} runs under other contracts, code or parallelism: stopping it with a savepoint")
            self._stopped(running)
            running = None
        if running is None:
            self._submit(say)
        else:
            self._job_id = running.id

    def join(self) -> None:
        """Open the runs, to tell of a job that is about to be stopped."""
        self._ensure_topics()
        for contract in self._setup.contracts:
            self._open(contract)
        self._learn()

    def look(self, say: Say) -> None:
        """See how the job fares, and submit it again if the cluster knows it no more. StackBroken if it failed for good."""
        try:
            known = next((job for job in self._there.jobs(self.name) if job.id == self._job_id), None)
        except FlinkAway:
            return  # whoever looks after the cluster brings it back, or says why not
        if known is None:
            say(f"{self.name} is gone with its JobManager: submitting it again from its last checkpoint")
            self._submit(say)
        elif known.state == "FAILED":
            cause = self._there.cause(known.id)
            raise StackBroken(
                f"the Flink job {self.name} failed and gave up: {cause}",
                where=f"{self._there.url}/#/job/{known.id}",
                remedy="mend what it says and start it again: it goes on from its last checkpoint",
            )
        elif not known.living:
            self.ended = True
        else:
            self._note_checkpoint()

    def tell(self) -> int:
        """Tell the ledger of the batches that were committed since; return how many."""
        told = 0
        _, end = end_offsets(self._setup.client, [self._facts])[self._facts, 0]
        for messages in read_range(self._setup.client, self._facts, 0, self._facts_next, end):
            for message in messages:
                told += self._told(message.value())
                self._facts_next = message.offset() + 1
        if told:
            self._news_at = time.monotonic()
            set_offsets(self._setup.client, CLEAN_GROUPS["flink"], {Slot(self._facts, 0): self._facts_next})
        return told

    def reached(self, goal: Mapping[Slot, int]) -> bool:
        """Say whether committed batches cover all raw records before the goal: what lies behind them may be markers alone."""
        short = {slot: end for slot, end in goal.items() if slot.topic in self._by_topic and self._covered.get(slot, 0) < end}
        if not short or time.monotonic() - self._news_at < QUIET_SECONDS:
            return not short
        client = self._setup.client
        return not any(any(read_range(client, s.topic, s.partition, self._covered.get(s, 0), end)) for s, end in short.items())

    def runs_whole(self) -> bool:
        """Say whether all parts of the job run."""
        try:
            return bool(self._job_id) and self._there.whole(self._job_id)
        except (FlinkAway, NotFound):
            return False

    def stop(self) -> None:
        """Stop the job with a savepoint, if it runs, and tell what it committed by that."""
        self.stop_only()
        self.tell()

    def stop_only(self) -> None:
        """Stop the job with a savepoint, if it runs."""
        running = None if self.ended else self._there.running(self.name)
        if running is not None:
            self._job_id = running.id
            self._stopped(running)

    def finish(self) -> None:
        """Close the runs."""
        for run in self.runs:
            self._setup.emitter.finish(run, self._setup.now())

    def _ensure_topics(self) -> None:
        topics.ensure(self._setup)
        ensure_topics(self._setup.client, {self._facts: 1}, {**topics.DERIVED_CONFIG, **FACTS_CONFIG})

    def _open(self, contract: Contract) -> None:
        setup = self._setup
        run = setup.run(clean_job(contract), "clean")
        setup.emitter.close_abandoned(run.job, run.started_at, setup.alive)
        inputs = [raw_dataset(contract, setup.servers)]
        outputs = [clean_dataset(contract, setup.servers), dead_letter_dataset(contract, setup.servers)]
        setup.emitter.start(run, inputs, outputs, instance=setup.instance)
        self.runs.append(run)
        self._run_of[contract.raw_topic] = run

    def _learn(self) -> None:
        """Learn from the ledger what was told of each raw partition."""
        for contract in self._setup.contracts:
            for commit in self._setup.emitter.commits(clean_job(contract)):
                for span in commit.offsets:
                    if span.topic == contract.raw_topic:
                        slot = Slot(span.topic, span.partition)
                        self._covered[slot] = max(self._covered.get(slot, 0), span.last_offset + 1)

    def _told(self, value: bytes) -> bool:
        """Tell of one batch; False for what was told already, or is of a contract that this process was not given."""
        batch = decoded_batch(value)
        contract = self._by_topic.get(batch.raw_topic)
        ends = {Slot(batch.raw_topic, partition): last + 1 for partition, (_, last) in batch.ranges.items()}
        if contract is None or all(self._covered.get(slot, 0) >= end for slot, end in ends.items()):
            return False
        setup = self._setup
        setup.emitter.commit(clean_facts(batch, self._run_of[batch.raw_topic], contract, setup.servers, setup.now()))
        self._covered.update(ends)
        return True

    def _submit(self, say: Say) -> None:
        point = None if self._others_went_on() else restore.restore_point(self._settings, self.domain)
        if point is None:
            set_offsets(self._setup.client, CLEAN_GROUPS["flink"], self._beginnings())
        restore.made_private(self._settings, self.domain)
        submission = Submission(self.domain, self._setup.contracts, self._parallelism, point)
        say(f"submitting {self.name}" + (f", from {point.rsplit('/', 1)[-1]}" if point else ""))
        self._job_id = submitted(self._settings, self._setup, self._there, submission, say)
        restore.note(self._settings, self.domain, made_of=self._made_of())
        self.ended = False
        self._news_at = time.monotonic()

    def _others_went_on(self) -> bool:
        """Say whether another engine was the last to clean any of the topics: the job's own state is behind that, and no use."""
        last = [self._setup.emitter.commits(clean_job(contract))[-1:] for contract in self._setup.contracts]
        return any(commit.engine.partition("/")[0] != self._setup.engine for commits in last for commit in commits)

    def _beginnings(self) -> dict[Slot, int]:
        """Return where a job without a state of its own begins: behind what any engine has done, recovered as ever."""
        setup = self._setup
        cleaner = Cleaner(setup)
        slots = [Slot(c.raw_topic, partition) for c in setup.contracts for partition in range(c.partitions)]
        beginnings = cleaner.assigned(slots)
        cleaner.finish()
        self._learn()
        return beginnings

    def _made_of(self) -> dict[str, object]:
        """Return what a job is not to be joined without: it would be another job."""
        hashes = {contract.dataset: contract.hash for contract in self._setup.contracts}
        return {"code": self._setup.code_version, "contracts": hashes, "parallelism": self._parallelism}

    def _stopped(self, running: Job) -> None:
        """Stop a job with a savepoint. One that is just starting, or restarting, is waited for: it cannot make one yet."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._there.whole(running.id):
            if time.monotonic() > deadline:
                raise StackBroken(f"{self.name} does not come to run", where=f"{self._there.url}/#/job/{running.id}")
            self.look(lambda _: None)
            if self.ended:
                return
            time.sleep(WATCH_SECONDS)
        point = self._there.stop(running.id, f"{state_uri(self._settings, self.domain)}/savepoints")
        restore.note(self._settings, self.domain, restore=point)
        self._await_end(running)
        restore.prune(self._settings, self.domain)
        self.ended = True

    def _await_end(self, running: Job) -> None:
        """Wait until the job is over: the savepoint stands a moment before the last commits are through."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while any(job.id == running.id and job.living for job in self._there.jobs(self.name)):
            if time.monotonic() > deadline:
                raise StackBroken(f"{self.name} does not end after its savepoint", where=self._there.url)
            time.sleep(WATCH_SECONDS)

    def _note_checkpoint(self) -> None:
        """Note the newest checkpoint, where it cannot be found by looking."""
        if restore.local_state(self._settings, self.domain) is not None:
            return
        latest = self._there.checkpoints(self._job_id)["latest"].get("completed") or {}
        if latest.get("external_path"):
            restore.note(self._settings, self.domain, restore=latest["external_path"])


def clean(
    settings: Settings,
    setup: Setup,
    stop: Stop,
    *,
    drain: bool = False,
    detach: bool = False,
    parallelism: int | None = None,
    detached_cluster: bool = False,
    say: Say = lambda _: None,
) -> list[RunRef]:
    """Clean the contracts' raw topics on Flink, a job for each domain; return the runs.

    Until told to stop, or with `drain` up to where the topics end now: then the jobs stop with a savepoint. With `detach` it
    returns when they run, and leaves them running. A job that someone else stops ends this as well.
    """
    goal = _ends(setup) if drain else None
    by_domain = _by_domain(setup)
    with ExitStack() as held:
        for domain in by_domain:
            held.enter_context(followed_alone(settings, domain))
        there = ensure(settings, say, detached=detached_cluster)
        wanted = parallelism or settings.flink_parallelism
        jobs = [CleanJob(settings, setup, there, contracts, wanted) for contracts in by_domain.values()]
        for job in jobs:
            job.start(say)
        _followed(settings, jobs, stop, goal, say, detach=detach, detached_cluster=detached_cluster)
        for job in jobs:
            if not detach:
                job.stop()
            job.finish()
        return [run for job in jobs for run in job.runs]


def stopped(settings: Settings, setup: Setup, there: Cluster, say: Say) -> dict[str, str | None]:
    """Stop the jobs of the contracts' domains with savepoints; return from where each that ran goes on.

    What they did is told here, unless another process follows a job: that one sees that it ended, and tells.
    """
    points: dict[str, str | None] = {}
    for domain, contracts in _by_domain(setup).items():
        job = CleanJob(settings, setup, there, contracts, settings.flink_parallelism)
        if there.running(job.name) is None:
            continue
        try:
            with followed_alone(settings, domain):
                job.join()
                job.stop()
                job.finish()
        except FollowedAlready:
            say(f"{job.name} is followed by another process, which tells what it did")
            job.stop_only()
        points[domain] = restore.restore_point(settings, domain)
    return points


def lag(setup: Setup) -> int:
    """Return how many raw offsets no committed batch covers, as far as Flink has told the broker."""
    raw = [contract.raw_topic for contract in setup.contracts]
    at = committed_hints(setup.client, CLEAN_GROUPS["flink"], raw)
    ends = end_offsets(setup.client, raw)
    return sum(end - max(start, at.get(Slot(*slot), 0)) for slot, (start, end) in ends.items())


def _by_domain(setup: Setup) -> dict[str, list[Contract]]:
    found: dict[str, list[Contract]] = {}
    for contract in setup.contracts:
        found.setdefault(contract.domain, []).append(contract)
    return found


def _followed(
    settings: Settings,
    jobs: Sequence[CleanJob],
    stop: Stop,
    goal: Mapping[Slot, int] | None,
    say: Say,
    *,
    detach: bool,
    detached_cluster: bool,
) -> None:
    """Follow the jobs until stopped, through, ended by others, or (with `detach`) running."""
    looked_at = time.monotonic()
    while not stop() and not all(job.ended for job in jobs):
        if time.monotonic() - looked_at >= LOOK_SECONDS:
            ensure(settings, say, detached=detached_cluster)
            looked_at = time.monotonic()
        for job in jobs:
            job.look(say)
            try:
                job.tell()
            except TransientError as error:
                say(f"{error.came}; trying again")
        if goal is not None and all(job.reached(goal) for job in jobs):
            return
        if detach and all(job.runs_whole() for job in jobs):
            return
        time.sleep(WATCH_SECONDS)


@contextmanager
def followed_alone(settings: Settings, domain: str) -> Iterator[None]:
    """Be the only process that follows a domain's job, for the block. Raises StackBroken if there is another."""
    path = home_of(settings) / "jobs" / f"{domain}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FollowedAlready(
                f"another process follows the Flink job of {domain}",
                where=str(path),
                remedy=f"`headwater flink stop {domain}` ends both; or end that process",
            ) from error
        yield


def _ends(setup: Setup) -> dict[Slot, int]:
    topics.ensure(setup)
    raw = [contract.raw_topic for contract in setup.contracts]
    return {Slot(*slot): end for slot, (_, end) in end_offsets(setup.client, raw).items()}
