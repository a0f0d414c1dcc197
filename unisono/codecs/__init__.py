"""Codes of signals: sound and pictures become small integers and come back. Knows nothing of ids or
networks.
"""
