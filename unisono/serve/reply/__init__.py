"""How any request becomes a reply of the network: the one way to answer behind all ways to ask."""
