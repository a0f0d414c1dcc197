"""`unisono train`: its options."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from unisono.cli.options import add_home, add_model, add_size, folder_name, share, typed, whole_number
from unisono.core.errors import UserError

EXAMPLES = """examples (in this order they make one network; runs/cpu.sh DATA runs them all):
  unisono data speech --shared DATA --workers 2           sound for the audio codec
  unisono train audio-codec --minutes 30                  half an hour; called again, it goes on where it
  stopped unisono train image-codec --shared DATA
  unisono data world --shared DATA --workers 2            questions and answers, spoken
  unisono data network --shared DATA --workers 2          everything as ids
  unisono train network
or go on from finished weights, with their codecs:
  unisono data speech --shared DATA --workers 2
  unisono data world --shared DATA --workers 2
  unisono data network --shared DATA --start unisono/weights/nano
  unisono train network --name mine --set start_from=unisono/weights/nano --set loop.learning_rate=1e-3
or begin from another LLM, a Llama, Qwen2 or Qwen3:
  unisono data network --shared DATA --init smollm2
  unisono train network --init smollm2
(after other codecs than those, the rows of the codes follow the ones that the ids were made with)
or teach them your own data, without any folder DATA:
  unisono data add facts facts.jsonl --licence own
  unisono train network --data facts --name mine --minutes 10
or another LLM your own data, with the codecs of the weights in the package:
  unisono data add facts facts.jsonl --licence own --init smollm2
  unisono train network --init smollm2 --data facts --name mine"""  # noqa: E501


def add(commands: Any) -> None:
    """Declares the command."""
    command = commands.add_parser(
        "train",
        help="train a codec or the network; resumes where it stopped",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(load=load)
    command.add_argument(
        "what",
        choices=(
            "audio-codec",
            "audio-encoder",
            "audio-decoder",
            "audio-teacher",
            "audio-student",
            "audio-voices",
            "image-codec",
            "network",
            "moderation",
            "speakers",
        ),
        help="audio-encoder, audio-decoder: the audio codec's further stages, to hear and to sound better; "
        "audio-teacher, audio-student, audio-voices: the stages of the codec of 25 ids a second; "
        "moderation: the small classifier beside a finished network; "
        "speakers: its voices, for the voice guard",
    )
    add_model(command, "moderation and speakers: folder of the network")
    add_size(command, "how large a network, and its codecs")
    command.add_argument(
        "--shared", type=Path, metavar="DIR", help="folder with picture archives (image codec)"
    )
    _add_own(command)
    command.add_argument(
        "--name",
        default="",
        help="network: name of the run and of the finished folder (default: its size); "
        "stages of the codec of 25 ids a second: another run beside the usual one",
    )
    _add_how(command)
    add_home(command)
    _add_dry_run(command)


def _add_how(command: argparse.ArgumentParser) -> None:
    """Options of how a recipe is trained."""
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
    command.add_argument(
        "--processes",
        type=whole_number(1, 1024),
        default=1,
        metavar="N",
        help="share the training among so many processes of this machine, one for each GPU (default: 1)",
    )


def _add_dry_run(command: argparse.ArgumentParser) -> None:
    """Options of telling what a training takes, without training."""
    group = command.add_argument_group(
        "dry run (network)", "memory of each GPU, ids/s, days, money and loss, before anything is made"
    )
    group.add_argument("--dry-run", action="store_true", help="tell, and train nothing")
    group.add_argument(
        "--hardware",
        default="h100",
        metavar="NAME[,FIELD=VALUE...]",
        help="b200, h200, h100, a100, mi300x, l40s, l4 or rtx4090 (default: h100); fields: flops_per_s, "
        "memory, bandwidth, link, gpus_per_node, network",
    )
    group.add_argument("--gpus", type=whole_number(1, 10**6), default=1, metavar="N", help="default: 1")
    group.add_argument(
        "--ids", type=float, metavar="N", help="to train on, e.g. 2e10 (default: the recipe's steps)"
    )
    group.add_argument(
        "--utilization",
        type=float,
        default=0.4,
        metavar="SHARE",
        help="of the roofline that is really reached (default: 0.4, an assumption)",
    )
    group.add_argument("--price", type=float, default=0.0, metavar="P", help="of one GPU for an hour")
    group.add_argument(
        "--points", type=Path, metavar="RUNS.csv", help="measured runs, from which the loss is forecast"
    )
    group.add_argument(
        "--vocab-size",
        type=whole_number(1),
        metavar="N",
        help="default: that of the shards, or of the package",
    )
    group.add_argument("--records", type=Path, metavar="DIR", help="keep the numbers in a record there")
    group.add_argument("--json", action="store_true", help="tell as one line of JSON")


def _add_own(command: argparse.ArgumentParser) -> None:
    """Options of going on with your own data."""
    command.add_argument(
        "--data",
        nargs="+",
        default=[],
        metavar="NAME",
        help="network: go on from finished weights with your own data, as `unisono data add` named it",
    )
    command.add_argument(
        "--shards",
        default="",
        metavar="ADDRESS",
        help="network: the folder of shards, as `unisono data network` made it, where it lies in a store, "
        "such as s3://bucket/shards/nano; it is copied into --home first (default: shards/SIZE of --home)",
    )
    command.add_argument(
        "--start",
        type=folder_name,
        metavar="DIR",
        help="network, with --data: the finished network to go on from, with --init the one whose codecs are "
        "used (default: the weights in the package)",
    )
    command.add_argument(
        "--replay",
        type=share,
        default=0.5,
        metavar="SHARE",
        help="network, with --data: share of what the network knows already, so that it is not forgotten "
        "(default: 0.5)",
    )


def load(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that trains."""
    if arguments.data and arguments.what != "network":
        raise UserError(f"--data is for the network, not for {arguments.what}")
    if arguments.dry_run:
        return _dry_run(arguments)
    if arguments.processes > 1 and "RANK" not in os.environ:  # this is not one of them
        return _launch(arguments)
    if arguments.what == "moderation":
        from unisono.train.moderation import run

        return partial(run, arguments.model)
    if arguments.what == "speakers":
        from unisono.enroll import run as enroll

        return partial(enroll, arguments.model)
    from unisono.train.options import TrainOptions

    if arguments.data:
        from unisono.train.own import run_train

        return partial(run_train, typed(TrainOptions, arguments))
    if arguments.start:
        raise UserError("--start goes with --data; without it name the weights with --set start_from=DIR")
    from unisono.train.programs import train

    return partial(train, typed(TrainOptions, arguments))


def _launch(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that starts the same command in several processes."""
    if arguments.data or arguments.what in ("moderation", "speakers"):
        raise UserError("--processes is for training codecs and the network from shards; leave it out here")
    from unisono.train.launch import launched

    command = [sys.executable, "-m", "unisono.cli", *arguments.words]
    return partial(launched, arguments.processes, command)


def _dry_run(arguments: argparse.Namespace) -> Callable[[], int]:
    """-> the call that tells what the training would take."""
    if arguments.what != "network" or arguments.data:
        raise UserError("--dry-run is for `unisono train network` from shards: leave out --data")
    from unisono.forecast.dry_run import DryRunOptions, run

    return partial(run, typed(DryRunOptions, arguments))
