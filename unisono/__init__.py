"""Unisono: one network that hears, sees, reads, writes, speaks and draws.

omni = unisono.load()
reply = omni.reply("What is this?", unisono.picture("cat.png"), outputs=("text", "audio"))
unisono.save_sound("reply.wav", reply.pcm, omni.sample_rate)
"""

from typing import Any

__version__ = "0.1.0"
_PUBLIC = {
    "load": ("unisono.omni", "Omni"),
    "picture": ("unisono.media", "read_picture"),
    "sound": ("unisono.media", "read_sound"),
    "clip": ("unisono.media", "read_footage"),
    "save_sound": ("unisono.media", "write_sound"),
    "UserError": ("unisono.core.errors", "UserError"),
}
__all__ = list(_PUBLIC)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def __getattr__(name: str) -> Any:
    """Imports what is asked for: `import unisono` alone costs nothing."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'unisono' has no attribute {name!r}; it offers {', '.join(_PUBLIC)}")
    from importlib import import_module

    module, attribute = _PUBLIC[name]
    return getattr(import_module(module), attribute)
