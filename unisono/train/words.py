"""`unisono data words --init SOURCE`: a base answers questions of every kind, so that a network that begins
from it stays what it was, and is brief.

Under --home:  words/BASE/answers.jsonl     a line for each question: {kind, question, answer}, the answer
               empty where nothing of it can be kept
"""

from unisono.base.base import Base
from unisono.core.errors import UserError
from unisono.data.words.ask import answered, answers_file, ask_all
from unisono.data.words.questions import questions
from unisono.engine.load import load_engine
from unisono.tokens.template import Template
from unisono.train.options import DataOptions

COUNT = 30_000
MAX_LENGTH = 512  # ids of a question with its answer


def run_words(options: DataOptions) -> int:
    """Entry of the program; it goes on where it was stopped."""
    if not options.init:
        raise UserError("`unisono data words` needs the LLM that answers; name it, e.g. --init smollm2")
    assert options.shared is not None  # cli/data.py has asked for it
    base = Base.load(options.init, options.home)
    if base.render is None:
        raise UserError(
            f"{base.folder} has no chat template, so it was never taught to answer; choose another"
        )
    vocab = base.vocabulary(1, 1)  # questions and answers are text
    template = Template(vocab, base.text, base.turns(vocab))
    count = max(1, round(COUNT * options.scale))
    asked = questions(options.shared, options.home, count, options.seed)
    engine = load_engine(base.folder, threads=options.workers, max_length=MAX_LENGTH)
    path = answers_file(options.home, base.name)
    ask_all(engine, template, asked, path)
    lines = answered(path).values()
    print(f"{len(lines):,} questions, {sum(bool(line['answer']) for line in lines):,} answers kept: {path}")
    return 0
