"""Two replicas behind one address, as Ray Serve runs them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from conftest import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_two_replicas_answer(tiny_network: Path) -> None:
    pytest.importorskip("ray.serve", reason="needs pip install 'unisono[ray]'")
    port = free_port()
    script = (
        "import ray, sys, time; from ray import serve; from unisono.serve.ray_app import app\n"
        "ray.init(num_cpus=3, include_dashboard=False)\n"
        f"serve.start(http_options={{'host': '127.0.0.1', 'port': {port}}})\n"
        "serve.run(app({'replicas': 2})); print('ready', flush=True); time.sleep(300)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "UNISONO_MODEL": str(tiny_network), "PYTHONPATH": str(ROOT)},
    ) as process:
        try:
            while "ready" not in (line := process.stdout.readline()):
                assert line, "Ray did not start"
            processes = set()
            until = time.monotonic() + 30
            while len(processes) < 2 and time.monotonic() < until:
                processes.add(httpx.get(f"http://127.0.0.1:{port}/health").json()["process"])
            assert len(processes) == 2
            assert httpx.get(f"http://127.0.0.1:{port}/v1/models").json()["object"] == "list"
            assert (
                httpx.get(f"http://127.0.0.1:{port}/v1/nothing").json()["error"]["type"] == "not_found_error"
            )
        finally:
            process.terminate()
            process.wait(60)
