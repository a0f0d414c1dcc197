"""`unisono bench train | generate | codec | chat`: speed beside transformers and beside the machine's own limits.

Each prints a table for people and, as the last line, JSON for programs, and writes one record. Contenders take turns in
one process (see timing.py). Generation and codecs are measured on the CPU, where the shipped network lives.

Shapes: B rows, T ids per row, N samples. Units stand in the names.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from unisono.assess.peers import load_peer, peer_generate, peer_loss
from unisono.assess.probe import QUESTION
from unisono.assess.timing import (Summary, best, measure_bandwidth, measure_peak_flops, ratio, seconds, summary,
                                   take_turns, thread_settings, threads)
from unisono.codecs.audio import AudioCodec
from unisono.core.device import autocast, pick_device, seed_all
from unisono.core.errors import UserError
from unisono.core.home import shipped
from unisono.core.record import write_record
from unisono.data.loader import PAD, LoaderConfig
from unisono.data.raw import Raw
from unisono.data.recordings import iter_recordings
from unisono.data.shard import Shard, ShardWriter
from unisono.data.world import MAKERS
from unisono.engine.engine import Engine
from unisono.engine.grammar import Grammar, Rules
from unisono.engine.load import load_engine
from unisono.engine.sample import GREEDY, Sampler, probabilities
from unisono.engine.session import Session
from unisono.media import write_sound
from unisono.model import cost
from unisono.model.config import Qwen3Config
from unisono.model.hf import config_from_hf, read_config, save_pretrained
from unisono.omni import Omni, code, default_weights
from unisono.tokenizer import OmniTokenizer
from unisono.tokens.message import Message, Text
from unisono.tokens.vocab import Vocabulary
from unisono.train.loop import LoopConfig
from unisono.train.network import NetworkProgram, NetworkRecipe
from unisono.train.optim import Optimizers
