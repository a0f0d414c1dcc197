"""How the network is asked to write down, to say, to translate and to name a sound. The recipe teaches it
with these phrases, and the
server, whose clients ask by endpoint, uses the first of each.
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
