"""A small model on a training set, to show that its features carry something: scikit-learn's defaults, nothing tuned.

Split by time, never at random: the first four fifths teach, the last fifth judges, as a model in use judges the future.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from contracts.errors import NotFound
from features.training import AT

TRAIN_SHARE = 0.8
ROWS_LEAST = 50


@dataclass(frozen=True)
class Score:
    """How the model did on the last part of the rows, beside what guessing gives."""

    train_rows: int
    test_rows: int
    split_at: str
    base_rate: float
    """Share of the test rows whose label is true: the average precision of guessing."""
    accuracy: float
    majority_accuracy: float
    """Accuracy of always answering what was most common in training."""
    roc_auc: float
    average_precision: float

    @property
    def beats_base_rate(self) -> bool:
        """Whether the model ranks better than guessing does."""
        return self.average_precision > self.base_rate and self.roc_auc > 0.5


def fit(rows: pl.DataFrame, features: Sequence[str], label: str) -> Score:
    """Train on the first rows by time and judge on the last. Raises NotFound where there are too few rows, or one answer only."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415  scikit-learn takes seconds to load
    from sklearn.metrics import accuracy_score, average_precision_score, roc_auc_score  # noqa: PLC0415
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

    train, test = split_by_time(rows)
    numeric = [name for name in features if rows[name].dtype.is_numeric()]
    for part in (train, test):
        if part.height < ROWS_LEAST // 5 or part[label].n_unique() < 2:
            raise NotFound(
                "too little to learn from", expected=f"{ROWS_LEAST} rows or more with both answers", remedy="build from more days"
            )
    x_train, x_test = (part.select(pl.col(numeric).cast(pl.Float64)).to_numpy() for part in (train, test))
    y_train, y_test = (part[label].cast(pl.Int8).to_numpy() for part in (train, test))
    # One thread: OpenMP's threads wait by spinning, and on a busy machine two of them took ten times as long as one.
    with threadpool_limits(limits=1):
        model = HistGradientBoostingClassifier(random_state=0).fit(x_train, y_train)
        chance = model.predict_proba(x_test)[:, 1]
    common = int(y_train.mean() >= 0.5)
    return Score(
        train_rows=train.height,
        test_rows=test.height,
        split_at=test[AT][0].isoformat(),
        base_rate=float(y_test.mean()),
        accuracy=float(accuracy_score(y_test, chance >= 0.5)),
        majority_accuracy=float((y_test == common).mean()),
        roc_auc=float(roc_auc_score(y_test, chance)),
        average_precision=float(average_precision_score(y_test, chance)),
    )


def split_by_time(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the first and the last rows by time, those of one moment all on one side."""
    ordered = rows.sort(AT, maintain_order=True)
    if ordered.is_empty():
        return ordered, ordered
    moment = ordered[AT][min(int(ordered.height * TRAIN_SHARE), ordered.height - 1)]
    return ordered.filter(pl.col(AT) < moment), ordered.filter(pl.col(AT) >= moment)
