"""The audit against a slow reference, and against each way in which a record can go astray."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from contracts.records import OFFSET, PARTITION, TOPIC
from lineage.audit import Found, audit, judged_partition
from lineage.verdicts import Offsets, PartitionVerdict

RAW = "shop.orders.raw.v1"


@dataclass(frozen=True)
class Log:
    start: int
    end: int
    offsets: np.ndarray


def log(start: int, end: int, without: tuple[int, ...] = ()) -> Log:
    return Log(start, end, np.array([offset for offset in range(start, end) if offset not in without], np.int64))


@dataclass
class World:
    """A broker and two tables that are whole at first. Counts how often the ends are looked up again."""

    topics: dict[str, dict[int, Log]] = field(default_factory=dict)
    silver: list[tuple[str, int, int]] = field(default_factory=list)
    quarantine: list[tuple[str, int, int, str]] = field(default_factory=list)
    later_ends: dict[int, int] = field(default_factory=dict)
    looks: int = 0

    def present(self, topic: str) -> Mapping[int, Log]:
        return self.topics.get(topic, {})

    def ends(self, topic: str) -> Mapping[int, int]:
        self.looks += 1
        return {partition: held.end for partition, held in self.present(topic).items()} | self.later_ends

    def coordinates(self, dataset: str, layer: str) -> pa.Table:
        rows = self.silver if layer == "silver" else self.quarantine
        columns = list(zip(*rows, strict=True)) if rows else [[], [], [], []]
        named = {TOPIC: pa.array(columns[0], pa.string()), PARTITION: pa.array(columns[1], pa.int32())}
        named[OFFSET] = pa.array(columns[2], pa.int64())
        if layer == "quarantine":
            named["reason"] = pa.array(columns[3], pa.string())
        return pa.table(named)


def whole_world(partitions: int = 3, records: int = 20) -> World:
    world = World({RAW: {partition: log(0, records) for partition in range(partitions)}})
    for partition in range(partitions):
        for offset in range(records):
            if offset % 7 == 3:
                world.quarantine.append((RAW, partition, offset, "ill_typed" if offset % 2 else "duplicate"))
            else:
                world.silver.append((RAW, partition, offset))
    return world


def verdicts(world: World) -> dict[tuple[str, int], PartitionVerdict]:
    report = audit([("shop.orders", RAW)], world, world)
    assert report.as_dict()["ok"] == report.ok
    return {(verdict.topic, verdict.partition): verdict for verdict in report.partitions}


def test_a_whole_world_is_found_whole_without_a_second_look_at_the_broker() -> None:
    world = whole_world()
    found = verdicts(world)
    assert all(verdict.ok for verdict in found.values())
    assert found[(RAW, 1)].quarantine == {"ill_typed": 2, "duplicate": 1}
    assert found[(RAW, 1)].silver == 17
    assert world.looks == 0


def test_a_loss_in_one_partition_and_a_double_in_another_are_both_named() -> None:
    world = whole_world()
    world.silver.remove((RAW, 0, 8))
    world.silver.append((RAW, 2, 9))
    found = verdicts(world)
    assert found[(RAW, 0)].missing == Offsets(((8, 8),))
    assert found[(RAW, 0)].unreached == 0
    assert found[(RAW, 1)].ok
    assert found[(RAW, 2)].doubled == {"silver": Offsets(((9, 9),))}


def test_a_double_says_where_it_stands() -> None:
    world = whole_world()
    world.quarantine += [(RAW, 0, 0, "ill_typed"), (RAW, 1, 3, "ill_typed")]
    found = verdicts(world)
    assert found[(RAW, 0)].doubled == {"silver and quarantine": Offsets(((0, 0),))}
    assert found[(RAW, 1)].doubled == {"quarantine": Offsets(((3, 3),))}


def test_the_lost_tail_is_missing_and_said_to_be_unreached() -> None:
    world = whole_world(partitions=1)
    world.silver = [row for row in world.silver if row[2] < 15 and row[2] != 2]
    world.quarantine = [row for row in world.quarantine if row[2] < 15]
    verdict = verdicts(world)[(RAW, 0)]
    assert verdict.missing == Offsets(((2, 2), (15, 19)))
    assert verdict.unreached == 5


def test_what_a_reader_is_not_given_is_void_and_what_expired_unread_is_an_alarm() -> None:
    world = World({RAW: {0: log(5, 10, without=(7,))}}, silver=[(RAW, 0, offset) for offset in (0, 1, 2, 5, 6, 8, 9)])
    verdict = verdicts(world)[(RAW, 0)]
    assert verdict.void == 1
    assert verdict.expired_unread == Offsets(((3, 4),))
    assert not verdict.ok


def test_a_record_that_was_landed_and_then_compacted_away_keeps_its_fate() -> None:
    world = World({RAW: {0: log(0, 3, without=(1,))}}, silver=[(RAW, 0, 0), (RAW, 0, 1), (RAW, 0, 2)])
    verdict = verdicts(world)[(RAW, 0)]
    assert verdict.ok
    assert (verdict.silver, verdict.void) == (3, 0)


def test_coordinates_that_the_broker_never_had_are_strangers() -> None:
    world = whole_world(partitions=1)
    world.silver += [(RAW, 0, 20), (RAW, 0, 99), (RAW, 4, 0)]
    found = verdicts(world)
    assert found[(RAW, 0)].strangers == Offsets(((20, 20), (99, 99)))
    assert found[(RAW, 4)].strangers == Offsets(((0, 0),))


def test_what_was_landed_while_the_audit_ran_is_left_to_the_next_one() -> None:
    world = whole_world(partitions=1)
    world.silver += [(RAW, 0, 20), (RAW, 0, 21), (RAW, 0, 30)]
    world.later_ends = {0: 25}
    verdict = verdicts(world)[(RAW, 0)]
    assert verdict.newer == 2
    assert verdict.strangers == Offsets(((30, 30),))


def test_a_foreign_dead_letter_is_counted_apart_and_a_stray_row_of_another_topic_is_a_stranger() -> None:
    world = whole_world(partitions=1)
    world.quarantine.append(("shop.orders.clean.v1", 0, 5, "foreign"))
    report = audit([("shop.orders", RAW)], world, world)
    assert report.ok
    assert report.datasets[0].foreign == 1
    world.silver.append(("shop.returns.raw.v1", 0, 5))
    assert verdicts(world)[("shop.returns.raw.v1", 0)].strangers == Offsets(((5, 5),))


def test_rows_of_an_older_contract_are_judged_by_their_own_topic_even_when_it_is_gone() -> None:
    world = whole_world(partitions=1)
    old = "shop.orders.raw.v0"
    world.silver += [(old, 0, 0), (old, 0, 1)]
    assert verdicts(world)[(old, 0)].silver == 2
    world.topics[old] = {0: log(0, 3)}
    assert verdicts(world)[(old, 0)].missing == Offsets(((2, 2),))


def test_a_topic_without_records_and_without_tables_is_in_order() -> None:
    assert audit([("shop.orders", RAW)], World(), World()).ok
    assert verdicts(World({RAW: {0: log(0, 0)}}))[(RAW, 0)].ok


offsets_of_tables = st.lists(st.integers(-2, 25), max_size=40)


@given(start=st.integers(0, 8), length=st.integers(0, 12), holes=st.sets(st.integers(0, 20)), data=st.data())
def test_every_verdict_equals_that_of_a_slow_reference(start: int, length: int, holes: set[int], data: st.DataObject) -> None:
    held = log(start, start + length, tuple(holes))
    silver, quarantine = data.draw(offsets_of_tables), data.draw(offsets_of_tables)
    reasons = data.draw(st.lists(st.integers(0, 2), min_size=len(quarantine), max_size=len(quarantine)))
    names = ("ill_typed", "too_deep", "duplicate")
    verdict = judged_partition(
        RAW, 0, held, Found(_array(silver), _array([0] * len(silver))), Found(_array(quarantine), _array(reasons), names)
    )
    expected = _fates(held, silver, quarantine)
    doubled = [offset for offsets in verdict.doubled.values() for offset in _listed(offsets)]
    counted = Counter({"silver": verdict.silver, "quarantine": sum(verdict.quarantine.values()), "void": verdict.void})
    assert counted == Counter(fate for fate in expected.values() if fate in ("silver", "quarantine", "void"))
    assert sorted(doubled) == _with(expected, "doubled")
    assert _listed(verdict.missing) == _with(expected, "missing")
    assert _listed(verdict.expired_unread) == _with(expected, "expired")
    assert _listed(verdict.strangers) == sorted({offset for offset in silver + quarantine if not 0 <= offset < held.end})
    assert counted.total() + len(doubled) + verdict.missing.count + verdict.expired_unread.count == held.end


def _fates(held: Log, silver: list[int], quarantine: list[int]) -> dict[int, str]:
    fates = {}
    for offset in range(held.end):
        in_silver, in_quarantine = silver.count(offset), quarantine.count(offset)
        if in_silver + in_quarantine > 1:
            fates[offset] = "doubled"
        elif in_silver + in_quarantine == 1:
            fates[offset] = "silver" if in_silver else "quarantine"
        elif offset < held.start:
            fates[offset] = "expired"
        else:
            fates[offset] = "missing" if offset in held.offsets else "void"
    return fates


def _with(fates: dict[int, str], fate: str) -> list[int]:
    return sorted(offset for offset, found in fates.items() if found == fate)


def _array(values: list[int]) -> np.ndarray:
    return np.array(values, np.int64)


def _listed(offsets: Offsets) -> list[int]:
    return [offset for first, last in offsets.intervals for offset in range(first, last + 1)]


@given(st.sets(st.integers(0, 60)), st.integers(61, 70))
def test_offsets_and_their_gaps_make_up_the_whole(some: set[int], end: int) -> None:
    ordered = _array(sorted(some))
    inside, outside = Offsets.of(ordered), Offsets.gaps(ordered, end)
    assert sorted(_listed(inside) + _listed(outside)) == list(range(end))
    assert inside.count == len(some)
    assert inside.first(3) == sorted(some)[:3]


def test_one_lost_among_a_million_in_any_order_is_named() -> None:
    offsets = np.random.default_rng(7).permutation(1_000_000)
    rows = Found(offsets[:-1], np.zeros(999_999, np.int64))
    verdict = judged_partition(RAW, 0, Log(0, 1_000_000, np.arange(1_000_000)), rows, Found(_array([]), _array([])))
    assert verdict.missing.first() == [offsets[-1]]
