"""The archive hop on a real broker: every raw record once, as it came, whatever is killed when."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.connectors.files import load_contract
from contracts.records import KEY_ID, KNOWN_AT, OFFSET, PARTITION
from infra.commands.audit import audited
from infra.settings import Settings
from infra.wiring import emitter, key_store
from streams.bronze import of_bronze
from streams.connectors import delta
from streams.topology import archive_job
from tests.streams.crash_driver import Told, run
from tests.streams.test_crashes import killed
from tests.streams.undisturbed import CONTRACT, Place, log_of

pytestmark = pytest.mark.servers
LOG = log_of(40)
STEPS = [("keys", 2), ("bronze commit", 1), ("bronze lineage", 2), ("bronze compaction", 1), ("hint", 1)]


@pytest.fixture(scope="module")
def raw(broker_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Place:
    settings = replace(broker_settings, home=tmp_path_factory.mktemp("archive"))
    return Place(settings, replace(load_contract(CONTRACT), domain="archived")).ready(LOG)


def told(here: Place, group: str, **more: object) -> Told:
    return here.told("archive", group, **more)


def kept(here: Place) -> list[tuple[int, int, bytes | None]]:
    """Return what bronze gives back, by coordinates."""
    rows = delta.read(delta.table_uri(here.settings.tables, "bronze", here.contract.domain, here.contract.name))
    found = key_store(here.settings).found(rows[KEY_ID].to_pylist())
    return sorted((r.partition, r.offset, r.value) for r in of_bronze(rows, found))


def sent() -> list[tuple[int, int, bytes | None]]:
    """Return the raw log by coordinates."""
    parted = [[value for p, value in LOG if p == partition] for partition in (0, 1)]
    return [(partition, offset, value) for partition in (0, 1) for offset, value in enumerate(parted[partition])]


def assert_whole(here: Place) -> None:
    """Check that bronze has each record once, and the ledger each commit once."""
    assert kept(here) == sent()
    uri = delta.table_uri(here.settings.tables, "bronze", here.contract.domain, here.contract.name)
    made = [past.table_version for past in delta.history(uri) if "facts" in past.metadata]
    commits = emitter(here.settings).commits(archive_job(here.contract))
    assert sorted(version for commit in commits for _, _, version in commit.outputs) == sorted(made)
    assert len(made) > 1
    assert sum(commit.records_out for commit in commits) == len(LOG)
    assert emitter(here.settings).close_abandoned(archive_job(here.contract), commits[0].committed_at, lambda _: False) == []
    assert audited(here.settings, [here.contract], bronze=True).ok


def test_an_undisturbed_archive_holds_every_record_as_it_came(raw, tmp_path):
    here = raw.at_home(tmp_path)
    run(told(here, "calm"))
    assert_whole(here)


@pytest.mark.parametrize(("step", "times"), STEPS)
def test_archive_killed_behind_a_step_goes_on_as_if_nothing_had_happened(raw, step, times, tmp_path):
    here = raw.at_home(tmp_path)
    killed(told(here, f"{step}.first", step=step, times=times))
    run(told(here, f"{step}.second"))
    assert_whole(here)


def test_the_audit_of_bronze_names_what_is_missing_and_what_is_doubled(raw, tmp_path):
    here = raw.at_home(tmp_path)
    run(told(here, "faults"))
    uri = delta.table_uri(here.settings.tables, "bronze", here.contract.domain, here.contract.name)
    rows = delta.read(uri)
    assert KNOWN_AT in rows.column_names
    places = list(zip(rows[PARTITION].to_pylist(), rows[OFFSET].to_pylist(), strict=True))
    mask = [place != (0, 3) for place in places]
    doubled = rows.filter([place == (1, 5) for place in places])
    delta.overwrite(uri, rows.filter(mask), metadata={})
    delta.append(uri, doubled, metadata={})
    report = audited(here.settings, [here.contract], bronze=True)
    first, second = report.datasets[0].partitions
    assert first.missing.intervals == ((3, 3),)
    assert [offsets.intervals for offsets in second.doubled.values()] == [((5, 5),)]
