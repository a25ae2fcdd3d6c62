"""What each thing that is derived from a contract does when the contract changes: a line a thing, by the kind of change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from contracts.evolution import Change, Grade, Kind

Things = Mapping[str, str]

TABLE: Mapping[Kind, Things] = {
    "words": {"docs": "says the new words"},
    "name": {
        "topics": "new ones, named anew: producers must move",
        "Delta": "a new table, empty",
        "Feast": "sources that name the old dataset find no new rows",
    },
    "topic": {"topics": "must be made anew: a topic keeps the partitions and the wrapping that it was made with"},
    "event time": {
        "Feast": "every feature view on it is built anew: its windows are of another time",
        "expectations": "freshness is asked of another column",
    },
    "key": {
        "topics": "clean records get another key, and with it another partition on engines that go by key",
        "Delta": "rows before and after are no more found by one key",
        "expectations": "uniqueness is asked of other columns",
        "Feast": "entities that join on the old key join no more",
    },
    "field added": {
        "Arrow": "one column more",
        "Delta": "one column more, in the commit of the first row under the new contract; null in all rows before",
        "masking": "as its classification and mask say",
        "JSON Schema": "one property more",
        "expectations": "its rules are asked of rows under the new contract",
        "Feast": "one field more to declare features on",
    },
    "field removed": {
        "Arrow": "one column less",
        "Delta": "the column stays, null in new rows",
        "JSON Schema": "records that carry it are refused, or as the mode says",
        "expectations": "nothing is asked of it any more",
        "Feast": "features on it get no new values",
    },
    "type": {
        "Arrow": "another type",
        "Delta": "integer to number: all rows are written anew in one commit; anything else is refused at the start of land",
        "JSON Schema": "another type",
        "expectations": "another type is asked",
        "Feast": "the field's type changes: views on it are applied anew",
    },
    "required": {
        "Arrow": "may be null, or may not any more",
        "Delta": "an existing column stays as it is: what it holds is history",
        "JSON Schema": "required, or no more",
        "expectations": "nulls are refused, or allowed",
    },
    "rule": {
        "JSON Schema": "asks more of new records, or less",
        "expectations": "asks more of the landed table, or less: rows before may break it",
    },
    "masking": {
        "masking": "new rows are treated otherwise than those before: what was joined by a hash or a placeholder may not join",
        "Delta": "rows before stay as they were masked: headwater replay treats them as today",
        "Feast": "features on it see both, old and new",
    },
    "mode": {"topics": "other records become dead letters from the restart on"},
    "plan": {"Delta": "new rows are made by the new plan; what is folded or cut on the way to gold is made anew"},
    "unknown": {"all": "nothing here knows what follows from it"},
}


def effects(change: Change) -> Things:
    """Return what each derived thing does, by its name; only those that do anything."""
    return TABLE[change.kind]


def touched(changes: Sequence[Change], users: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Return, by column, who uses those that change in more than words: `users` names them by column."""
    columns = {_column(change.field) for change in changes if change.grade > Grade.DOCUMENTATION and change.field}
    return {column: tuple(users[column]) for column in sorted(columns) if users.get(column)}


def _column(field: str) -> str:
    return field.split(".", 1)[0].removesuffix("[]")
