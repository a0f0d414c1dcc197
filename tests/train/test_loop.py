"""The loop: killed and resumed equals uninterrupted; checkpoints are whole; odd states are explained."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from unisono.core.errors import UserError
from unisono.train.checkpoint import save_checkpoint
from unisono.train.loop import LoopConfig, run

CONFIG = LoopConfig(
    num_steps=12, learning_rate=1e-2, warmup_steps=2, validate_every=6, device="cpu", bf16=False
)


class Line:
    """Learns a linear map from noise that depends on the step alone; dropout makes the random state
    matter.
    """

    def __init__(self, muon: bool = False) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Linear(8, 2))
        self.modules, self.origin = {"line": (self.model, self.loss)}, ""
        self.steps: list[int] = []

    def batch(self, step: int) -> dict[str, torch.Tensor]:
        self.steps.append(step)
        return {"x": torch.randn(16, 4, generator=torch.Generator().manual_seed(step))}

    def loss(self, batch: dict[str, torch.Tensor], step: int):
        loss = (self.model(batch["x"]) - batch["x"][:, :2]).square().mean()
        return loss, {"loss": loss.detach()}

    def validate(self) -> dict[str, float]:
        return {"loss": 0.0}

    def save(self, folder: Path) -> None:
        torch.save(self.model.state_dict(), folder / "line.pt")


@pytest.mark.parametrize("muon", [False, True])
def test_resumed_equals_uninterrupted(tmp_path: Path, muon: bool) -> None:
    config = replace(CONFIG, muon=muon)
    whole = Line()
    run(whole, config, tmp_path / "whole")
    first = Line()
    outcome = run(first, replace(config, time_limit_s=1e-9), tmp_path / "parts")
    assert not outcome.finished and outcome.step == 1
    for _ in range(4):
        run(Line(), replace(config, time_limit_s=1e-9), tmp_path / "parts")
    last = Line()
    assert run(last, config, tmp_path / "parts").finished and last.steps == list(range(5, 12))
    for a, b in zip(whole.model.parameters(), last.model.parameters()):
        assert torch.equal(a, b)


def test_a_kill_loses_at_most_the_steps_since_the_checkpoint(tmp_path: Path) -> None:
    program = textwrap.dedent(f"""
        import sys; sys.path[:0] = {[os.getcwd(), str(Path(__file__).parent)]!r}
        import os, signal
        from dataclasses import replace
        from pathlib import Path
        from test_loop import CONFIG, Line
        from unisono.train.loop import run
        class Mortal(Line):
            def batch(self, step):
                if step == 8: os.kill(os.getpid(), signal.SIGKILL)
                return super().batch(step)
        run(Mortal(), replace(CONFIG, checkpoint_every_s=0.0), Path({str(tmp_path / "killed")!r}))
    """)
    died = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    survivor, whole = Line(), Line()
    run(survivor, CONFIG, tmp_path / "killed")
    run(whole, CONFIG, tmp_path / "whole")
    assert survivor.steps == list(range(8, 12))
    assert all(torch.equal(a, b) for a, b in zip(whole.model.parameters(), survivor.model.parameters()))


def test_damaged_and_foreign_checkpoints_are_explained(tmp_path: Path) -> None:
    run(Line(), CONFIG, tmp_path)
    other = Line()
    other.model = nn.Sequential(nn.Linear(4, 9), nn.Dropout(0.2), nn.Linear(9, 2))
    other.modules = {"line": (other.model, other.loss)}
    with pytest.raises(UserError, match="another size"):
        run(other, CONFIG, tmp_path)
    other.modules = {"curve": (other.model, other.loss)}
    with pytest.raises(UserError, match="checkpoint.pt to begin anew"):
        run(other, CONFIG, tmp_path)
    elsewhere = Line()
    elsewhere.origin = "other weights"
    with pytest.raises(UserError, match="began from other weights than there are now"):
        run(elsewhere, CONFIG, tmp_path)
    with pytest.raises(UserError, match="recipe .*checkpoint.pt to begin anew"):
        run(Line(), replace(CONFIG, muon=True), tmp_path)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(UserError, match="damaged"):
        run(Line(), CONFIG, tmp_path)


def test_a_checkpoint_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"step": 3, "players": {}})
    with pytest.raises(UserError, match="of an earlier version.*checkpoint.pt to begin anew"):
        run(Line(), CONFIG, tmp_path)


def test_a_folder_that_cannot_be_written_is_known_before_the_first_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError):
        run(None, LoopConfig(), tmp_path / "file" / "run")  # type: ignore[arg-type]


def test_a_broken_batch_is_passed_over(tmp_path: Path) -> None:
    class Broken(Line):
        def batch(self, step: int) -> dict[str, torch.Tensor]:
            batch = super().batch(step)
            return {"x": batch["x"] * float("nan")} if step == 3 else batch

    program = Broken()
    run(program, CONFIG, tmp_path)
    assert all(torch.isfinite(p).all() for p in program.model.parameters())


def test_a_finished_run_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(Line(), CONFIG, tmp_path)
    again = Line()
    outcome = run(again, replace(CONFIG, num_steps=5), tmp_path)
    assert outcome.finished and outcome.step == 12 and not again.steps
    assert "is finished after 12 steps; to go on, raise loop.num_steps" in capsys.readouterr().out


@pytest.mark.parametrize("field, value", [("num_steps", 0), ("validate_every", 0), ("seed", -1)])
def test_numbers_that_cannot_be(field: str, value: int) -> None:
    with pytest.raises(UserError, match=f"loop.{field} must be at least"):
        replace(CONFIG, **{field: value})
