"""What goes over the wire: bodies, events, files, sound, errors, keys and limits. Knows nothing of the
network.
"""
