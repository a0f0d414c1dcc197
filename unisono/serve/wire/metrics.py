"""What /metrics shows to Prometheus. Counts and times only, never content."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("unisono_requests_total", "Requests by route and status", ["route", "status"])
SECONDS = Histogram(
    "unisono_request_seconds",
    "Time from request to the end of its answer",
    ["route"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
IN_FLIGHT = Gauge("unisono_requests_in_flight", "Requests and sessions that are open")
IDS = Counter("unisono_ids_total", "Ids by modality and direction", ["modality", "direction"])
FIRST_SOUND = Histogram(
    "unisono_turn_seconds",
    "Realtime: from the end of a person's speech to the first sound sent",
    buckets=(0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.6, 1, 2),
)
SESSIONS = Gauge("unisono_realtime_sessions", "Realtime sessions that are open")
