"""Short common English words that are printed in pictures: the most frequent ones of the training texts."""

WORDS = """
able about above abroad across act action add added advice affair afraid after again age ago agree
agreed ahead air alive all allow almost alone along aloud also always am among an and anger angry animal
answer ant ants any anyone anyway appear apple are area arm arms army around arrive art as aside ask
asked asking asks asleep assist at ate attack attend aunt avoid awake aware away awful babies baby back
bad bade badly bag ball banana bank bar bark basket bat bath battle be bean bear beast beasts beat
beauty became become bed bee been bees before beg began begged begin begins begun behind being bell
below belt bent beside best better beyond big bigger bike bird birds bit bite bits bitter black bless
blew blind blood blow blue board boat body bones book booked books boots born both bottle bottom bought
bound bow bowed bowl box boxes boy boys brain branch brave bread break breath bridge bright bring broad
broke broken brown brush build built bunch buried burn burned burnt burst bus bush bushes busy but
butter buy by bye cab cake call called calls calm came can candle cannot cap car card care cared carry
cart case cast castle cat catch cats cattle caught cause caused cave centre chair chance change chap
charge chase chased check cheeks cheese chest chief child chin choice choose chose church circle city
class clean clear clever climb clock close closed closer cloth cloud clouds coach coal coast coat coffee
coin cold collar color colour come comes coming common cook cooked cool corn corner cost could count
couple course court cousin cover cow cows cream crept cried cries crop cross crow crowd cruel cry crying
cup cut dad daily damp dance danced danger dare dared dark data date day days deal dear death deep
deeply degree design desire desk devil did die died dig dinner dirty dish do doctor does dog dogs doing
doll done donkey door doors doubt dough down dozen dragon drank draw drawn dream dress drew dried drink
drive driven driver drop drove drum drunk dry duck due dug dull during duty dying each ear early ears
earth easier easily easy eat eaten eating edge effect effort egg eggs eh eight either eleven else empty
end ended ends enemy energy engine enjoy enough enter escape even event ever every evil except excuse
expect extra eye eyes face faces fact failed faint fair fairly fairy fall fallen false family famous
fancy far farm farmer fast faster fat fate father fault fear feast fed feed feel feels feet fell fellow
felt fence fetch fever few field fields fifty fig fight figure fill filled find finds fine finger finish
fire fired firm firmly first fish fit five fixed flash flat flesh flew flies flock floor flour flower
flung fly flying fog follow fond food fool foot for force forest forget forgot fork form formed former
forth found four fourth fox free fresh friend fright frog from front fruit fruits full fully fun funny
future gallop game garden gate gave gentle gently get gets giant gift girl girls give given gives giving
glad glass glow go goat goats goes going gold golden gone good goods goose got grape grapes grass grave
great green grew grey groom ground group grow grown grows guard guess guide guns habit had hair half
hall hand handed hands hang happen happy hard harder hardly hare harm has hat hate hated have having hay
he head heads health heap hear heard heart hearts heat heaven heavy hedge held hello help helped hen her
here hid hidden hide high higher hill hills him his hit hold hole holes hollow home honest honey hope
hoped hopes horns horror horse horses hot hotel hour hours house houses how huge hugged human hung
hunger hungry hunt hurry hurt hut ice idea ideas if ill in indeed ink inside into iron is island it its
itself jar job join joined jolly joy judge jump jumped jungle just keep keeps kept key kick kicked kid
kids killed kind kindly kinds king kiss kissed kite knee knees knew knife knock know known knows labour
lad ladder ladies lady laid lake lame lamp land landed large larger last late later latter laugh law lay
lazy lead leader leaf leaned learn least leave leaves led left leg legs lemon length less lesson let
letter lie lies life lifted light lights like liked likely likes line lines lion lips liquor listen lit
little live lived lives living load loaded local locked lonely long longer look looked looks loose lose
loss lost lot lots loud louder loudly love loved lovely loves loving low lower luck lucky lunch lying
mad made magic maid main make makes making man manage mango manner many map mark market marry master
match matter may maybe me meadow meal mean means meant meat meet memory men mere merely merry mess met
middle might mile miles milk mind minds mine minute misery miss missed mixed mom moment money monkey
month months mood moon more most mother mouse mouth move moved movie moving much mud mum music must my
myself name named names narrow nation nature near nearby nearer nearly neck need needed needs nephew net
never new news next nice night nine no nobody nodded noise none nor nose not note notice notion now
number nurse nut oats object odd of off offer office often oh oil okay old older on once one ones only
onto open opened or orange order orders other others ought our ours out over owl own owner pace pack
packed page paid pain paint pair palace pale pan paper papers pardon park parrot part parts party pass
passed past path pause pay peace pear pen penny people person pet phone pick picked piece pieces pig
pigs pink pity place placed places plain plan plane plans plant plants plate play played plays please
plenty plum pm pocket point police pond pony pool poor post pot pots pounds powder power pray prefer
pretty price priced pride prison prize proper proud public pull pulled puppy purple pushed put queen
queer quick quiet quite rabbit race radio rage rain rains raised ran rang range rare rat rate rather
rats reach read ready real really reason red rein relief remain reply rest result return rice rich ride
riding right ring ripe rise rising river road roads rock rocks rode rolled roof room rooms root roots
rope rose rough round row rubbed ruin rule run runs rush rushed sad saddle sadly safe said sail sake
salt same sand sang sank sat savage save saved saw say saying says scared scene school scream sea search
season seat second secret secure see seed seeds seeing seek seem seemed seems seen sees seized seldom
sell send sense sent serve served serves set settle seven shade shadow shake shall shame shape share
shared shark sharp she sheep sheet shiny ship ships shirt shoe shoes shone shook shoot shop shore short
shot should show showed shown shows shut sick side sides sigh sighed sight sign signs silent silly
silver simple simply since sing single sir sister sit six size skin sky sleep slept slow slowly small
smart smell smile smiled smoke smooth snake snow so sock sofa soft softly soil sold some son song songs
soon sooner sorry sort sorts soul sound sounds soup space spare speak speech speed spend spent spirit
spite spoke spoken spoon spot sprang spread spring square stable stage stairs stand star stared stars
start state stay stayed steady steal step steps stick sticks stiff still stir stock stone stones stood
stop store storm story straw stream street strike string strong struck stuck study stuff style such
sudden suffer sugar suit summer sun sunset supper supply sure surely swam sweet sweets swim swing sword
system table tail tails take taken takes taking tale talk talked tall tame taste taught tea teach team
tear tears teeth tell tells temper ten tender tent terror test than thank thanks that the their them
then there these they thick thin thing things think thinks third thirty this those thou though three
threw throat throw thrown thus tide tied tiger tight till time times tiny tired to today toe told tone
tongue too took tools tooth top torn touch toward tower town toy toys trade train trap travel treat tree
trees trick tried true truly trunk trust truth try trying tunnel turn turned turns twelve twenty twice
two type ugly unable uncle under unless until up upon upset us use used useful uses using usual vain
value van vast very vessel view visit voice voices voyage wait waited wake walk walked wall walls want
wanted wants war warm warned was wash washed waste watch water waters wave waved waves way ways we weak
wealth wear week weeks weight well went were wet whale what wheel wheels when whence where which while
whip white who whole whom whose why wicked wide wife wild will win wind window wine wings winter wise
wish wished wishes with within woke wolf woman women won wonder wood wooden woods word words wore work
worked works world worn worry worse worst worth would wound wreck write wrong wrote yard yards year
years yelled yellow yes yet you young your yours youth
""".split()
