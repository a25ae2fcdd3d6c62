"""The hop that folds duplicates, on Delta: any split, any order, crashes, changes, deletes, and what search then takes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from contracts.connectors.files import load_contract
from contracts.contract import Contract, NearDuplicatePlan
from contracts.errors import CommitConflict, DefinitionInvalid
from features.engines import fold
from features.engines.aggregate import build_gold, duplicates_uri
from features.engines.apply import apply_definitions
from features.engines.fold import fold_duplicates, sketches_uri
from features.near_duplicates import Duplicates, plan_of
from features.workspace import Workspace
from lineage.emit import Emitter
from streams.connectors import delta
from tests.features.made import STAMP, at, land, pages, rows, workspace
from tests.lineage.test_events import needs_vectors, validate_whole

CONTRACT_FILE = Path(__file__).parents[2] / "contracts" / "docs" / "pages.odcs.yaml"
NOTES = {"note_id": pa.string(), "written_at": STAMP, "text": pa.string()}
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi")


def notes_contract(**changes: Any) -> Contract:
    """Return a contract of made-up notes, on the pages' contract: text, and when it was written."""
    base = load_contract(CONTRACT_FILE)
    fields = tuple(f for f in base.fields if f.name in ("page_id", "text", "collected_at"))
    named = dict(zip(("page_id", "text", "collected_at"), ("note_id", "text", "written_at"), strict=True))
    parts: dict[str, Any] = {
        "domain": "desk",
        "name": "notes",
        "fields": tuple(replace(f, name=named[f.name]) for f in fields),
        "event_time": "written_at",
        "near_duplicates": NearDuplicatePlan(("text",), 0.7),
    }
    return replace(base, **parts | changes)


def text(seed: int, words: int = 60) -> str:
    """Return a made-up text: no two seeds give similar ones."""
    chance = random.Random(seed)
    return " ".join(f"{chance.choice(WORDS)}{chance.randrange(50)}" for _ in range(words))


def note(name: str, what: str | None, minute: float = 0, offset: int = 0, partition: int = 0) -> dict[str, Any]:
    return {"note_id": name, "written_at": at(minute), "text": what, "_offset": offset, "_partition": partition}


def notes(*values: dict[str, Any]) -> pa.Table:
    return rows(NOTES, values, "desk.notes")


def duplicates(place: Workspace, dataset: str = "desk.notes") -> list[dict[str, Any]]:
    return sorted(
        delta.read(duplicates_uri(place.tables, dataset)).to_pylist(), key=lambda row: (row["_partition"], row["_offset"])
    )


def links(place: Workspace) -> dict[tuple[int, int], tuple[int, int, str]]:
    """Return the duplicates as (partition, offset) -> (representative's, kind)."""
    return {
        (d["_partition"], d["_offset"]): (d["representative_partition"], d["representative_offset"], d["kind"])
        for d in duplicates(place)
    }


