"""Languages: reading in under-represented ones, and translation, typed and spoken."""

import json
import random
from typing import Any

from inspect_ai.dataset import Sample

from unisono.assess.card.read import unreadable
from unisono.assess.card.sets import archived, shared
from unisono.assess.card.shapes import ACCURACY, choice_sample, judge_choice, spoken_parts
from unisono.assess.card.tasks import Context, Measure, NotRun, Parts, Reply, Verdict, ask, card_task

READ = {
    "sw": "Swahili", "af": "Afrikaans", "zu": "Zulu", "xh": "Xhosa", "lg": "Luganda", "tn": "Tswana",
    "nso": "Northern Sotho", "am": "Amharic", "yo": "Yoruba", "rw": "Kinyarwanda", "fr": "French",
}  # fmt: skip
PER_LANGUAGE = 30
NTREX = {
    "arb": "Arabic", "ben": "Bengali", "deu": "German", "fas": "Persian", "fra": "French", "hin": "Hindi",
    "ind": "Indonesian", "ita": "Italian", "jpn": "Japanese", "kor": "Korean", "nld": "Dutch",
    "pol": "Polish", "por": "Portuguese", "rus": "Russian", "spa": "Spanish", "swa": "Swahili",
    "tur": "Turkish", "ukr": "Ukrainian", "vie": "Vietnamese", "zho-CN": "Chinese",
}  # fmt: skip
ESPEAK = {
    "deu": "de", "fra": "fr-fr", "spa": "es", "ita": "it", "por": "pt", "nld": "nl", "pol": "pl",
    "rus": "ru", "tur": "tr", "swa": "sw",
}  # fmt: skip
CHRF = {"chrf": Measure("chrF, from 0 to 1")}
SOURCE = "NTREX-128 (Federmann, Kocmi, Xin 2022), CC BY-SA 4.0"


@card_task(
    "societal",
    title="Under-represented languages: what does this sentence say?",
    version=1,
    measures=ACCURACY,
    source="African Storybook, CC BY 3.0 and 4.0: pages of picture books and their English versions",
    limits="Four English sentences of one book, one of which is the translation; free translations, short "
    "sentences, no culture. French stands beside as a language that is not under-represented.",
)
def under_represented_languages(context: Context) -> Parts:
    """Ten African languages and French."""
    pages = archived(context, "storybook_images", "pages.jsonl.gz").decode("utf8").split("\n")
    books: dict[str, list[dict[str, str]]] = {}
    for page in map(json.loads, filter(None, pages)):
        if page["kind"] == "page" and 20 <= len(page["text"].get("en", "")) <= 160:
            books.setdefault(page["story"], []).append(page["text"])
    samples = []
    for code, language in READ.items():
        asked = [(book, text) for book, texts in books.items() for text in texts if text.get(code)]
        random.Random(code).shuffle(asked)
        made = [
            _reading(f"{code}-{number}", language, book, text, code, books[book])
            for number, (book, text) in enumerate(asked)
        ]
        samples += [sample for sample in made if sample][:PER_LANGUAGE]
    return Parts(samples=samples, judge=judge_choice, solver=ask(32))


def _reading(
    name: str, language: str, book: str, text: dict[str, str], code: str, texts: list[dict[str, str]]
) -> Sample | None:
    """Which of four English sentences of the book this one is; None where the book has too few."""
    right = _line(text["en"])
    others = sorted({_line(other["en"]) for other in texts} - {right})
    if len(others) < 3:
        return None
    wrong = random.Random(name).sample(others, 3)
    question = f"Which English sentence says the same as this one in {language}?\n{_line(text[code])}"
    return choice_sample(name, question, right, wrong, {"language": language}, cluster=book)


def _line(text: str) -> str:
    return " ".join(text.split())


# ---- translation ----


@card_task(
    "capability",
    title="Translation into English, typed",
    version=1,
    measures=CHRF,
    judge="sacreBLEU's chrF",
    source=SOURCE,
    limits="News sentences, one reference each; likeness of letters, not of meaning.",
)
def translation(context: Context) -> Parts:
    """Twenty languages, ten sentences each."""
    samples = [
        Sample(
            id=f"{code}-{row['line']}",
            input=f"Translate this {NTREX[code]} sentence into English. Write the translation alone.\n"
            f"{row['text'][code]}",
            target=row["text"]["eng"],
            metadata={"language": NTREX[code], "cluster": f"line-{row['line']}"},
        )
        for code in NTREX
        for row in news(context)[:10]
    ]
    for sample in samples:
        assert sample.metadata
        sample.metadata["groups"] = {"language": sample.metadata["language"]}
    return Parts(samples=samples, judge=judge_translation, solver=ask(200))


@card_task(
    "capability",
    title="Translation of speech into English",
    version=1,
    needs=("audio in",),
    measures=CHRF,
    judge="sacreBLEU's chrF",
    source=f"{SOURCE}; spoken by espeak-ng",
    limits="News sentences read by a synthesizer, one reference each; likeness of letters, not of meaning.",
)
def speech_translation(context: Context) -> Parts:
    """Ten languages, twenty sentences each, asked aloud."""
    samples = [
        Sample(
            id=f"{code}-{row['line']}",
            input=row["text"][code],
            target=row["text"]["eng"],
            metadata={
                "say": row["text"][code],
                "voice": f"espeak:{ESPEAK[code]}",
                "ask": "Translate what is said into English. Write the translation alone.",
                "cluster": f"line-{row['line']}",
                "groups": {"language": NTREX[code]},
            },
        )
        for code in ESPEAK
        for row in news(context)[10:30]
    ]
    return spoken_parts(samples, judge_translation, context, ask(200))


def news(context: Context) -> list[dict[str, Any]]:
    """Sentences of middling length in all languages."""
    rows = [row for row in shared(context, "ntrex20.jsonl.zst") if 40 <= len(row["text"]["eng"]) <= 110]
    if len(rows) < 30:
        raise NotRun("ntrex20.jsonl.zst holds too few sentences; fetch it again")
    return rows[::20] if len(rows) >= 600 else rows


def judge_translation(reply: Reply, sample: Sample) -> Verdict:
    """How alike the reply and the reference are, letter by letter."""
    if not reply.text.strip() or reply.rejected:
        return unreadable(reply, "chrf")
    try:
        from sacrebleu import CHRF as Chrf
    except ImportError as error:
        raise RuntimeError("pip install 'unisono[assess]', which brings sacrebleu") from error
    score = Chrf().sentence_score(reply.text.strip(), [sample.target[0]]).score / 100
    return Verdict(outcome="translated" if score >= 0.5 else "far off", measures={"chrf": score})
