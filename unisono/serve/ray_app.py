"""The same server as a Ray Serve application: N replicas behind one address.

    pip install "unisono[ray]"
    serve run unisono.serve.ray_app:app replicas=4

Keys come from UNISONO_API_KEYS, the network from UNISONO_MODEL (default: the weights in the package). What a
client refers to later (stored responses, spoken answers, files, calls) is kept by the replica that made it.
"""

import os
from typing import Any

from ray import serve
from starlette.types import ASGIApp

from unisono.core.home import default_weights
from unisono.serve.app import create_app
from unisono.serve.reply.service import Service
from unisono.serve.wire.access import Settings

MAX_ONGOING = 96  # requests and open sessions of one replica


def build() -> ASGIApp:
    """One replica's application; called where it runs."""
    keys = tuple(key.strip() for key in os.environ.get("UNISONO_API_KEYS", "").split(",") if key.strip())
    return create_app(Service(os.environ.get("UNISONO_MODEL") or default_weights()), Settings(keys=keys))


def app(arguments: dict[str, Any]) -> serve.Application:
    """What `serve run` starts; `replicas=N` (default 2)."""
    deployment = serve.deployment(serve.ingress(build)(), name="unisono")
    return deployment.options(
        num_replicas=int(arguments.get("replicas", 2)),
        max_ongoing_requests=MAX_ONGOING,
        ray_actor_options={"num_cpus": float(arguments.get("cpus", 1))},
    ).bind()
