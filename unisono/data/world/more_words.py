"""Short English words that are only taught, so that what is read is spelled as English is."""

MORE_WORDS = """
aback abandon abashed abate abated abide ability aboard abode abreast abrupt absence absent absurd abuse
abused abyss accent accept access accord account accused ache ached aching acid acquire acres acted
acting actions active actor actors actress acts actual acute acutely adapted adding address admire
admired admit adopt adopted adored adorned adrift advance advise advised aerial aeronef afar affairs
affect affirm afford afloat afoot afresh aft against aged agent ages aghast agile agility agony aground
aid aided aim aimed aimless airily airs airy aisle alarm alarmed alas albeit ale alert alien alight
alike alley allowed aloft aloof already altar alter altered amazed amazing amber amiable amid amidst
amiss amongst amount ample amuse amused amusing anchor anchors ancient anew angel angels angered angle
angles angrily anguish animals ankle ankles annoy annoyed annual anon another answers anxiety anxious
anybody anyhow anymore apart ape apes apiece apology appeal appears apples applied apply approve apron
apt arch arched arches archway ardent areas argue argued arguing arid arise arisen armed armful armies
armour arose aroused arrange array arrayed arrest arrival arrived arrow arrows article artist artists
arts ascend ascent ash ashamed ashes ashore askew aspect aspects assent assert assume assumed assure
assured astray asylum athwart atomic atoms attacks attain attempt attic attract audible aught aunts
author autumn avail availed ave avenue average avoided await awaited awaken awe awed awfully awhile
awkward awoke axe axes axis babe backed backing backs bacon baffled baggage bags bait bake baked baking
balance balcony bald bales ballast balloon balls bamboo bamboos bananas band bandage bands bang banged
banging banks banner banners banquet bare barely bargain barge barked barking barks barley barn barns
barred barrel barrels barren barrier bars basalt base based bashful basin basis baskets batch bathe
bathed bathing bats battery battles bawled bawling bay bazar beach beads beak beaks beam beamed beaming
beams beans beard bearded bearing bears beastly beaten beating beats beau because becomes bedroom beds
bedside bedtime beech beef beer beetle beetles beggar beggars begging behalf behave behaved beheld
behold beings belated belief believe bells belly belong belongs beloved bench benches bend bending
beneath benefit berries berth beset besides bestow bet betook betray between bicycle bid bidding bide
biggest billows bills bind birch birches birth biscuit bites biting bitten blacks blade blades blame
blamed blank blanket blankly blast blaze blazed blazing bleak bled blessed blinded blindly blinds
blinked bliss blithe block blocked blocks bloom bloomed blossom blot blotted blouse blowing blown blows
bluish blunder blunt blush blushed boar boarded boards boast boasted boatman boats bobbing bodies bodily
boil boiled boiler boiling bold bolder boldly bolt bolted bolts bomb bombs bond bondage bonds bone
bonnet bony booming boon boot booty border borders bore bored boring borne borrow bosom boss bother
bottles bough boughs bounced bounded bounds bouquet bowels bower bowing bowls bows boxed boyish brace
bracken braid braided braids brains brake bran brand brandy brass bravely breach breadth breaks breast
breathe breaths bred breed breeze breezes brewing brick bricks bridal bride bridges bridle brief briefly
brig brim brings brisk briskly broader bronze brooch brood brooded brook brooks broom brother brought
brow brows bruised bruises brushed brushes brutal brute brutes bubble bubbles bucket bud budding budge
buds buffalo buggy bugs bulk bull bullet bullets bulls bully bump bunches bundle bundles buns burden
bureau burning burns bury burying bushy busied busily bust bustle butcher butler button buttons buying
buzz buzzing cabin cabinet cabins cable cables cabman cabs cage cakes calf calling calmer calmly calves
camel camels camera camp canal candles candy cane canes cannon canoe canoes canopy canst canvas capable
capital caps captive capture caravan carcase cards career careful cares caress cargo caring carpet
carpets carried carrier carries carrots cars carter carts carved carving cascade cases cash cask casks
caste casting castles casual catches causes causing caution cavalry cavern caverns caves cavity cease
ceased ceiling cell cellar cent center central centres cents century certain chaff chain chained chains
chairs chalk chamber chanced chances changed changes channel chaos chapel chaps charged charges chariot
charity charm charmed charms charred chart chasing chasm chat chatted chatter cheap cheat cheated
checked checks cheek cheer cheered cheers cheery cherry chess chests chew chewed chewing chicken chiefly
chiefs chill chilled chilly chimney china chips chirp choir choke choked choking chop chopped chores
chorus chosen chubby chuckle chum chums cigar cinders circled circles circus cities citizen civil clad
claim claimed claims clamour clan clap clapped clash clasped classes clatter claw claws clay cleaned
cleared clearer clearly cleft clerk clerks click clicked cliff cliffs climate climax climbed cling cloak
clocks closely closet closing clothed clothes clouded cloudy clover club clubs clue clump clumps clumsy
clung cluster clutch coals coarse coasts coats coax coaxed coaxing cocked coconut code coffin coil
coiled coils coins colder coldly collars collect college colony colored colors colours colt colts column
columns comb combat comely comfort comic comical command comment commit compact company compare compass
complex compose comrade conceal concern concert conduct cone cones confess confirm conical conquer
consent console consul consult contact contain content contest control convey cookies cooking cooks
cooled cooler cooling coolly coop copied copper copy coracle coral cord cordial cords core corners
corpse corral correct costly costs costume cosy cot cottage cotton couch cough coughed counsel counted
counter country county couples courage courses courts cousins cove covered covers coward cowered crab
crabs crack cracked cracks cradle craft crag crammed cramped cranes crash crashed crater craters craving
crawl crawled crazy creaked creamy create created credit creek creep crest crew cricket crime crimes
crimson cripple crisis crisp crooked crops crossed crosses crossly croup crowbar crowded crowds crown
crowned crows cruelly cruelty cruise crumbs crush crushed crust crutch crystal cub cubic cubs cuddled
culprit culture cunning cups curate cure cured curious curl curled curling curls curly current curry
curse cursed curses cursing curtain curve curved curves curving cushion custom customs cute cutlass cuts
cutting cycle cyclone dagger dainty dairy daisies dam damage damaged dancers dances dancing dangers
daresay daring darker darkest darkly darling darn darted darting dash dashed dashing dated dates daunted
dawn dawned daytime dazed dazzled dead deadly deaf dealer dealing dealt dearer dearest dearie dearly
dears deaths debris debt decay deceive decent decide decided deck decks declare decline deed deeds
deeper deepest deeps deer defeat defence defend defiant defied defined defy degrees delay delayed
delight deliver demand demands demon den denial denied dense density deny denying depart depend depends
depot depth depths derived descend descent desert deserts deserve designs desired desires despair
despise despite dessert destiny destroy detail details deuce develop device devices devils devised
devote devoted devour dew dialect diamond diary didst dies diet differ digging dignity dilated dim dimly
dimpled dimples din dine dined dingy dining dinners dip dipped dire direct dirt disc discuss disdain
disease disgust dishes dislike dismal dismay dismiss display dispose dispute distant disturb ditch dive
dived divers divide divided divine diving dizzy dock doctors dodge dodged doings dollar dollars dolls
domain dome don donkeys doom doomed doorway dose dost dot doth dots dotted double doubled doubted doubts
dove doves downs dozed dozens dozing drag dragged dragons drain dram drama draught drawer drawers
drawing draws dread dreaded dreamed dreams dreamt dreamy dreary dressed dresses drift drifted drifts
drily drinks dripped drivers drives driving droll drooped dropped drops drown drowned drowsy drug drugs
drums drunken drying dubious ducked ducks dugong duly dumb dungeon dunno dusk dusky dust dusty duties
dwarf dwell dwelt dye dyke dynamo eager eagerly eagle earlier earn earned earnest earning earthen
earthly ease easiest east eastern eatable eats ebb echo echoed echoes economy ecstasy eddy eddying edged
edges editor eel effects efforts eighth eighty elapsed elastic elated elbow elbows elder elderly elders
eldest elected elegant element elusive embark embers embrace emerge emerged emitted emotion empire
employ emptied enable enabled ending endless endowed endure endured enemies engage engaged engines
enjoyed enraged ensued entered entire entry envied envious envy episode epoch equal equally equator ere
erect erected errand errands error errors escaped escort espied estate esteem etc eternal evening events
evident exact exactly exalted examine example exceed excess excited exclaim excuses execute exerted
exhibit exile exist existed exists expanse expects expense expert explain explore expose exposed express
extend extent extinct extract extreme eyed eyelids fable fabric faced facing factory facts fade faded
fading fail failing fails failure fain fainted fainter faintly fairies falling falls fame famine fan
fancied fancies fangs fare fared farmers farms farther fashion fasten fatal fathers fathoms fatigue
fatter faults favor favored favour fawn feared fearful fearing fears feather feature fee feeble feebly
feeding feeling felled fellows female females fences fern ferns ferry fertile fetched feud fewer fibre
fiction fiddle fiddler fierce fiery fifteen fifth fights figs figures file filed filling film filthy
final finally finding finely finer finest fingers fins fir fires firing firs fished fishes fishing
fissure fist fists fitful fits fitted fitting fixedly fixing flag flags flakes flame flamed flames
flaming flank flanks flannel flap flapped flared flashed flashes flask flatly flatter flavor flavour
flaxen fled flee fleet flicker flight flights flimsy fling flint flirt flitted float floated flocks
flood flooded floods floors flow flowed flowers flowing flown flows fluffy fluid flurry flush flushed
flute flutter foam foaming focus fodder foe foes fold folded folding folds foliage folk folks follows
folly foolish fools footing footman forbid forced forces forcing fore foreign foresee forests forever
forgave forge forgets forgive forks forlorn formal forming forms formula fort fortune forty forward
fossil fought foul founded fours fowl fowls foxes frail frame framed frames frankly frantic fray freak
freed freedom freely freeze frenzy freshly fret fretful fretted fried friends frigate frills fringe
fringed fro frock frogs frolic fronds frost frosty frown frowned froze frozen fry fuel fumbled funeral
fungi fungus fur furious furnace furnish furry furs further furtive fury fusion fuss futile gable gaiety
gaily gain gained gaining gait gale gallant gallery gallons gallows games gang gap gaping gaps gardens
garment garret gas gases gasp gasped gasping gates gateway gather gaunt gay gaze gazed gazing gear geese
general genial genius genuine germs gesture getting ghastly ghost ghostly ghosts giants giddy gifted
gifts giggle giggled gilded gilt gingham girdle girlish glade gladly glance glanced glances glare glared
glaring glasses glassy gleam gleamed glee glide glided gliding glimmer glimpse glitter globe gloom
gloomy glory glossy glove gloves glowed glowing glue gnawed gnawing goal goddess gods goodbye goodly
gorge gossip gourd gown gowns grab grabbed grace grain grains grammar grand granted grasp grasped
grasses grassy grate grating gravel gravely graves gravity gray graze grazing greasy greater greatly
greedy greet greeted grief grieve grieved grim grimace grimly grin grinned grip gripped groan groaned
groans groped groping gross grotto grounds grouped groups grouse grove groves growing growl growled
growth grub grudge gruff grumble grunt grunted guarded guards guessed guest guests guided guides guiding
guilty guinea guineas gulf gulls gully gulped gum gun gust gusts gutter ha habits hag haggard hail
hailed hairs hairy halfway halls halt halted halter halting ham hamlet hammer hammock hamper hams
handful handing handle handled handles handy hanged hanging hangs happens happier happily harbor harbour
hardest hardy harmony harness harpoon harsh harvest hast haste hasten hastily hasty hatched hatchet
hateful hates hath hatred hats haughty haul hauled hauling haunt haunted haunts haven hawk haze hazel
hazy headed heading headman heal healed healing healthy heaped heaps hearers hearing hears hearth hearty
heated heath heathen heather heave heaved heavens heavier heavily heaving hedges heed heel heels height
heir hell helm helmet helpful helping helps hence hens herbs herd herds hermit hero heroes heroic
heroine hers herself hideous hides hiding highest highly hillock himself hind hinder hinges hint hinted
hints hire hired hissed hissing history hitch hither hitting hive ho hoarse hobbled hoist hoisted
holding holds holiday hollows holly holy homely homes honesty honor honour honours hood hoofs hooks
hooting hop hopeful hoping hopped hopping horizon horn horrid horrors hose host hostess hostile hosts
hotly hotter hound hounds hovered however howl howled howling howls huddled hue hug hugging hull hum
humans humble humbly humbug hummed humming humor humour hunched hundred hunted hunter hunters hunting
hurled hurrahs hurried hurting hurts husband hush hushed husky huts hyaena hymn hymns iceberg icy ideal
ideals idle idly idol ignored illness image images imagine imitate immense impact import imposed impress
improve impulse inch inches incline include indoors induce induced indulge infant inform inhabit initial
injure injured injury inky inland inn inner inquire inquiry insane insect insects insist instant instead
insult intend intense intent invaded invalid invent invite invited inward islands isle islet islets
issue issued issues item items ivory ivy jackal jackals jacket jackets jagged jail jam jammed jars jaw
jaws jealous jelly jerk jerked jersey jest jet jewel jewels jiffy jobs joining joint joints joke jokes
joking journal journey jovial joyful joyous joys judged judges judging jug juice juicy jumping jungles
junior jury justice justify justly keel keen keenly keeper keeping ken kennel kettle keys khaki kicking
kill killing kills kinder kindled kindred kingdom kings kisses kissing kitchen kites kitten kittens
knack knelt knight knit knitted knives knocked knocker knocks knoll knot knots knotted knowed knowest
knowing labor labors labours lace laced lack lacked lacking ladders laden lads lagoon lain lair lakes
lama lambs lament lamps lances landing lands lane lanes languid lank lantern lap lapse larder largely
largest lark larks lash lashed lashes lashing lass lasted lastly lasts lat lately latest laughed laughs
launch lava lawful lawn laws lawyer layer layers laying lazily leaden leaders leading leads leafy league
leagues leak lean leaning leant leap leaped leaping leaps leapt learned learnt leather leaving lecture
ledge lee legal legend leisure lend lent lesser lessons lest lets letters letting level levels lever
levers liable liberty library license lick licked licking lid lids lied lift lifting lifts lighted
lighten lighter lightly liking lilies limb limbs lime limit limited limits limp limped limpid limping
lined linen linger lining link lioness lions lip liquid list litter lively liver livid lizard ll loading
loads loaf loan loath lobster located lock locks lodge lodged lodging loft loftily lofty log logic
logical logs longed longest longing looking lookout loomed loosed lords loses losing lovable lover
lovers lowered lowest loyal loyalty luckily luggage lugged lull lump lumps lunar lunatic lungs lurked
lurking luxury lynx mac machine madam madly madman madness magical magnet maiden maidens maids mail
mainly maize major male malice mamma managed manager mane mangled mangoes manhole manhood mankind manly
manners manse mantel mantle maple maps marble marched mare margin marine mariner marked markets marking
marks marred married marsh marshes marshy marvels mask masonry mass masses massive mast masters mastery
masts mat matches mate mates matron matters maximum mayor maze meadows meals meaning measles measure
meddle medical medium meek meekly meeting meets mellow melody melons melt melted melting member members
mend mended mending mental mention mercy merit mermaid merrily message metal metals meteor method
methods mice midday midst mighty mild mildly mill million mince minded mineral mines mingled minor
minutes miracle mirror mirrors mirth mishap missile missing mission mist mistake mists misty mite
mittens mix mixture moan moaned moaning mob mobile mockery mocking mode model models modern modest moist
molten moments monarch monkeys monster moods moonlit moons moor moored moral morally morals morning
morrow morsel mortal mortals mortar moss mossy mostly moth mothers motion motions motive motives motor
motto mould mound mounted mourned mouths moves muddy muffled mug mule mumbled murder murmur muscle
muscles mused museum musical musing musket muskets muslin mustard mute mutiny mutton mutual muzzle
myriad myriads mystery nail nailed nails naked nap napkin narwhal nasty nations native natives natural
natures naughty navy neared nearest nearing neat neatly necks needle needles neglect neither nerve
nerves nervous nest nests nets network newly nicely nicer nicest niece nigh nights nimble ninety nip
nipped noble nobles nobly nod nodding noises noisily noisy nook noon normal north noses notable noted
notes nothing noticed notions nought novel novels novelty nowhere numbers nursed nursery nurses nursing
nuts nymphs oak oar oars oath oaths obey obeyed objects oblige obliged oblique oblong obscure observe
obtain obvious occupy occur ocean oddly odds odor odour offence offend offered offers officer offices
oftener ogre oily oldest olive omen ominous onagers onions onward onwards opaque opening openly opens
opinion oppose opposed optical oranges orb orbit orchard ordeal ordered orderly organ organs orifice
origin orphan ostrich outcast outcry outer outfit outlet outline outrage outset outside outward oval
oven owe owed owing owned owners ox oxen oxygen oyster oysters pa paced paces pacing package packet
packing packs pad padded paddle paddled pages pail painful pains painted painter pairs palaces paler
pallid pallor palm palms pane panel panels panes pang panic pans panted panting pantry papa parade
parapet parasol parcel parcels parched parent parents parlor parlour parrots partake parted partial
parties parting partly partner passage passes passing passion passive paste pasture pat patch patched
patches patent paths pathway patient patted pattern patting paused pausing paw paws paying payment peak
peaks peal pearl pearls peas peasant pebbles peck pecked peep peeped peeping peer peered peering peg
pencil pencils pennies pensive pepper per perch perched perfect perform perfume perhaps peril perils
period periods perish permit persons petals pets petted petty pew pewter phantom phase phases phrase
phrases physics piano picking pickle picnic picture pie pierce pierced pies pigeon pigeons piglet
piglets pile piled piles pill pillar pillars pillow pillows pills pilot pin pinch pinched pine pines
pinnace pinned pins pious pipe pipes piping pirate pirates pistol pistols pit pitch pitched pitied
pitiful pits placid placing plague plainly plains planes planet planets plank planks planned planted
plaster plateau plates platter playing pleaded pleased pleases plight plot plough pluck plucked plumage
plumes plump plums plunder plunge plunged pockets poem poems poet poetry poets pointed points poised
poison poke poked poker poking polar pole poles policy polish polite pools poop poorer poorly pop pope
poplars popped poppies popular porch pork port porter portion pose possess posted postman posts posture
potato poultry pounced pound pounded pour poured pouring poverty powers prairie praise praised praises
pranks prayed prayer prayers praying preach precise prepare present press pressed pretend prevent prey
prices pricked priest priests prim prime prince princes print printed privacy private prizes problem
proceed process procure produce product profile profit project promise prompt proof propose propped
protect protest proudly prove proved proverb proves provide prowled pudding puddle puff puffed puffing
puffs pulling pulls pulpit pulse puma pump pumpkin pumps punch pungent punish punt pupil pupils puppies
pure purely purpose purring purse pursue pursued pursuer pursuit push pushing puts putting puzzle
puzzled quaint quality quarrel quarry quarter quartz quay quench queried quest quicker quickly quieted
quietly quills quilt quit quitted quiver quote quoted rabbits raced races racing racket radiant radius
raft rag raged rages ragged raging rags rail railing rails railway rained raining rainy raise raising
raisins rake random ranged rank ranks rap rapid rapidly rapped rapt rapture rarely rascal rascals rash
rations rattle rattled ravine raw ray rays reached reaches reader readers readily reading reads realise
reality realize realm rear reared reasons rebel recall receded receive recent recess recital recite
recited reckon record records recover redder reddish reduce reduced reeds reef reefs reel reeled reeling
refer refined reflect refrain refresh refuge refusal refuse refused regain regard regards region regions
regret regular reign reigned reins rejoice rejoin relate related relaxed release relieve relish rely
remains remark remarks remedy remind reminds remorse remote remoter remove removed render renew renewed
rent rents repair repairs repast repay repeat repent replace replied replies report reports repose
request require rescue rescued resent reserve resign resist resolve resort respect respond rested
resting restore results resume resumed retain retire retired retreat returns reveal revel revenge
reverie reverse review revive revived revolt reward rewards rhyme rhythm ribbon ribbons ribs richer
riches richest richly rid riddle rider riders rides ridge ridges rifle rifles rigged rigging rightly
rights rigid rim ringing rings riot ripped ripping ripple risen rises risk risked risks rival rivalry
rivals rivers roadway roamed roaming roar roared roaring roast roasted robbed robber robbers robe robes
robin rocked rocker rockets rocking rocky rod rods rogue rogues role roll roller rolling rolls romance
roofs rooster rooted ropes rosary roses rosy rot rotten roughly rounded rounds rouse roused rousing
route routine rowed rowing rows royal royalty rub rubber rubbing rubbish rudder ruddy rude rudely
ruffled rug rugged rugs ruined ruinous ruins ruled ruler rules rum rumble runners running rupees rushes
rushing rust rustic rustle rustled rusty sack sacks sacred sadness safely safer safety sailed sailing
sailor sailors sails saint salad salary sale salmon saloon salute saluted sample sands sandy sane sash
satin satisfy sauce saucer savages saves saving scale scales scandal scanned scanty scar scarce scare
scarf scarlet scary scatter scenery scenes scent scented scheme schemes scholar schools science scold
scolded scope score scores scorn scrap scrape scraped scrapes scraps scratch screams screen screw
screwed screws scrub scuttle seal sealed seals seaman seamen seas seaside seasons seated seats seaward
seaweed seconds secrecy secrets secured seeking seeming seize seizing select self selfish selling
sending sends senses serene series serious sermon sermons serpent servant service serving session sets
setting settled seventh seventy several severe sew sewed sewing shabby shaded shades shadows shadowy
shady shaft shafts shaken shakes shaking shallow shalt sham shaped shapes sharing sharks sharper sharply
shawl shed sheds sheer sheets shelf shell shells shelter shelves shield shift shifted shine shining
shipped shirts shiver shoal shock shocked shoots shops shores shorter shortly shots shout shouted shouts
shoved shovel shower showers showing shrank shrewd shriek shrieks shrill shrine shrink shrubs shrug
shrunk shudder shy shyly sickly siege sighing sighs sighted sights signal signals signed signify silence
silk silken silky sill silvery similar sin sincere singing sings sink sinking sinner sins sisters site
sits sitting sixteen sixth sixty sizes sketch skies skiff skilful skill skimmed skinny skins skip
skipped skirt skirts skull slab slain slammed slap slapped slashed slate slates slave slavery slaves
sled sledge sleek sleeps sleepy sleeve sleeves sleigh slender slice slices slid slide sliding slight
slim sling slip slipped slips slope sloped slopes sloping slouch slower slumber slung sly slyly smaller
smartly smash smashed smeared smelled smells smelt smiles smiling smoked smoking smoky smote snail
snakes snap snapped snare snarl snarled snatch sneak sneaked sneered sneeze sneezed sniff sniffed snore
snoring snort snorted snows snowy snuff snug soaked soap soared soaring sob sobbed sobbing sober soberly
sobs social society socks soda sofas softer soiled solar soldier sole solely solemn soles solid solve
solved sombre somehow someone sons soothe soothed sore sorely sorrow sorrows sorter sought souls sounded
soundly sour source sources south sow sowed sown spaces spade spades spared spark sparkle sparks sparrow
spat speaker speaks spear spears special species speck specks sped spell spells sphere sphinx spice
spicy spider spied spike spikes spin spiral spires spirits spit splash split spoil spoiled spoilt sponge
spoons sport sports spots spotted spout spray sprays springs spruce spruces sprung spun spur spurs spy
squares squat squeal squeeze squire stables staff stages stain stained stair stake stakes stalk stalked
stalks stall stalls stamp stamped stands stare staring stark starry started starts starve starved stated
stately station statue stature staying stays steak steam steamer steed steeds steel steep steeply steer
steered stem stems stepped stern sternly steward sticky stiffly stifled stile sting stirred stitch
stocks stole stolen stomach stony stool stooped stopped stops stored stores stories stormed storms
stormy stout stoutly stove stowed strain strait strange strap straps stray strayed streak streaks
streams streets stress stretch strewn strict stride strides strikes strings strip striped stripes strips
strive strode stroke stroked strokes stroll strove strung stud studded student studied studies stuffed
stump stumps stung stunned stupid stupor sturdy subdued subject sublime submit subtle succeed success
suck sucked sucking suffice suggest suited suits sulkily sulky sullen sulphur sum summit summits summons
sums sundry sung sunk sunken sunlit sunny sunrise suns superb support suppose supreme surf surface
surgeon surgery surging surly surplus survey survive suspect sustain swallow swamp swarm swarmed swart
swathed sway swayed swaying swear sweat sweater sweep sweeter sweetly swell swelled swept swift swifter
swiftly switch swollen swoop swooped swords swore sworn swung systems tables tack tackle tactics tailor
taint talent tales talking talks taller tallow tamed tangle tangled tank tap tapped tapping tarry tarts
task tasks tasted tastes tasting tasty tavern teacher teaches teapot tearful tearing tease teased
teasing tedious telling tempers tempest temples tempt tempted tenants tend tended tending tennis tense
tension tenth tents term terms terrace terrors text texture thanked theatre thee theirs thence theory
thereby therein thereof thicker thicket thickly thief thieves thigh thine thinner thirst thirsty thither
thorn thorns thorny thought thread threads threat threats thrice thrill throats throb throne throng
through thrust thud thumb thump thumped thunder thy thyself tick ticket tickets ticking tickled tides
tidings tidy tie ties tigers tighter tightly tiles tilted timber timbers timid timidly tint tints tipped
tips tiptoe tire tissue title toast tobacco toes toil toiled toilet token tomb tones tongues tonight
tons tool topic tops torch torches tore torment torrent torture toss tossed tossing total totally
touched touches tough tour tow towards towel towered towers towns trace traced traces track tracks
trader trading traffic tragedy tragic trail trailed trained trains trait traitor traits tramp tramped
trance transit traps trash travels tray tread treated tremble trench trial trials tribe tribes tribute
tricked trickle tricks tries trifle trifles trim trimmed trip tripped triumph trivial trod trodden troop
troops trot trotted trouble trough trout truck trudged trumpet trunks trusted tub tube tubes tucked tug
tugged tugging tumble tumbled tumult tune turban tureen turf turkey turning turnips turtle turtles tusks
tutor twig twigs twin twinkle twins twist twisted twos tying types unarmed unaware uncanny uncles undone
uneasy uneven unfair unhappy uniform unjust unkind unknown unlike unlucky unmoved unreal unrest unseen
untidy untied unto unusual uphill upper upright uproar upside upward upwards urge urged urgent urging
usage useless usually utmost utter uttered utterly vacant vague vaguely vainly valley valleys valued
valve vanish vanity vapor vapors vapour varied variety various vary varying vase vases vault vaulted
vehicle veil veiled vein veins velvet velvety vent venture veranda verdict verdure verge verse verses
version vessels vex vexed vice vicious victim victims victory views vigil vigor vigour vile villa
village villain villas vine vinegar vines violent violet violets violin virtue virtues visible visibly
vision visions visited visitor visits vista vital vivid vividly void volcano volley volume volumes vote
vow vowed voyages vulgar waded wading wager wages wagged wagon wail wailed wailing waist waiter waiting
waits waked waken wakened wakes waking walking walks walled wand wander wanting ward warfare warmed
warmer warming warmly warmth warn warning warrant warrior wars washing wast wasted wasting watched
watcher watches watered watery waving wax waxed wayside weaker wealthy weapon weapons wearied wearily
wearing wears weary weasel weather weave web wedding wee weed weeds weekly weep weeping weigh weighed
weird welcome welfare wells wept west western wetted whack whales wheat wheeled whereas wherein whether
whilst whim whine whined whining whipped whirl whirled whisked whiskey whisper whistle whither whitish
whoever wholly widely widened wider widow width wig wildest wildly willing willow willows wilt winding
windows winds windy wing winged wink winked winking winning wintry wipe wiped wiping wire wires wisdom
wisely wiser wisest wishing wistful wit witches withal without witness wits witty wives woe wolves
womanly wonders wont wooded wool worker workers working workmen worldly worlds worm worms worried
worries worship worsted worthy wounded wounds woven wrap wrapped wrath wreath wreaths wrecked wretch
wriggle wrist wrists writer writers writes writhed writing written wrought wrung yacht yarn yawn yawned
yawning ye yearned yell yelling yells yelp yelped yelping yield yielded yoke yon yonder younger youths
yummy zeal zenith zero zone zones
""".split()
