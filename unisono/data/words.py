"""Short common words that are printed in pictures."""

WORDS = """
cat dog cow pig hen fox bee ant owl rat hat cap bag box cup pot pan jar bed bus car van map pen ink key door wall roof
road tree leaf root seed rose corn bean rice milk egg bread cake meat fish soup salt nut fig plum pear apple lemon grape
sun moon star sky rain snow wind fog sea lake river hill rock sand mud ice fire lamp light night day year week hour
one two three four five six seven eight nine ten red blue green black white brown pink gold hand foot leg arm head hair
nose ear eye mouth tooth neck back knee toe mother father sister baby king queen boy girl man woman child friend doctor
house home shop farm park town city street bridge tower ship boat plane train bike wheel horse sheep goat lion tiger bear
wolf mouse frog snake bird duck goose crow whale shark book page word name story song music drum bell ball game doll toy
kite ring coin gold silver iron wood stone glass paper cloth shirt shoe sock coat belt dress chair table desk spoon fork
knife plate bowl clock watch phone radio door open shut stop go start end up down left right good bad big small old new
hot cold dry wet fast slow hard soft long short high low full empty happy sad yes no please thanks hello bye love peace
""".split()
WORDS = sorted(set(WORDS))
