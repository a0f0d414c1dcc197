"""Files from elsewhere: any address that fsspec knows (s3://, gs://, https://, memory://, file://) becomes a
local copy, which is read like any other folder.
"""

from pathlib import Path
from typing import Any

from unisono.core.errors import UserError
from unisono.core.home import NO_ROOM, atomic_write

MANIFEST = "manifest.json"  # of a shard; written last, also here


def is_address(text: str) -> bool:
    """Whether it names a store and not a path of this machine."""
    return "://" in text


def fetched(address: str, folder: Path) -> Path:
    """Copies a file or everything in a folder of a store into `folder` -> where it lies. What is there in the
    same size is not copied again. UserError where the store cannot be reached or holds nothing there.
    """
    try:
        import fsspec
    except ImportError:
        raise UserError(
            f"reading {address} needs fsspec; install it with: pip install 'unisono[store]'"
        ) from None
    try:
        files, root = fsspec.core.url_to_fs(address)
        found = {root: files.info(root)} if files.isfile(root) else files.find(root, detail=True)
        for path in sorted(found, key=lambda path: (path.endswith(MANIFEST), path)):
            name = Path(path).relative_to(root).as_posix() if path != root else Path(root).name
            _copy(files, path, found[path].get("size"), folder / name)
    except UserError:
        raise
    except Exception as error:  # every store has errors of its own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise UserError(
            f"cannot read {address} ({reason}); check the address, the network and your access to the store"
        ) from None
    if not found:
        raise UserError(f"there is nothing at {address}; check the address")
    return folder / Path(root).name if root in found else folder


def _copy(files: Any, path: str, size: int | None, target: Path) -> None:
    """One file, whole or not at all."""
    if target.exists() and target.stat().st_size == size:
        return

    def copy(part: Path) -> None:
        try:
            files.get_file(path, str(part))
        except OSError as error:
            if error.errno in NO_ROOM:
                raise
            raise RuntimeError(str(error)) from error  # the store's fault, not that of this disk

    target.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(target, copy)
    if size is not None and target.stat().st_size != size:
        target.unlink()
        raise UserError(f"{path} came cut short; run the command again")
