"""C2PA manifests: signed by the development certificate or one's own, read back, broken by any change."""

import io
import stat
import sys
from pathlib import Path

import pytest
from conftest import drawing
from PIL import Image

from unisono.core.errors import UserError
from unisono.provenance import manifest
from unisono.provenance.manifest import Signer, read_manifest
from unisono.serve.reply.guards import Guards, chosen

pytest.importorskip("c2pa")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UNISONO_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
def test_a_signed_drawing_is_valid_until_it_is_changed(format: str) -> None:
    plain = Guards().file_of(drawing(), format)
    content = Guards(signer=Signer()).file_of(drawing(), format)
    assert read_manifest(plain, f"image/{format}") is None
    found = read_manifest(content, f"image/{format}")
    assert found and found.state == "valid" and found.is_ours and found.is_generated
    assert found.issuer == "Unisono" and found.generated_at
    shown = Image.open(io.BytesIO(content)).convert("RGB")
    assert shown.tobytes() == Image.open(io.BytesIO(plain)).convert("RGB").tobytes()
    data = {"png": b"IDAT", "jpeg": b"\xff\xda", "webp": b"VP8"}[format]
    place = content.rindex(data) + 40
    changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    broken = read_manifest(changed, f"image/{format}")
    assert broken and broken.state == "invalid" and not broken.is_ours


def test_the_development_certificate_is_made_once_and_its_key_is_private(own_home: Path) -> None:
    first = manifest.development_certificate()
    told = [path.read_bytes() for path in first]
    assert [path.read_bytes() for path in manifest.development_certificate()] == told
    assert first[0].is_relative_to(own_home) and b"PRIVATE" not in told[0]
    if sys.platform != "win32":
        assert stat.S_IMODE(first[1].stat().st_mode) == 0o600


def test_a_certificate_of_ones_own(tmp_path: Path) -> None:
    chain, key = manifest.development_certificate()
    own = [path.rename(tmp_path / path.name) for path in (chain, key)]
    guards, _ = chosen(["c2pa"], tmp_path, *own)
    assert guards.signer and not guards.signer.is_development and not chain.exists()
    assert read_manifest(guards.file_of(drawing()), "image/png")
    own[1].write_text("no key")
    for paths in ((own[0], own[1]), (own[0], tmp_path / "nothing.pem"), (own[0], None)):
        with pytest.raises(UserError, match="expected|needs its key"):
            Signer(*paths)


def test_guards_are_chosen_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guards, off = chosen([], tmp_path)
    assert not guards.watermark and guards.signer is None and set(off.values()) == {"switched off"}
    with pytest.raises(UserError, match="no guard 'moat'"):
        chosen(["moat"], tmp_path)
    monkeypatch.setitem(sys.modules, "c2pa", None)
    guards, off = chosen(None, tmp_path)
    assert guards.watermark and guards.signer is None and "unisono[provenance]" in off["c2pa"]
    assert guards.voice is None and off["voice"]
    with pytest.raises(UserError, match="unisono\\[provenance\\]"):
        chosen(["c2pa"], tmp_path)
