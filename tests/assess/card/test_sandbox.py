"""The sandbox holds: no network, no files but its own, limits of time, memory and size."""

import pytest

pytest.importorskip("inspect_ai")
from unisono.assess.card import sandbox
from unisono.assess.card.sandbox import Limits, run, run_python

pytestmark = pytest.mark.skipif(bool(sandbox.missing()), reason="no namespaces here")


def test_a_program_runs_and_its_end_is_told() -> None:
    ran = run_python("import sys; print(6 * 7); print('no', file=sys.stderr); sys.exit(3)")
    assert (ran.status, ran.stdout, ran.stderr) == (3, "42\n", "no\n")


def test_there_is_no_network() -> None:
    ran = run_python("import socket; socket.create_connection(('127.0.0.1', 9), 2)")
    assert ran.status == 1 and "Network is unreachable" in ran.stderr
    ran = run_python("import os; print(os.listdir('/sys/class/net') if os.path.exists('/sys') else 'none')")
    assert ran.stdout == "none\n"


def test_the_time_limit_ends_it_and_its_children() -> None:
    forks = "import os, time\nfor _ in range(5): os.fork()\ntime.sleep(600)"
    ran = run_python(forks, Limits(wall_s=1.5))
    assert ran.timed_out and ran.status is None


def test_the_memory_limit() -> None:
    ran = run_python("held = bytearray(300 * 2**20)", Limits(memory_mb=200))
    assert ran.status == 1 and "MemoryError" in ran.stderr


def test_files_and_prints_are_limited() -> None:
    assert "File too large" in run_python("open('x', 'wb').write(bytes(3 * 2**20))", Limits(file_mb=1)).stderr
    ran = run_python("print('x' * 3 * 2**20)", Limits(file_mb=1))
    assert ran.status != 0 and len(ran.stdout) <= sandbox.MAX_OUTPUT


def test_it_sees_and_writes_nothing_outside(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    (tmp_path / "private").write_text("secret")
    tried = f"""
import os
print(os.path.exists({str(tmp_path)!r}), 'OPENAI_API_KEY' in os.environ, os.path.exists('/etc/passwd'))
for path in ('/usr/x', '/x/y', {str(tmp_path / "new")!r}):
    try:
        open(path, 'w')
        print('written', path)
    except OSError:
        pass
print(len([name for name in os.listdir('/proc') if name.isdigit()]))
"""
    ran = run_python(tried)
    assert ran.stdout == "False False False\n1\n", ran
    assert not (tmp_path / "new").exists()


def test_what_is_written_in_work_stays_for_the_next_command() -> None:
    with sandbox.folder({"in/a.txt": b"hello"}) as work:
        assert run(["sh", "-c", "cat in/a.txt > b.txt"], work).status == 0
        assert run(["cat", "b.txt"], work).stdout == "hello"
