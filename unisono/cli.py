"""One command: `unisono chat | serve | export | show | data | train | bench`. Only reads arguments; the work
is done elsewhere.
"""

import argparse
import gc
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from unisono import __version__
from unisono.core.errors import UserError
from unisono.core.home import NO_ROOM, home

EPILOG = """examples:
  unisono chat                                            talk in the terminal
  unisono chat --image cat.png "What is this?"            one question, one answer
  unisono chat --audio question.wav --out text,audio      ask aloud, be answered aloud
  unisono chat --out image "Draw a red circle."           a picture
  unisono show "Hello" --image cat.png                    the ids that the network reads
  runs/cpu.sh DATA                                        train everything from raw data"""
TRAINING = """examples (in this order all of them make one network; runs/cpu.sh DATA is the whole of it):
  unisono data speech --shared DATA --workers 2           sound for the audio codec
  unisono train audio-codec --minutes 30                  half an hour; the same command goes on where it stopped
  unisono train image-codec --shared DATA
  unisono data world --shared DATA --workers 2            questions and answers, spoken
  unisono data network --shared DATA --workers 2          everything as ids
  unisono train network
or go on from finished weights, with their codecs and on your own data:
  unisono data speech --shared DATA --workers 2
  unisono data world --shared DATA --workers 2
  unisono data network --shared DATA --start unisono/weights/nano
  unisono train network --name mine --set start_from=unisono/weights/nano --set loop.learning_rate=1e-3
(after other codecs than those, the rows of the codes follow the ones that the ids were made with)"""  # noqa: E501


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(
        prog="unisono",
        description="One network that hears, sees, reads, writes, speaks and draws.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"unisono {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _chat(commands.add_parser("chat", help="talk with the network in the terminal, or ask one question"))
    _show(commands.add_parser("show", help="print the ids that a conversation becomes, coloured by modality"))
    teaching = {"epilog": TRAINING, "formatter_class": argparse.RawDescriptionHelpFormatter}
    _data(commands.add_parser("data", help="build the training data: speech, then token shards", **teaching))
    _train(
        commands.add_parser(
            "train", help="train a codec or the network; resumes where it stopped", **teaching
        )
    )
    _serve(commands.add_parser("serve", help="answer OpenAI's clients: chat, speech, pictures, live voice"))
    _export(commands.add_parser("export", help="write the network for transformers, vLLM or llama.cpp"))
    _bench(commands.add_parser("bench", help="measure speed, memory and quality; writes records/"))
    return top


SIZES = ("tiny", "nano", "small", "base")


def _whole(least: int, most: int = 10**12) -> Callable[[str], int]:
    """Reads a whole number of an option."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 14 and least <= int(text) <= most):
            wanted = (
                f"from {least} to {most}"
                if most < 10**12
                else "above 0"
                if least == 1
                else f"from {least} on"
            )
            raise argparse.ArgumentTypeError(f"expected a whole number {wanted}, got {text!r}")
        return int(text)

    return read


def _size_mb(text: str) -> float:
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 < size < 1e6:
        raise argparse.ArgumentTypeError(f"expected a number of MB above 0, got {text!r}")
    return size


def _named(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError(
            "expected a folder, got nothing; leave the option out for the weights in the package"
        )
    return text


def _media(command: argparse.ArgumentParser) -> None:
    for kind, what in (("image", "a picture"), ("audio", "sound"), ("video", "a clip")):
        command.add_argument(
            f"--{kind}", action="append", default=[], metavar="FILE", help=f"attach {what}; may be repeated"
        )
    command.add_argument(
        "--model",
        type=_named,
        metavar="DIR",
        help="folder of a network (default: the weights in the package)",
    )


def _chat(command: argparse.ArgumentParser) -> None:
    command.add_argument("question", nargs="*", help="one question; without any, a conversation starts")
    _media(command)
    command.add_argument(
        "--out",
        default="text",
        metavar="LIST",
        help=(
            "what replies are made of: text,audio,image (default: text); what is said or drawn is written too"
        ),
    )
    command.add_argument("--voice", default="heart", help="voice of spoken replies (default: heart)")
    command.add_argument(
        "--save", metavar="DIR", help="where spoken and drawn replies go (default: a temporary folder)"
    )
    command.add_argument(
        "--engine",
        default="auto",
        choices=("auto", "onnx", "torch"),
        help="what computes (default: the fastest here)",
    )
    command.add_argument("--seed", type=int, help="the same seed gives the same reply")
    command.add_argument("--quiet", action="store_true", help="do not play spoken replies")
    command.add_argument("--timing", action="store_true", help="say how long loading and replies take")


def _show(command: argparse.ArgumentParser) -> None:
    command.add_argument("text", nargs="*", help="what the user writes")
    _media(command)
    command.add_argument("--reply", default="", help="what the assistant writes; shown as learned")
    command.add_argument("--svg", metavar="FILE", help="write the row of ids as a picture too")


def _data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "what",
        choices=("speech", "world", "network"),
        help=(
            "speech: sound for the audio codec; world: the small world's sentences spoken; network: token "
            "shards"
        ),
    )
    command.add_argument(
        "--shared",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with the recordings, pictures and texts",
    )
    command.add_argument(
        "--workers",
        type=_whole(1),
        default=1,
        metavar="N",
        help="processes that speak, or encode, at once (default: 1)",
    )
    command.add_argument("--size", default="nano", choices=SIZES, help="whose token shards (default: nano)")
    command.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="share of the usual amount, e.g. 0.01 to try the path (default: 1)",
    )
    command.add_argument(
        "--max-mb",
        type=float,
        default=float("inf"),
        metavar="MB",
        help=(
            "network: leave out documents by chance until the shard is so small, e.g. 60 for a GPU that is "
            "far away"
        ),
    )
    command.add_argument(
        "--seed",
        type=_whole(1),
        default=1,
        metavar="N",
        help="network: each number makes a shard of other scenes and questions, heard otherwise; the "
        "network is "
        "trained on all shards (default: 1)",
    )
    command.add_argument(
        "--start",
        type=_named,
        metavar="DIR",
        help="network: with the tokenizer and codecs of this finished network, so that it can go on",
    )
    _run_options(command)


def _train(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "what",
        choices=("audio-codec", "audio-encoder", "audio-decoder", "image-codec", "network", "moderation"),
        help="audio-encoder, audio-decoder: the audio codec's further stages, to hear and to sound better; "
        "moderation: the small classifier beside a finished network",
    )
    command.add_argument(
        "--model",
        type=_named,
        metavar="DIR",
        help="moderation: folder of the network (default: the weights in the package)",
    )
    command.add_argument(
        "--size", default="nano", choices=SIZES, help="how large a network, and its codecs (default: nano)"
    )
    command.add_argument(
        "--shared", type=Path, metavar="DIR", help="folder with picture archives (image codec)"
    )
    command.add_argument(
        "--name", default="", help="network: name of the run and of the finished folder (default: its size)"
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="override a recipe's field, e.g. loop.num_steps=500",
    )
    command.add_argument(
        "--minutes",
        type=float,
        default=0,
        help="stop after so many minutes; the next call goes on (default: no limit)",
    )
    _run_options(command)


def _serve(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Starts the server. Point any OpenAI client at it: base_url=http://127.0.0.1:8000/v1, any key. "
        "Without --keys it serves this machine only."
    )
    command.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1; others need keys)"
    )
    command.add_argument(
        "--port", type=_whole(0, 65535), default=8000, help="port to listen at (default: 8000)"
    )
    command.add_argument(
        "--model",
        type=_named,
        metavar="DIR",
        help="folder of a network (default: the weights in the package)",
    )
    command.add_argument(
        "--engine",
        default="auto",
        metavar="KIND",
        help=(
            "what computes: auto, onnx, torch, or the address of vLLM, SGLang or llama.cpp with the "
            "exported network"
        ),
    )
    command.add_argument(
        "--precision",
        default="int8",
        choices=("float32", "int8", "int4"),
        help="weights of the onnx engine (default: int8)",
    )
    command.add_argument(
        "--keys",
        type=Path,
        metavar="FILE",
        help="keys that are let in, one a line; also UNISONO_API_KEYS=a,b",
    )
    command.add_argument(
        "--requests-per-minute",
        type=_whole(0),
        default=0,
        metavar="N",
        help="limit of each key (default: none)",
    )
    command.add_argument(
        "--tokens-per-minute",
        type=_whole(0),
        default=0,
        metavar="N",
        help="limit of each key (default: none)",
    )
    command.add_argument(
        "--sessions",
        type=_whole(1),
        default=64,
        metavar="N",
        help="realtime sessions at once of each key (default: 64)",
    )
    command.add_argument(
        "--max-mb", type=_size_mb, default=50, metavar="MB", help="size of a request's body (default: 50)"
    )
    command.add_argument(
        "--tls-cert", metavar="FILE", help="certificate, PEM; with --tls-key the server speaks https and wss"
    )
    command.add_argument("--tls-key", metavar="FILE", help="its key, PEM")
    command.add_argument("--open", action="store_true", help="open the page in a browser")
    command.add_argument(
        "--verbose", action="store_true", help="log every request as a line of JSON (never what was said)"
    )


def _export(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "what",
        choices=("hf", "gguf"),
        help="hf: a folder for transformers, vLLM, SGLang; gguf: a file for llama.cpp",
    )
    command.add_argument("target", type=Path, help="the new folder, or the file")
    command.add_argument(
        "--type", default="q8_0", help="gguf: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1 or q4_0 (default: q8_0)"
    )
    command.add_argument(
        "--model",
        type=_named,
        metavar="DIR",
        help="folder of a network (default: the weights in the package)",
    )


def _bench(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "what",
        choices=(
            "train",
            "generate",
            "codec",
            "chat",
            "serve",
            "page",
            "soak",
            "quality",
            "moderation",
            "report",
        ),
        help="what to measure; report: the table of all records, which also goes into the README.md here",
    )
    command.add_argument(
        "--model",
        type=_named,
        metavar="DIR",
        help="folder of a network (default: the weights in the package)",
    )
    command.add_argument(
        "--shared",
        type=Path,
        metavar="DIR",
        help="folder with the held-out recordings (codec and quality) and texts (moderation)",
    )
    command.add_argument(
        "--samples", type=_whole(1), default=100, help="test samples of each task (default: 100)"
    )
    command.add_argument(
        "--twin", metavar="DIR", help="quality: a network trained on texts alone, to read beside this one"
    )
    command.add_argument("--only", default="", metavar="LIST", help="quality: only these measures")
    command.add_argument(
        "--minutes", type=float, default=30, help="soak: how long the server is under load (default: 30)"
    )
    command.add_argument(
        "--records", type=Path, default=Path("records"), help="where the record goes (default: records)"
    )
    _run_options(command)


def _run_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--home",
        type=Path,
        default=home(),
        metavar="DIR",
        help="where data and runs lie (default: $UNISONO_HOME or ~/.cache/unisono)",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command -> exit status: 0, or 2 with one sentence on standard error."""
    for stream in (
        sys.stdin,
        sys.stdout,
    ):  # a byte or a letter that a terminal cannot show is no reason to stop
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    arguments = parser().parse_args(argv)
    try:
        return _dispatch(arguments)
    except UserError as error:
        print(f"unisono: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("unisono: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has left, e.g. `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a full disk, a folder that cannot be made, a file that may not be read
        where = f" ({error.filename})" if error.filename else ""
        hint = (
            "; choose another place or free some space"
            if error.errno in NO_ROOM
            else "; check this path and its permissions"
            if where
            else ""
        )
        print(f"unisono: {error.strerror or error}{where}{hint}", file=sys.stderr)
        if not error.filename:  # standard output itself: nothing more can be said there
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 2


def _dispatch(arguments: argparse.Namespace) -> int:
    """Imports only what the command needs: `--help` should not wait for torch. What is imported stays, so
    nobody looks for garbage in
    it, neither meanwhile (a sixth of the time that imports take) nor later."""
    gc.disable()
    if arguments.command == "chat":
        from unisono.chat import run
    elif arguments.command == "show":
        from unisono.show import run
    elif arguments.command == "serve":
        from unisono.serve.run import run
    elif arguments.command == "export":
        from unisono.export import run
    elif arguments.command == "train" and arguments.what == "moderation":
        from unisono.train.moderation import run
    elif arguments.command == "bench" and arguments.what == "moderation":
        from unisono.assess.quality.moderation import run
    elif arguments.command == "bench":
        from unisono.assess.bench import run
    else:
        from unisono.train.programs import run
    gc.freeze()
    gc.enable()
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
