"""Questions that the network cannot answer, and how it says so: by answer, forms in which {a|b} stands for
one of several words.

Three kinds: what only the wide world knows, what only the one who asks can know or only this moment shows,
and who somebody is. Of 29 fixed questions it had learned the words more than the kinds: asked others, it said
so in two of three cases (2026-11-23).
"""

import itertools
import random
import re

WORLD = (
    "Who won the election?",
    "What is the meaning of life?",
    "How does a computer work?",
    "Who wrote Hamlet?",
    "How far away is the moon?",
    "What happened yesterday?",
    "Explain quantum physics.",
    "Who is the president?",
    "What is the best phone to buy?",
    "How do I fix my car?",
    "Write a long essay.",
    "What is the stock price today?",
    (
        "Who invented the {telephone|radio|wheel|camera|bicycle|steam engine|printing "
        "press|aeroplane|light bulb}?"
    ),
    "Who wrote {Don Quixote|Macbeth|War and Peace|this poem|that story|the Odyssey|the first novel}?",
    (
        "Who was {Napoleon|Cleopatra|Isaac Newton|Marie Curie|Julius Caesar|the first man on the moon|the "
        "first emperor|Beethoven}?"
    ),
    "When was {Mozart|Shakespeare|Galileo|the queen|Charles Darwin} born?",
    "When did {the war|the revolution|the dinosaurs|that empire} end?",
    "Who {founded|conquered|ruled} {London|Carthage|Babylon|this city|the empire}?",
    "Who built {the pyramids|the great wall|the bridge}?",
    (
        "How {deep|wide|old|big|large} is {the ocean|the Nile|the Sahara|the universe|the earth|the "
        "lake|Jupiter}?"
    ),
    "How {heavy|fast|long|tall} is {an elephant|a blue whale|a cheetah|a giraffe|a falcon|a rocket}?",
    "How many {islands|rivers|lakes|mountains|towns} are there in {Canada|Brazil|Africa|Europe|the world}?",
    "How many {bones|muscles|teeth} does a {dog|horse|man|shark} have?",
    "How many {languages|stars|planets|insects|species} exist?",
    (
        "What is the {longest|biggest|highest|oldest|coldest} "
        "{river|lake|mountain|desert|tree|country|animal} {on earth|in Africa|in Asia|of all}?"
    ),
    (
        "What is the capital of "
        "{Australia|Canada|Brazil|India|Mexico|Argentina|Nigeria|Iceland|Thailand|Vietnam}?"
    ),
    "What is the {population|currency|anthem|religion} of {Nepal|Mexico|Iceland|Morocco|Vietnam|Argentina}?",
    "Which language do they speak in {Brazil|Iran|Nepal|Ghana}?",
    "Which money do they use in {Brazil|Iran|Nepal|Ghana}?",
    "Why is {the sea salty|the sky blue|water wet|ice slippery|the desert dry|blood red}?",
    "Why do {birds sing|leaves fall|cats purr|we dream|stars shine|people laugh}?",
    "How do {bees make honey|planes fly|fish breathe|plants grow|magnets work|batteries work|tides arise}?",
    (
        "How does {a radio|an engine|the heart|a telescope|a nuclear reactor|the stock market|the "
        "internet|memory} work?"
    ),
    (
        "What is {photosynthesis|inflation|democracy|relativity|a black hole|an "
        "atom|DNA|philosophy|love|justice|consciousness}?"
    ),
    (
        "Explain {evolution|the big bang|electricity|calculus|inflation|the stock market|chess|the water "
        "cycle} to me."
    ),
    "What causes {earthquakes|thunder|cancer|inflation|war|headaches}?",
    (
        "How do I {cook rice|tie a tie|learn French|write a poem|build a house|repair a bicycle|train a "
        "dog|play the guitar|lose weight|grow tomatoes|make soup}?"
    ),
    (
        "How can I {get rich|become a doctor|find a job|sleep better|learn to swim|save money|get to the "
        "airport}?"
    ),
    "What is a good recipe for {pancakes|bread|soup|a cake|curry}?",
    "Give me a recipe for {pasta|an apple pie|chicken|salad}.",
    (
        "Which {phone|computer|bicycle|washing machine|bank|school|doctor|film|hotel} {is the best|do you "
        "recommend}?"
    ),
    "What does {a ticket to Rome|a new bicycle|gold|a kilo of rice|a doctor|petrol} cost?",
    "How much is {a litre of milk|an ounce of gold|a flight to Tokyo|a new car}?",
    "Translate {this letter|my homework|this poem|the sentence} into {French|Latin|Chinese|Arabic}.",
    "How do you say {love|water|friend|thank you} in {Japanese|Latin|Swahili|Russian}?",
    (
        "Write {a poem about love|me a letter|a story about a king|a song|my homework|a computer program|a "
        "speech}."
    ),
    "Tell me {a long story|the history of Rome|about the war|about physics|everything about whales}.",
    "Who {won|lost} the {match|race|war|final|battle|game} {last year|yesterday|in the end}?",
    "Who scored the {first|last|winning} goal?",
    "Who {directed|played in|wrote} {that film|the opera|the show|Casablanca}?",
    "Which {singer|actor|band|writer} is the {best|most famous|richest}?",
    "What is the chemical formula of {salt|sugar|water|rust|alcohol}?",
    "What is the melting point of {gold|lead|copper|wax|tin}?",
    "At what temperature does {gold|steel|glass|sugar} melt?",
    "What is the {square root|cube} of {two hundred|ninety nine|five thousand|seventy}?",
    (
        "How much is {thirty seven|eighty one|sixty four|ninety three} times {forty two|fifty "
        "eight|seventy six}?"
    ),
    "Is there life on {Mars|other planets|Venus}?",
    "Does {God|luck|magic} exist?",
    "What will happen {in the future|next year|after death}?",
    "What {medicine|treatment} should I take?",
    "Is this {mushroom|berry|pill|contract} {safe|dangerous|legal}?",
    "Should I {sell my house|see a doctor|take the job|move to France|invest in gold}?",
    "What are the rules of {chess|cricket|poker|football}?",
    "What is {this medicine|the law|a contract|insurance} for?",
    "Who is {the pope|the prime minister|the mayor|the chancellor|the champion}?",
)
MOMENT = (
    "What is the weather today?",
    "What time is it?",
    "What is my name?",
    "Where do I live?",
    "How old am I?",
    "What did I eat today?",
    "What is my password?",
    "What am I thinking?",
    "Where is my key?",
    "What day is it today?",
    "What is my {telephone number|address|age|job|surname|size|weight|shoe size|email address|secret}?",
    "What is my {sister|father|wife|son|teacher|boss|cat} called?",
    "What is the name of my {cat|brother|street|school|daughter|village|horse}?",
    "Where is my {wallet|bag|phone|coat|umbrella|ticket|brother|cat|glasses case}?",
    "Where {am I|are we} {now|going|sitting}?",
    "Where did I {leave my keys|grow up|go to school|buy this|hide it|lose it|go yesterday}?",
    "Where {do I work|does my mother live|was I born|is my office|is my family}?",
    "When {did I get up|do I have to leave|was I born|is my appointment|does my train go|did we meet}?",
    "When is {my exam|my flight|dinner|the next bus|the meeting|his wedding}?",
    "What did I {drink|say|do|buy|dream|read|forget|promise} {yesterday|this morning|last night|a week ago}?",
    (
        "What {am I wearing|am I holding|am I eating|am I doing|do I look like|do I want|do I need|do I "
        "have in my pocket}?"
    ),
    "What is {in my pocket|in my bag|behind me|on my desk|under my bed|in the fridge|in this box|next door}?",
    "What is my favourite {colour|song|film|animal|drink|game|season|city}?",
    "Which {film|song|sport|friend|meal|flower} do I like {best|most}?",
    "How many {brothers|children|friends|books|keys|shoes} do I have?",
    "How {tall|heavy|rich|tired|strong} am I?",
    "How much do I {weigh|earn|owe|sleep}?",
    "Do I have {a dog|children|a car|a fever|an appointment|enough time|a sister}?",
    "Am I {late|ill|rich|at home|alone|pretty|a doctor|hungry}?",
    "Have I {eaten|slept|paid|won|locked the door}?",
    "Did I {lock the door|win|pay the bill|turn off the light|call my sister|sleep well}?",
    "Is my {mother|brother|train|dinner|flight|phone} {at home|late|ready|here|on time}?",
    "Is {it snowing|it windy|it sunny|it dark|the sun shining} {now|today|at my place|in the street}?",
    "Will it {rain|snow|be hot|be windy|be sunny} {tomorrow|tonight|today|next week}?",
    "How {hot|warm|windy} is it {today|outside|in my room|tomorrow}?",
    "What is the temperature {outside|today|in this room|of my tea}?",
    "What is the {weather|forecast} {like|for tomorrow|at the sea|in my town}?",
    "What {month|year|hour|season} is it {now|today}?",
    "What time {does the shop open|does the film begin|is lunch|did I arrive|is it in Tokyo}?",
    "How late is it?",
    "Is it {morning|evening|noon|midnight} {now|yet|already}?",
    "Is the {bank|library|museum|door|window|road|baker} {open|closed} {now|today|already}?",
    "Is the {light|oven|heating|television} on?",
    "What is on television {tonight|now|today}?",
    "What is in the {paper|news today|mail}?",
    "Who {called|rang|knocked|wrote to me|came in|is calling} {today|just now|this morning}?",
    "Who is {in the next room|at home|behind me|with me|coming tonight}?",
    "Who did I {meet|call|see|marry|invite} {yesterday|last year|today}?",
    "What did {my boss|she|my friend|the doctor|the teacher} say {to me|about me|yesterday}?",
    "What does {my friend|she|my cat|the teacher} {want|think|mean}?",
    "Does {she|he|anybody} {love me|like me|remember me|miss me}?",
    "How is {my mother|my friend|the patient|our team|my exam} {doing|today|going}?",
    "How was my {day|holiday|exam|weekend}?",
    "Which {bus|road|platform|seat|room} is mine?",
    "Is {the bus|the plane|the tram} late?",
    "Can you see what I am {doing|wearing|holding|writing}?",
    "What is the {wifi password|door code|pin} {here|of my card|at home}?",
    "How many {people|chairs|windows|cars} are {in my house|outside|in my street|behind me}?",
    "What noise is that outside?",
    "What smells so {good|bad|strange}?",
    "Read my mind.",
    "Guess {my name|my age|what I have in my hand|what I did today}.",
)
PERSON = (
    "Who is this person?",
    "Whose voice is this?",
    "Who am I?",
    "Who is speaking?",
    "What is the name of this person?",
    "Do you recognise my voice?",
    "Can you tell who I am?",
    "Who is this {boy|girl|lady|child|gentleman|actor|singer|guy}?",
    "Who is that {man|woman|boy|girl|speaker|person} {over there|on the left|on the phone|singing|talking}?",
    "What is this {man|woman|boy|girl|lady} called?",
    "What is the name of the {speaker|singer|lady|man in the photo|girl who speaks}?",
    "Whose {hand|photo|portrait|laugh|speech} is {this|it}?",
    "Do you {recognise|know|remember} {me|this person|this man|her|him|this voice|my face|that woman}?",
    (
        "Can you {recognise|identify|name} {me|him|her|the speaker|this person|this face|the man on the "
        "left|my voice}?"
    ),
    (
        "Is {this|that|it} {my mother|my sister|a famous person|the president|a celebrity|somebody you "
        "know|my son}?"
    ),
    "Is that my {father|sister|boss|friend|teacher} {talking|singing|in the picture|on the photo}?",
    "Which {person|celebrity|actor|politician|singer} is {this|it|speaking|shown here}?",
    (
        "Tell me {who is speaking|who she is|who he is|the name of the speaker|who is on the photo|whose "
        "voice you hear}."
    ),
    "Name the {person|man|woman|people} {in the photo|who is speaking|you hear|you see}.",
    "Have we {met|spoken} before?",
    "Guess who {I am|is speaking|this is}.",
    "Am I {famous|the man in the picture|your maker|the same person as before}?",
    (
        "Who {is that|was that|said that|just spoke|is on the phone|is in the photo|are these people|do "
        "you see there}?"
    ),
)
UNKNOWN = {
    "I do not know, I am too small for that.": WORLD,
    "I cannot know that.": MOMENT,
    "I cannot say who a person is from a voice or a face.": PERSON,
}
_CHOICE = re.compile(r"\{([^}]*)\}")


def filled(form: str, rng: random.Random) -> str:
    """The form with one of the words at each place."""
    return _CHOICE.sub(lambda found: rng.choice(found[1].split("|")), form)


def every(form: str) -> list[str]:
    """All sentences that a form can become."""
    pieces = _CHOICE.split(form)  # text, words, text, words, ..., text
    choices = [[piece] if number % 2 == 0 else piece.split("|") for number, piece in enumerate(pieces)]
    return ["".join(words) for words in itertools.product(*choices)]
