"""What the server does to everything that it says and draws: each guard is a switch (docs/guards.md)."""

import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as Pictures

from unisono.core.errors import UserError
from unisono.provenance import manifest
from unisono.provenance.watermark import Watermark
from unisono.speakers.guard import VoiceGuard, Watch

NAMES = {
    "watermark": "speech carries a watermark",
    "c2pa": "drawings carry a signed C2PA manifest",
    "voice": "speech in another voice than the chosen one is cut off",
}

USUAL = ("watermark", "c2pa")  # where none are named; `voice` has to be named, see docs/guards.md


@dataclass(frozen=True)
class Guards:
    """Which guards are on. `signer`: None leaves drawings without a manifest."""

    watermark: bool = True
    signer: manifest.Signer | None = None
    voice: VoiceGuard | None = None

    def on(self) -> dict[str, bool]:
        """Each guard by its name, and whether it is on."""
        return {
            "watermark": self.watermark,
            "c2pa": self.signer is not None,
            "voice": self.voice is not None,
        }

    def mark(self, rate: int, speed: float = 1.0) -> Watermark | None:
        """A watermark for one stream of speech; None where that guard is off."""
        return Watermark(rate, speed=speed) if self.watermark else None

    def watch(self, voice: str, rate: int) -> Watch | None:
        """Listens to one reply in a voice of the network; None where that guard is off."""
        return self.voice.watch(voice, rate) if self.voice else None

    def file_of(
        self, picture: Pictures.Image, format: str = "png", *, is_composite: bool = False, **options: Any
    ) -> bytes:
        """A drawing -> its file, png, jpeg or webp. is_composite: the network did not draw all of it."""
        file = io.BytesIO()
        picture.save(file, format.upper(), **options)
        if self.signer is None:
            return file.getvalue()
        return self.signer.sign(file.getvalue(), format, is_composite=is_composite)


def chosen(
    names: Sequence[str] | None,
    folder: str | Path,
    certificate: str | Path | None = None,
    key: str | Path | None = None,
) -> tuple[Guards, dict[str, str]]:
    """Names of guards -> the guards of the network in `folder`, and {name: why} of those that are off.

    None: the usual ones that this installation can have. UserError where one that was named cannot be had.
    """
    wanted = list(USUAL if names is None else names)
    if unknown := [name for name in wanted if name not in NAMES]:
        raise UserError(f"no guard {unknown[0]!r}; choose from {', '.join(NAMES)}, or none")
    off = {name: "switched off" for name in NAMES if name not in wanted}
    if certificate and "c2pa" in off:
        raise UserError("--c2pa-cert needs the guard c2pa; add it to --guards")
    if "c2pa" in wanted and (reason := manifest.missing()) is not None:
        if names is not None or certificate:
            raise UserError(reason)
        off["c2pa"] = reason
    signer = None if "c2pa" in off else manifest.Signer(certificate, key)
    voice = None
    if "voice" in wanted:
        voice = VoiceGuard.load(folder)
    return Guards(watermark="watermark" in wanted, signer=signer, voice=voice), off


def tell(guards: Guards, off: dict[str, str]) -> None:
    """Says at the start of the server which guards are off, and what the certificate is worth."""
    for name, reason in off.items():
        print(f"guard {name} is off ({NAMES[name]} when it is on): {reason}", file=sys.stderr, flush=True)
    if guards.signer is not None and guards.signer.is_development:
        print(
            "C2PA manifests are signed by a development certificate of this machine "
            f"({manifest.folder()}): it shows that a drawing is unchanged, not who runs this server; "
            "use --c2pa-cert and --c2pa-key for one of your own",
            file=sys.stderr,
            flush=True,
        )
