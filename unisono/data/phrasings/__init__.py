"""The questions of the small world in hundreds of phrasings each; whole forms are held out."""
