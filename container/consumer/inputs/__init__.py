"""Images from strangers: what a task links to, fetched without lending anyone our place in the network."""
