"""Tiny random LLMs as their makers publish them: saved by transformers, with a byte-level tokenizer and a
chat template.
"""

from pathlib import Path

import torch
import transformers
from conftest import tiny_tokenizer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from unisono.base.base import Base
from unisono.tokenizer import OmniTokenizer
from unisono.train.start import begun

SENTENCES = [
    "What colour is the sky?",
    "The sky is blue.",
    "You are a helpful assistant.",
    "user\n\nassistant\nsystem\n",
    "It is 42.  ",
]
SPECIALS = {
    "llama": ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"],
    "qwen2": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
    "qwen3": ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
}
# As Llama 3: a beginning, headers, messages without the blanks around them.
LLAMA = """{{ bos_token }}{% for message in messages %}
    {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}
    {{- message['content'] | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}"""
# As Qwen 2: who it is where nobody says so, and results of tools as something that the user says.
QWEN2 = """{%- if messages[0]['role'] != 'system' %}
    {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == 'tool' %}
        {%- if loop.first or messages[loop.index0 - 1].role != 'tool' %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- '\\n<tool_response>\\n' + message.content + '\\n</tool_response>' }}
        {%- if loop.last or messages[loop.index0 + 1].role != 'tool' %}
            {{- '<|im_end|>\\n' }}
        {%- endif %}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
{%- endif %}"""
# As Qwen 3: the last reply begins with an empty thought.
QWEN3 = """{%- set ns = namespace(last=-1) %}
{%- for message in messages %}
    {%- if message.role == 'user' %}
        {%- set ns.last = loop.index0 %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\\n' }}
    {%- if message.role == 'assistant' and loop.index0 > ns.last %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
    {{- message.content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""
TEMPLATES = {"llama": LLAMA, "qwen2": QWEN2, "qwen3": QWEN3}
KINDS = tuple(TEMPLATES)


def tokenizer_of(kind: str) -> transformers.PreTrainedTokenizerFast:
    """As the family has it: special tokens behind the pieces, for qwen3 some that are ordinary text too."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    inner.train_from_iterator(SENTENCES, trainer)
    inner.add_special_tokens(SPECIALS[kind])
    if kind == "qwen3":
        inner.add_tokens(["<think>", "</think>"])
    first, end = SPECIALS[kind][0], "<|eot_id|>" if kind == "llama" else "<|im_end|>"
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token=first, eos_token=end, chat_template=TEMPLATES[kind]
    )


def tiny_base(
    folder: Path, kind: str, *, spare_rows: int = 5, shards: str = "5GB", **changes: object
) -> Path:
    """A random network of a family, its norms and biases random too, with more rows than its tokenizer has
    ids.
    """
    tokenizer = tokenizer_of(kind)
    shape = dict(
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    shape |= {"head_dim": 32} if kind == "qwen3" else {}
    rope = {"rope_type": "default", "rope_theta": 777.0}
    config = transformers.AutoConfig.for_model(
        kind,
        vocab_size=len(tokenizer) + spare_rows,
        max_position_embeddings=512,
        **{"rope_parameters": rope, "tie_word_embeddings": True, **shape, **changes},
    )
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.uniform_(0.5, 1.5)
            else:
                weight.normal_(std=0.1)
    model.save_pretrained(folder, max_shard_size=shards)
    tokenizer.save_pretrained(folder)
    return folder


def omni_of(base: Base, folder: Path) -> OmniTokenizer:
    """The folder of a network that begins as a base and is not trained yet, with random codecs."""
    random = tiny_tokenizer()
    vocab = base.vocabulary(random.vocab.span("audio").size, random.vocab.span("image").size)
    tokenizer = OmniTokenizer(vocab, base.text, random.audio_codec, random.image_codec, [], base.turns(vocab))
    tokenizer.save(folder)
    base.save(folder, vocab)
    begun(base, folder, folder)
    return tokenizer
