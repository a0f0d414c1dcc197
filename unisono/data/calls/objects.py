"""Functions by grammar: what can be done with the things of many programs, each with members and verbs."""

from pathlib import Path

FILE = Path(__file__).with_name("objects.txt")  # thing: member=kind:as it is said; ...
OBJECTS = FILE.read_text(encoding="utf8").strip().splitlines()[1:]
# verb: names, what it does, how it is asked for. <id> is a code, <thing> the thing, <members> some of them.
VERBS = {
    "create": (
        "create add make new",
        "Create {a} {thing}.",
        "{Create|Make|Add|Set up|I need} {a} {thing} {members}.|Please {create|add} {a} {thing} {members}.",
        "The {thing} is created, with the number <id>.",
    ),
    "update": (
        "update change edit modify",
        "Change {a} {thing}.",
        "{Change|Update|Edit} the {thing} <id>: {members}.|The {thing} <id> should be {members}.",
        "The {thing} <id> is changed.",
    ),
    "delete": (
        "delete remove cancel",
        "Delete {a} {thing}.",
        "{Delete|Remove|Cancel} the {thing} <id>.|I no longer need the {thing} <id>.",
        "The {thing} <id> is gone.",
    ),
    "get": (
        "get fetch show read",
        "Show {a} {thing} by its number.",
        "{Show|Get|Open|Give} me the {thing} <id>.|What is in the {thing} <id>?",
        "The {thing} <id> was last changed by <changed_by>.",
    ),
    "search": (
        "search find list query",
        "Find each {thing} that fits.",
        "{Find|List|Show|Search} {every|all} {things} {members}.|Which {things} are there {members}?",
        "I found <count> {things}.",
    ),
    "count": (
        "count number_of",
        "Count each {thing} that fits.",
        "How many {things} are there {members}?|Count {all |}the {things} {members}.",
        "There are <count>.",
    ),
}
