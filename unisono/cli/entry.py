"""Reads the command line and runs one command. A fault becomes one sentence and an exit status."""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence

from unisono import __version__
from unisono.cli import assess, bench, card, chat, data, export, forecast, provenance, serve, show, train
from unisono.core.errors import UserError
from unisono.core.home import NO_ROOM

EPILOG = """examples:
  unisono chat                                            talk in the terminal
  unisono chat --image cat.png "What is this?"            one question, one answer
  unisono chat --audio question.wav --out text,audio      ask aloud, be answered aloud
  unisono chat --out image "Draw a red circle."           a picture
  unisono show "Hello" --image cat.png                    the ids that the network reads
  unisono serve --open                                    the page, and OpenAI's API
  unisono data add facts chats.jsonl                      your own data; then:
  unisono train network --data facts --name mine          fine-tune the network with it
  runs/cpu.sh DATA                                        train everything from raw data"""
COMMANDS = (chat, show, data, train, serve, export, bench, assess, card, forecast, provenance)


def parser() -> argparse.ArgumentParser:
    """All commands with their options; a parsed command line holds the `load` of its command."""
    top = argparse.ArgumentParser(
        prog="unisono",
        description="One network that hears, sees, reads, writes, speaks and draws.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"unisono {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command -> exit status: 0, or 2 with one sentence on standard error."""
    if sys.stdout is None:  # `>&-`: what is said would be lost, and the next open file take its place
        print("unisono: standard output is closed; leave it open, or send it to /dev/null", file=sys.stderr)
        return 2
    for stream in (sys.stdin, sys.stdout):
        if hasattr(stream, "reconfigure"):  # a letter that a terminal cannot show is no reason to stop
            stream.reconfigure(errors="replace")
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(words, argparse.Namespace(words=words))
    try:
        return loaded(arguments)()
    except UserError as error:
        print(f"unisono: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("unisono: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has left, e.g. `| head`
        _close_output()
        return 1
    except OSError as error:  # a full disk, a folder that cannot be made, a file that may not be read
        print(f"unisono: {explained(error)}", file=sys.stderr)
        if not error.filename:  # standard output itself: nothing more can be said there
            _close_output()
        return 2


def loaded(arguments: argparse.Namespace) -> Callable[[], int]:
    """Imports what the command needs -> the call that carries it out.

    What is imported stays in memory. So the garbage collector does not look at it, neither during the
    import (a sixth of whose time that takes) nor later.
    """
    gc.disable()
    try:
        program: Callable[[], int] = arguments.load(arguments)
        gc.freeze()
    finally:
        gc.enable()
    return program


def explained(error: OSError) -> str:
    """What the system refused, where, and what to do, in one line."""
    where = f" ({error.filename})" if error.filename else ""
    hint = "; check this path and its permissions" if where else ""
    if error.errno in NO_ROOM:
        hint = "; choose another place or free some space"
    return f"{error.strerror or error}{where}{hint}"


def _close_output() -> None:
    """Standard output leads nowhere from now on, so that Python does not complain when it closes it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