def varied(count: int) -> list[dict[str, Any]]:
    """Return notes in clusters: copies, texts with a word or two changed, and texts on their own, in two partitions."""
    chance = random.Random(7)
    made = []
    for offset in range(count):
        words = text(chance.randrange(count // 4)).split()
        for _ in range(chance.choice((0, 0, 1, 2, 6))):
            words[chance.randrange(len(words))] = "changed"
        made.append(note(f"n{offset}", " ".join(words), chance.randrange(30), offset, offset % 2))
    return made


def test_copies_and_near_copies_name_the_least_of_them_by_event_time(tmp_path: Path) -> None:
    place, whole = workspace(tmp_path), text(1)
    near = whole.replace(whole.split()[5], "changed")
    land(
        place,
        "desk.notes",
        notes(note("a", whole, 5, 0), note("b", near, 9, 1), note("c", text(2), 1, 2), note("d", whole, 2, 3, 1)),
    )
    done = fold_duplicates(place, [notes_contract()])
    assert [(d.rows_in, d.sketched, d.exact, d.near, d.up_to_date) for d in done] == [(4, 4, 1, 1, False)]
    assert links(place) == {(0, 0): (1, 3, "exact"), (0, 1): (1, 3, "near")}
    found = duplicates(place)[1]
    assert 0.7 <= found["similarity"] < 1
    assert found["representative_event_time"] == at(2)


def test_punctuation_capitals_and_layout_do_not_make_another_text(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    land(
        place,
        "desk.notes",
        notes(note("a", "Straße: Über 'Äpfel'!", 0, 0), note("b", "straße  über äpfel", 1, 1), note("c", "!!", 2, 2)),
    )
    fold_duplicates(place, [notes_contract()])
    assert [(d["kind"], d["similarity"]) for d in duplicates(place)] == [("near", 1.0)]


def test_rows_without_text_are_nobody_s_duplicate(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    land(place, "desk.notes", notes(note("a", None, 0, 0), note("b", None, 1, 1), note("c", "?!", 2, 2), note("d", "?!", 3, 3)))
    fold_duplicates(place, [notes_contract()])
    assert links(place) == {(0, 3): (0, 2, "exact")}


@pytest.mark.parametrize("window", [None, 600])
@pytest.mark.parametrize("seed", [1, 2])
def test_any_order_of_arrival_and_any_split_gives_the_same_table(tmp_path: Path, seed: int, window: int | None) -> None:
    contract = notes_contract(near_duplicates=NearDuplicatePlan(("text",), 0.7, window))
    made, chance = varied(60), random.Random(seed)
    whole = workspace(tmp_path / "whole")
    land(whole, "desk.notes", notes(*made))
    fold_duplicates(whole, [contract])
    split = workspace(tmp_path / "split")
    chance.shuffle(made)
    while made:
        size = chance.randrange(4, 30)
        land(split, "desk.notes", notes(*made[:size]))
        made = made[size:]
        fold_duplicates(split, [contract])
    assert duplicates(split) == duplicates(whole)
    assert len(duplicates(whole)) > 10


def test_no_more_sketches_are_read_than_the_window_asks_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of a build is bounded by the window, however long the history is."""
    contract = notes_contract(near_duplicates=NearDuplicatePlan(("text",), 0.7, 600))
    place, read = workspace(tmp_path), list[int]()
    real = fold.duplicates_of

    def counted(live: pl.DataFrame, *arguments: Any) -> Duplicates:
        read.append(live.height)
        return real(live, *arguments)

    monkeypatch.setattr(fold, "duplicates_of", counted)
    for day in range(4):
        land(place, "desk.notes", notes(*(note(f"{day} {n}", text(n), day * 1_000 + n, day * 50 + n) for n in range(30))))
        fold_duplicates(place, [contract])
    assert read == [30] * 4
    land(place, "desk.notes", notes(note("again", text(7), 3_012, 999)))
    assert fold_duplicates(place, [contract])[0].exact == 1
    assert read[-1] == 29, "those from ten minutes before the new row on, and the new one"


def test_what_is_up_to_date_is_left_alone_and_a_new_row_is_compared_alone(tmp_path: Path) -> None:
    place, contract = workspace(tmp_path), notes_contract()
    land(place, "desk.notes", notes(*varied(60)))
    first = fold_duplicates(place, [contract])[0]
    assert fold_duplicates(place, [contract]) == [replace(first, up_to_date=True)]
    before = {**links(place)}
    land(place, "desk.notes", notes(note("new", text(999), 15, 900)))
    again = fold_duplicates(place, [contract])[0]
    assert (again.sketched, again.settled) == (1, 1)
    assert links(place) == before


class Crash(BaseException):
    """A process that ends in the middle."""


def test_a_crash_after_the_sketches_is_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, place, contract = workspace(tmp_path / "whole"), workspace(tmp_path / "crashed"), notes_contract()
    for there in (whole, place):
        land(there, "desk.notes", notes(*varied(60)[:40]))
        fold_duplicates(there, [contract])
        land(there, "desk.notes", notes(*varied(60)[40:]))
    fold_duplicates(whole, [contract])
    with monkeypatch.context() as patched:
        patched.setattr(fold, "_commit", lambda *_: (_ for _ in ()).throw(Crash))
        with pytest.raises(Crash):
            fold_duplicates(place, [contract])
    done = fold_duplicates(place, [contract])[0]
    assert done.sketched == 0, "the sketches had been committed"
    assert duplicates(place) == duplicates(whole)
    sketches = delta.read(sketches_uri(place, "desk.notes"))
    assert (
        len(set(zip(sketches["_partition"].to_pylist(), sketches["_offset"].to_pylist(), strict=True))) == sketches.num_rows == 60
    )


@needs_vectors
def test_an_event_lost_in_a_crash_is_told_again_and_none_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, contract = workspace(tmp_path), notes_contract()
    land(place, "desk.notes", notes(*varied(40)))
    with monkeypatch.context() as patched:
        patched.setattr(Emitter, "commit", lambda *_: (_ for _ in ()).throw(Crash))
        with pytest.raises(Crash):
            fold_duplicates(place, [contract])
    assert fold_duplicates(place, [contract])[0].up_to_date
    fold_duplicates(place, [contract])
    events = [e.event for e in place.emitter.ledger.events()]
    commits = [e for e in events if "headwater_commit" in e["run"]["facets"]]
    assert len(commits) == 1
    for event in events:
        validate_whole(event)


def test_rows_that_were_erased_from_silver_leave_sketches_and_duplicates(tmp_path: Path) -> None:
    place, contract, whole = workspace(tmp_path), notes_contract(), text(1)
    made = [note("a", whole, 1, 0), note("b", whole, 2, 1), note("c", whole, 3, 2)]
    land(place, "desk.notes", notes(*made))
    fold_duplicates(place, [contract])
    delta.overwrite(delta.table_uri(place.tables, "silver", "desk", "notes"), notes(*made[1:]), metadata={"hop": "erase"})
    fold_duplicates(place, [contract])
    assert links(place) == {(0, 2): (0, 1, "exact")}
    assert sorted(delta.read(sketches_uri(place, "desk.notes"))["_offset"].to_pylist()) == [1, 2]


def test_another_threshold_makes_all_anew(tmp_path: Path) -> None:
    place, whole = workspace(tmp_path), text(1)
    near = whole.replace(whole.split()[5], "changed")
    land(place, "desk.notes", notes(note("a", whole, 1, 0), note("b", near, 2, 1)))
    assert fold_duplicates(place, [notes_contract()])[0].near == 1
    strict = notes_contract(near_duplicates=NearDuplicatePlan(("text",), 0.99))
    assert fold_duplicates(place, [strict])[0].near == 0


CHANGED = NOTES | {"_kind": pa.string(), "_changed_at": STAMP, "_sequence": pa.string()}


def changed(*values: tuple[str, str, str | None, float, int]) -> pa.Table:
    """Return silver rows of an upsert contract: (kind, note, text, minute, offset)."""
    made = [
        note(name, what, minute, offset) | {"_kind": kind, "_changed_at": at(minute), "_sequence": None}
        for kind, name, what, minute, offset in values
    ]
    return rows(CHANGED, made, "desk.notes")


def test_when_a_representative_is_deleted_or_changed_the_next_one_takes_over(tmp_path: Path) -> None:
    place, contract, whole = workspace(tmp_path), notes_contract(change="upsert"), text(1)
    land(place, "desk.notes", changed(("insert", "a", whole, 1, 0), ("insert", "b", whole, 2, 1), ("insert", "c", whole, 3, 2)))
    fold_duplicates(place, [contract])
    assert links(place) == {(0, 1): (0, 0, "exact"), (0, 2): (0, 0, "exact")}
    land(place, "desk.notes", changed(("delete", "a", None, 9, 3)))
    fold_duplicates(place, [contract])
    assert links(place) == {(0, 2): (0, 1, "exact")}
    land(place, "desk.notes", changed(("update", "b", text(2), 10, 4)))
    fold_duplicates(place, [contract])
    assert links(place) == {}
    land(place, "desk.notes", changed(("update", "a", whole, 4, 5)))
    fold_duplicates(place, [contract])
    assert links(place) == {}, "a change from before the delete does not bring the row back"


def test_an_upsert_contract_gives_the_same_table_in_any_order(tmp_path: Path) -> None:
    chance = random.Random(3)
    kinds = ("insert", "update", "update", "delete")
    made = []
    for offset in range(60):
        kind, name = chance.choice(kinds), f"n{chance.randrange(20)}"
        made.append((kind, name, None if kind == "delete" else text(chance.randrange(5)), chance.randrange(40), offset))
    contract, tables = notes_contract(change="upsert"), []
    for seed in range(3):
        place = workspace(tmp_path / str(seed))
        order = random.Random(seed).sample(made, len(made)) if seed else made
        size = (60, 7, 20)[seed]
        for first in range(0, len(order), size):
            land(place, "desk.notes", changed(*order[first : first + size]))
            fold_duplicates(place, [contract])
        tables.append(duplicates(place))
    assert tables[0] == tables[1] == tables[2]
    assert tables[0]


def test_two_writers_at_once_do_not_sketch_a_row_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, contract = workspace(tmp_path), notes_contract()
    land(place, "desk.notes", notes(note("a", text(1), 1, 0)))
    uri, real = sketches_uri(place, "desk.notes"), fold.sketched

    def rival(*arguments: Any) -> pa.Table:
        made = real(*arguments)
        delta.append(uri, made, metadata={"plan_hash": "a rival's", "epoch": "0"})
        return made

    with monkeypatch.context() as patched:
        patched.setattr(fold, "sketched", rival)
        with pytest.raises(CommitConflict):
            fold_duplicates(place, [contract])
    fold_duplicates(place, [contract])
    assert delta.read(uri).num_rows == 1


def test_passages_are_cut_from_the_representative_alone(tmp_path: Path) -> None:
    place, contract = workspace(tmp_path), load_contract(CONTRACT_FILE)
    licence = text(5, 150)
    texts = {"clocks": licence, "streams": licence.replace(licence.split()[3], "changed"), "numbers": text(6, 150)}
    land(place, "docs.pages", pages(texts))
    fold_duplicates(place, [contract])
    plan = apply_definitions(place)
    built = build_gold(place, plan, ["package_passages"])[0]
    assert built.folded == 1
    table = delta.read(delta.table_uri(place.tables, "gold", "package_passages"))
    assert set(table["package"].to_pylist()) == {"clocks", "numbers"}
    assert build_gold(place, plan, ["package_passages"])[0].up_to_date
    collected_again = pages({"clocks": text(8, 150)}, collected=60).set_column(
        pages().schema.get_field_index("_offset"), "_offset", pa.array([77], pa.int64())
    )
    land(place, "docs.pages", collected_again)
    fold_duplicates(place, [contract])
    build_gold(place, plan, ["package_passages"])
    table = delta.read(delta.table_uri(place.tables, "gold", "package_passages"))
    assert set(table["package"].to_pylist()) == {"clocks", "streams", "numbers"}, "what stood for it says something else now"


def test_a_contract_that_folds_nothing_is_left_out_or_refused(tmp_path: Path) -> None:
    contract = notes_contract(near_duplicates=None)
    assert fold_duplicates(workspace(tmp_path), [contract, notes_contract()]) == []
    with pytest.raises(DefinitionInvalid, match="nearDuplicates"):
        plan_of(contract)


def test_no_text_stands_in_either_table(tmp_path: Path) -> None:
    place = workspace(tmp_path)
    secret = "write to max@example.org about the plan of tomorrow"  # noqa: S105  no password
    land(place, "desk.notes", notes(note("a", secret, 1, 0), note("b", secret, 2, 1)))
    fold_duplicates(place, [notes_contract()])
    for uri in (sketches_uri(place, "desk.notes"), duplicates_uri(place.tables, "desk.notes")):
        held: Sequence[bytes] = [file.read_bytes() for file in Path(uri).rglob("*") if file.is_file()]
        assert held
        assert b"max@example.org" not in b"".join(held)
        assert "example" not in str(delta.read(uri).to_pylist())
