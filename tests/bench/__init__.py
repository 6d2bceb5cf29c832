"""`make bench`: the costs of the kit beside those of its peers."""
