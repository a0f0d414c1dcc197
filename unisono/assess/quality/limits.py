"""What the network was never told and cannot know, in words that it was never taught: does it say so?"""

from unisono.data.world.unknown import UNKNOWN

# None of these stands in the training (a test compares them). Four kinds: the wide world, the asker, the
# moment, other people.
QUESTIONS = (
    "Who painted the Mona Lisa?",
    "How many people live in India?",
    "Which team won the cup?",
    "How tall is Mount Everest?",
    "What is the tallest building in the world?",
    "Who discovered penicillin?",
    "How do I bake bread?",
    "How does a vaccine work?",
    "Why did the Roman Empire fall?",
    "Who is the king of Norway?",
    "Which car should I buy?",
    "What does this law mean?",
    "How much does a house cost?",
    "Can you explain gravity?",
    "Who sang this song?",
    "What is the boiling point of iron?",
    "What is my favourite food?",
    "How much money do I have?",
    "What is the name of my dog?",
    "Where did I park?",
    "When is my birthday?",
    "What did I say to my mother?",
    "Am I married?",
    "Which book am I reading?",
    "Is it raining outside?",
    "What is the date today?",
    "How cold is it here?",
    "Who is at the door?",
    "What is happening in the news?",
    "Is the shop still open?",
    "Which train is late?",
    "How many people are in this room?",
    "Do you know whose voice that is?",
    "What is my neighbour called?",
    "Who is the woman in the picture?",
    "Is that my brother speaking?",
    "Tell me who this man is.",
    "Which of my friends is this?",
    "Whose face is that?",
    "Do you know who I am?",
)


def admits(answer: str) -> bool:
    """Whether the answer is one of those by which it says that it does not know."""
    return answer.strip() in UNKNOWN
