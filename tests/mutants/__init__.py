"""One-line changes to the product, each of which a test must catch: proof that the tests bite."""
