"""A contract that nothing is wrong with, to break in tests."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import yaml

from contracts import lint
from contracts.connectors.files import odcs_schema
from contracts.contract import Contract

SOUND = """\
apiVersion: v3.1.0
kind: DataContract
id: urn:test:shop:orders
domain: shop
name: orders
version: 1.0.0
status: active
description:
  purpose: Orders of a made-up shop.
customProperties:
  - property: eventTime
    value: ordered_at
  - property: partitions
    value: 2
schema:
  - name: orders
    logicalType: object
    properties:
      - name: order_id
        logicalType: string
        required: true
        primaryKey: true
        primaryKeyPosition: 1
        classification: public
      - name: ordered_at
        logicalType: timestamp
        required: true
      - name: amount
        logicalType: integer
        logicalTypeOptions:
          minimum: 0
          maximum: 100
      - name: size
        logicalType: string
        logicalTypeOptions:
          minLength: 1
          maxLength: 3
          pattern: '^[A-Z]+$'
        quality:
          - type: library
            metric: invalidValues
            mustBe: 0
            arguments:
              validValues: [S, M, XL]
      - name: weight
        logicalType: number
        logicalTypeOptions:
          exclusiveMinimum: 0
          exclusiveMaximum: 50.5
      - name: buyer
        logicalType: object
        properties:
          - name: city
            logicalType: string
      - name: tags
        logicalType: array
        items:
          logicalType: string
"""


def sound() -> dict[str, Any]:
    """Return the sound contract's data, to be changed."""
    return copy.deepcopy(yaml.safe_load(SOUND))


def text_of(data: Any) -> str:
    """Return data as YAML text."""
    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))


def problems(text: str) -> tuple[lint.Problem, ...]:
    """Return the faults of a contract's text."""
    return lint.problems(text, "orders.odcs.yaml", odcs_schema())


def after(change: Callable[[dict[str, Any]], Any]) -> tuple[lint.Problem, ...]:
    """Return the faults of the sound contract after a change."""
    data = sound()
    change(data)
    return problems(text_of(data))


def read(text: str = SOUND) -> Contract:
    """Return the contract of a text."""
    return lint.read(text, "orders.odcs.yaml", odcs_schema())


def properties(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the properties of a contract's data."""
    return list(data["schema"][0]["properties"])
