"""Features of the flights example: how late an aircraft, a carrier, an airport and a route have been, and the weather."""

from datetime import timedelta

from feast import Aggregation, Entity, FeatureService, Field, ValueType
from feast.stream_feature_view import StreamFeatureView
from feast.types import Float64, Int64, String

from features.declarations import Label, TrainingSet
from features.sources import silver

aircraft = Entity(name="aircraft", join_keys=["tailnum"], value_type=ValueType.STRING, description="A plane, by its tail number.")
carrier = Entity(name="carrier", join_keys=["carrier"], value_type=ValueType.STRING, description="An airline, by its IATA code.")
origin = Entity(name="origin", join_keys=["origin"], value_type=ValueType.STRING, description="The airport that is left.")
route = Entity(name="route", join_keys=["route"], value_type=ValueType.STRING, description="Origin and destination: EWR-IAH.")

WINDOWS = {"1h": timedelta(hours=1), "3h": timedelta(hours=3), "24h": timedelta(hours=24)}
SLIDE = timedelta(minutes=5)


def departures_of(entity: Entity) -> StreamFeatureView:
    """Return the view of an entity's departures: how many, and how late in the mean, over each window."""
    key, view = entity.join_key, f"{entity.name}_departures"
    delays = [
        Aggregation("departure_delay_minutes", "mean", window, SLIDE, f"{entity.name}_departure_delay_mean_{name}")
        for name, window in WINDOWS.items()
    ]
    counts = [
        Aggregation("flight_id", "count", window, SLIDE, f"{entity.name}_departure_count_{name}")
        for name, window in WINDOWS.items()
    ]
    return StreamFeatureView(
        name=view,
        description=f"Departures of the {entity.name}: count, and mean delay in minutes.",
        entities=[entity],
        ttl=timedelta(days=2),
        source=silver("flights.departed", timestamp_field="departed_at", view=view),
        timestamp_field="departed_at",
        schema=[
            Field(name=key, dtype=String),
            *(Field(name=delay.name, dtype=Float64) for delay in delays),
            *(Field(name=count.name, dtype=Int64) for count in counts),
        ],
        aggregations=[*delays, *counts],
    )


carrier_departures = departures_of(carrier)
origin_departures = departures_of(origin)
route_departures = departures_of(route)

aircraft_last_arrival = StreamFeatureView(
    name="aircraft_last_arrival",
    description="How late the aircraft was when it last landed after a flight out of New York.",
    entities=[aircraft],
    ttl=timedelta(days=7),
    source=silver("flights.arrived", timestamp_field="arrived_at", view="aircraft_last_arrival"),
    timestamp_field="arrived_at",
    schema=[Field(name="tailnum", dtype=String), Field(name="arrival_delay_minutes", dtype=Int64)],
)

origin_weather = StreamFeatureView(
    name="origin_weather",
    description="The last weather observed at the airport.",
    entities=[origin],
    ttl=timedelta(hours=6),
    source=silver("flights.weather", timestamp_field="observed_at", view="origin_weather"),
    timestamp_field="observed_at",
    schema=[
        Field(name="origin", dtype=String),
        Field(name="temperature_f", dtype=Float64),
        Field(name="humidity_percent", dtype=Float64),
        Field(name="wind_speed_mph", dtype=Float64),
        Field(name="wind_gust_mph", dtype=Float64),
        Field(name="precipitation_inches", dtype=Float64),
        Field(name="pressure_millibars", dtype=Float64),
        Field(name="visibility_miles", dtype=Float64),
    ],
)

flight_delay = FeatureService(
    name="flight_delay",
    description="What is known, when a flight is due to leave, of how late it may arrive.",
    features=[aircraft_last_arrival, carrier_departures, origin_departures, route_departures, origin_weather],
)

late_arrivals = TrainingSet(
    name="flight_delay",
    description="Will this flight arrive more than 15 minutes late? Asked at scheduled departure.",
    service="flight_delay",
    spine="flights.scheduled",
    timestamp="scheduled_at",
    keep=("flight_id",),
    label=Label(
        name="arrives_late",
        dataset="flights.arrived",
        on=("flight_id",),
        column="arrival_delay_minutes",
        comparison=">",
        threshold=15,
    ),
)
