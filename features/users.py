"""Who uses a dataset's columns: feature views, services and training sets, read out of the applied plan."""

from __future__ import annotations

from features.declarations import TrainingSet
from features.plan import Plan, View


def column_users(plan: Plan, dataset: str) -> dict[str, tuple[str, ...]]:
    """Return, by column of the dataset, what would notice a change of it, in the order of the alphabet."""
    users: dict[str, set[str]] = {}
    for view in plan.views.values():
        if view.dataset == dataset:
            told = {f"feature view {view.name}", *_above(plan, view)}
            for column in _columns(view):
                users.setdefault(column, set()).update(told)
    for wanted in plan.training_sets.values():
        for column in _asked(wanted, dataset):
            users.setdefault(column, set()).add(f"training set {wanted.name}")
    return {column: tuple(sorted(told)) for column, told in sorted(users.items())}


def _columns(view: View) -> set[str]:
    """Return the columns that a view is made of: keys, its clock, and what it aggregates, embeds or hands on."""
    taken = {window.column for window in view.windows if window.column}
    handed = set() if view.windows else {feature.name for feature in view.features}
    embedded = {feature.embeds for feature in view.features if feature.embeds}
    return {*view.keys, view.event_time, *view.current_by, *taken, *handed, *embedded}


def _asked(wanted: TrainingSet, dataset: str) -> set[str]:
    """Return the columns that a training set takes from the dataset itself: as its spine, or for its label."""
    label = wanted.label
    spine = {wanted.timestamp, *label.on, *wanted.keep} if wanted.spine == dataset else set()
    return spine | ({label.column, *label.on} if label.dataset == dataset else set())


def _above(plan: Plan, view: View) -> set[str]:
    services = {name for name, service in plan.services.items() if view.name in service.views}
    sets = {name for name, wanted in plan.training_sets.items() if wanted.service in services}
    return {*(f"feature service {name}" for name in services), *(f"training set {name}" for name in sets)}
