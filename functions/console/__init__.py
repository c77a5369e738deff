"""The page on which people try the API: a function of its own, so that it never holds up submits."""
