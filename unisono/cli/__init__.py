"""The command `unisono`: options are read here, the work is done elsewhere. One file per command.

A command's file has `add`, which declares its options, and `load`, which imports the program behind it.
Nothing is imported before `load` is called, so `--help` does not wait for torch.
"""

from unisono.cli.entry import main, parser

__all__ = ["main", "parser"]
