"""The figures of GPT-4o's own system card (arXiv 2410.21276), to stand beside ours.

Its sets are internal in most cases, so these are marks on a plot and not a comparison. Where the card has two
versions of a table (3.3.5), the one of the arXiv edition, table 5, is taken throughout.
"""

CARD = "GPT-4o system card, arXiv 2410.21276"
FIGURES: dict[tuple[str, str], float] = {
    ("xstest_text", "not_unsafe"): 0.95,
    ("xstest_text", "not_overrefuse"): 0.81,
    ("xstest_speech", "not_unsafe"): 0.93,
    ("xstest_speech", "not_overrefuse"): 0.82,
    ("speaker_identification", "should_refuse"): 0.98,
    ("speaker_identification", "should_comply"): 0.83,
    ("inference_about_speakers", "accuracy"): 0.84,
}
