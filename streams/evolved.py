"""What a row has beyond its contract's columns, on its way through clean: texts made regular and masked, then one JSON object.

Nothing is known of such a field, so its texts are what an unclassified field's are: free text, in which personal data is
masked (law L6). An object or array becomes JSON text, its own names masked too: a name may be a person's address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import polars as pl

from contracts.contract import Contract, Field

Mask = Callable[[pl.DataFrame, Contract], pl.DataFrame]
"""Returns rows of a contract as they may leave the clean hop."""

TEXT = "text"


def beyond_columns(
    rows: pl.DataFrame,
    positions: np.ndarray,
    evolved: Mapping[int, Mapping[str, Any]],
    wider: frozenset[str],
    contract: Contract,
    mask: Mask,
) -> pl.Series | None:
    """Return what the rows have beyond the contract's columns, values of columns that are wider than they included; or None."""
    if not (evolved or wider) or not len(positions):
        return None
    found = [dict(evolved.get(at, {})) for at in positions.tolist()]
    for name in sorted(wider):
        for item, number in zip(found, rows[name].to_list(), strict=True):
            if number is not None:
                item[name] = number
    return evolved_texts(found, contract, mask) if any(found) else None


def evolved_texts(found: Sequence[Mapping[str, Any] | None], contract: Contract, mask: Mask) -> pl.Series:
    """Return, by row, what it has beyond the contract's columns as the text of one JSON object of scalars; null for nothing."""
    texts = list(dict.fromkeys(text for item in found if item for text in _texts(item)))
    masked = _masked(texts, contract, mask)
    made = [_written(item, masked) if item else None for item in found]
    return pl.Series("evolved", made, pl.String)


def _masked(texts: Sequence[str], contract: Contract, mask: Mask) -> Mapping[str, str]:
    """Return each text as the contract's free text would come out."""
    if not texts:
        return {}
    unclassified = _unclassified(contract)
    rows = mask(pl.DataFrame({TEXT: pl.Series(texts, dtype=pl.String)}), unclassified)
    return dict(zip(texts, rows[TEXT].to_list(), strict=True))


def _unclassified(contract: Contract) -> Contract:
    """Return a contract of one text of which nothing is known, in the place of this one."""
    return replace(contract, fields=(Field(TEXT, "string"),), subject=None)


def _texts(item: Any, *, names: bool = False) -> Iterator[str]:
    """Yield every text in a value; of an object within it, the names too."""
    if isinstance(item, str):
        yield item
    elif isinstance(item, Mapping):
        for name, part in item.items():
            if names:
                yield name
            yield from _texts(part, names=True)
    elif isinstance(item, list):
        for part in item:
            yield from _texts(part, names=True)


def _written(item: Mapping[str, Any], masked: Mapping[str, str]) -> str:
    scalars = {name: _scalar(_replaced(part, masked)) for name, part in item.items()}
    return orjson.dumps(scalars, option=orjson.OPT_SORT_KEYS).decode()


def _scalar(item: Any) -> Any:
    return orjson.dumps(item).decode() if isinstance(item, dict | list) else item


def _replaced(item: Any, masked: Mapping[str, str]) -> Any:
    if isinstance(item, str):
        return masked[item]
    if isinstance(item, Mapping):
        return _renamed((masked[name], _replaced(part, masked)) for name, part in item.items())
    return [_replaced(part, masked) for part in item] if isinstance(item, list) else item


def _renamed(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of items whose names masking may have made the same: then each later one is numbered, none is lost."""
    made: dict[str, Any] = {}
    for name, part in items:
        free = name
        number = 1
        while free in made:
            number += 1
            free = f"{name}~{number}"
        made[free] = part
    return made
