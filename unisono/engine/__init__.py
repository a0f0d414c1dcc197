"""Live sequences: engines that compute the next id, what may follow, which is chosen, and one conversation's
state.
"""
