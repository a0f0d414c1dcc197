"""Named pictures: emoji, icons, flags and clip art in several styles, with their names, words and uses."""
