"""`unisono data words --init SOURCE`: a base answers questions of every kind, so that a network that begins
from it stays what it was, and is brief.

Under --home:  words/BASE/answers.jsonl     a line for each question: {kind, question, answer}, the answer
               empty where nothing of it can be kept
"""

import argparse

from unisono.base.base import Base
from unisono.core.errors import UserError
from unisono.data.words.ask import answered, answers_file, ask_all
from unisono.data.words.questions import questions
from unisono.engine.load import load_engine
from unisono.tokens.template import Template

COUNT = 30_000
MAX_LENGTH = 512  # ids of a question with its answer


def run_words(arguments: argparse.Namespace) -> int:
    """Entry of the program; it goes on where it was stopped."""
    if not arguments.init:
        raise UserError("`unisono data words` needs the LLM that answers; name it, e.g. --init smollm2")
    base = Base.load(arguments.init, arguments.home)
    if base.render is None:
        raise UserError(
            f"{base.folder} has no chat template, so it was never taught to answer; choose another"
        )
    vocab = base.vocabulary(1, 1)  # questions and answers are text
    template = Template(vocab, base.text, base.turns(vocab))
    count = max(1, round(COUNT * arguments.scale))
    asked = questions(arguments.shared, arguments.home, count, arguments.seed)
    engine = load_engine(base.folder, threads=arguments.workers, max_length=MAX_LENGTH)
    path = answers_file(arguments.home, base.name)
    ask_all(engine, template, asked, path)
    lines = answered(path).values()
    print(f"{len(lines):,} questions, {sum(bool(line['answer']) for line in lines):,} answers kept: {path}")
    return 0
