"""Prompts for transcription, speech synthesis, translation and naming a sound.

The training data uses all of them. The server turns a request to such an endpoint into the first of each.
"""

WRITE_DOWN = (
    "Write down what you hear.",
    "Transcribe this.",
    "What is said here?",
    "Write what is being said.",
)
SAY = ("Say: {}", "Read this aloud: {}", "Please say: {}", "Speak: {}")
MEANING = ("What does it mean in English?", "Translate this into English.")
SOUND = ("What do you hear?", "What sound is this?", "What is this sound?")
