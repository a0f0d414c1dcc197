"""Words that questions are made with: things, places, people, activities."""

LISTS = {
    "animal": (
        "cats|dogs|elephants|whales|sharks|owls|eagles|penguins|bees|ants|spiders|snakes|frogs|turtles|bats|"
        "horses|cows|pigs|sheep|goats|lions|tigers|bears|wolves|foxes|rabbits|mice|dolphins|octopuses|"
        "butterflies|crocodiles|giraffes|kangaroos|koalas|pandas|parrots|salmon|squirrels|swans|zebras"
    ),
    "food": (
        "pancakes|bread|tomato soup|an omelette|fried rice|pizza|a fruit salad|spaghetti|an apple pie|"
        "mashed potatoes|scrambled eggs|hot chocolate|lemonade|a cheese sandwich|vegetable curry|porridge|"
        "chicken soup|roast potatoes|pesto|guacamole|biscuits|a birthday cake|iced tea|tacos|risotto|waffles"
    ),
    "science": (
        "gravity|photosynthesis|evolution|electricity|magnetism|a black hole|an atom|a molecule|DNA|"
        "an ecosystem|the water cycle|a volcano|an earthquake|the greenhouse effect|a galaxy|a comet|a cell|"
        "a virus|bacteria|an enzyme|energy|friction|inertia|a vacuum|radiation|sound|light|a rainbow|"
        "the solar system|plate tectonics|osmosis|a catalyst|an acid|a semiconductor|the Doppler effect|"
        "entropy|the immune system|a fossil|the ozone layer|a lunar eclipse|condensation|evaporation"
    ),
    "idea": (
        "democracy|inflation|justice|freedom|friendship|courage|patience|creativity|empathy|"
        "a budget|insurance|a mortgage|interest|supply and demand|a recession|a metaphor|irony|a proverb|"
        "a haiku|a sonnet|perspective in painting|jazz|an opera|a symphony|an algorithm|the internet|"
        "a database|open source|encryption|machine learning|a programming language|cloud computing|a browser|"
        "a constitution|human rights|recycling|a hypothesis|a theorem|probability|an average|a prime number|"
        "a fraction|a triangle|an angle|the golden ratio|a democracy|a monarchy|philosophy|ethics|logic"
    ),
    "person": (
        "Albert Einstein|Marie Curie|Isaac Newton|Charles Darwin|Leonardo da Vinci|William Shakespeare|"
        "Mozart|Beethoven|Johann Sebastian Bach|Vincent van Gogh|Pablo Picasso|Galileo Galilei|Cleopatra|"
        "Julius Caesar|Napoleon|Abraham Lincoln|Mahatma Gandhi|Nelson Mandela|Martin Luther King|"
        "Florence Nightingale|Ada Lovelace|Alan Turing|Nikola Tesla|Thomas Edison|Jane Austen|"
        "Charles Dickens|Mark Twain|Socrates|Plato|Aristotle|Confucius|Marco Polo|Christopher Columbus|"
        "Neil Armstrong|Rosa Parks|Frida Kahlo|Claude Monet|Louis Pasteur|Alexander Fleming|Archimedes"
    ),
    "place": (
        "Paris|London|New York|Tokyo|Rome|Cairo|Sydney|Berlin|Madrid|Amsterdam|Venice|Istanbul|Athens|"
        "San Francisco|Rio de Janeiro|Cape Town|Mumbai|Beijing|Moscow|Toronto|the Sahara|the Amazon|"
        "the Alps|the Himalayas|Antarctica|Iceland|Hawaii|the Great Barrier Reef|the Grand Canyon|Scotland"
    ),
    "activity": (
        "swimming|running|reading|cooking|gardening|painting|dancing|singing|cycling|hiking|fishing|"
        "chess|yoga|photography|knitting|learning a language|playing the guitar|playing the piano|"
        "writing a diary|camping|bird watching|baking|skiing|tennis|football|juggling|woodworking|meditation"
    ),
    "skill": (
        "tie a tie|ride a bicycle|boil an egg|wash a woollen jumper|change a light bulb|plant a tree|"
        "grow tomatoes|iron a shirt|remember names|learn new words|write a letter|write a thank you note|"
        "prepare for an exam|give a speech|fall asleep faster|wake up early|save money|make a budget|"
        "clean a window|remove a coffee stain|keep flowers fresh|paint a wall|fix a flat tyre|pack a bag|"
        "train a puppy|look after a cat|start a fire safely|read a map|use chopsticks|choose a ripe melon|"
        "sharpen a pencil|fold a paper plane|make new friends|calm down when I am nervous|apologise|"
        "say no politely|begin running|stretch before sport|store potatoes|peel a mango|water house plants|"
        "take a good photo|back up a computer|choose a strong password|write a short story|learn to whistle|"
        "get rid of hiccups|treat a small cut|avoid sunburn|keep warm in winter|stay cool in summer"
    ),
    "hero": (
        "a brave mouse|a lost kitten|a tired robot|a kind dragon|a curious girl|a shy owl|an old fisherman|"
        "a small train|a lonely star|a clever fox|a baker|a boy who could not sleep|a talking tree|"
        "two friends and a boat|a snowman|a lighthouse keeper|a wizard who forgot his spells|a turtle|"
        "a violin|a cloud that did not want to rain|a young astronaut|a princess who repaired bicycles|"
        "a ghost who was afraid of the dark|a bee who loved music|a clockmaker|a penguin in the desert"
    ),
    "setting": (
        "in the forest|by the sea|in a big city|on the moon|at school|in winter|at night|on an island|"
        "in a library|in the mountains|on a farm|in a castle|during a storm|at a market|on a train|"
        "who finds a key|who makes a friend|who learns to share|who wants to fly|who gets lost"
    ),
    "things": (
        "colours|fruits|vegetables|animals that live in the sea|planets|musical instruments|sports|"
        "farm animals|countries in Europe|countries in Africa|big cities|languages|flowers|trees|birds|"
        "board games|things to take on a picnic|healthy snacks|drinks|pieces of furniture|tools|insects"
    ),
    "object": (
        "a hammer|a pair of scissors|a compass|a thermometer|a telescope|a microscope|an umbrella|a ladder|"
        "a candle|a mirror|a bicycle pump|a calculator|a dictionary|a screwdriver|a whisk|a kettle|an anchor|"
        "a parachute|a stethoscope|a lighthouse|a paper clip|a rubber band|a wheelbarrow|a magnet|a sponge"
    ),
    "feeling": (
        "happy|sad|tired|bored|nervous|lonely|proud|angry|stressed|excited|a little ill|homesick|"
        "worried about my exam|afraid of flying|in love|disappointed|confused|grateful"
    ),
    "job": (
        "a doctor|a teacher|a pilot|a farmer|a firefighter|a librarian|a carpenter|an architect|a nurse|"
        "a judge|a chef|a programmer|an astronaut|a gardener|a plumber|a journalist|a scientist|a tailor|"
        "an electrician|a bus driver|a vet|a photographer|an accountant|a detective|a musician"
    ),
}
WORDS = {name: tuple(words.split("|")) for name, words in LISTS.items()}
