"""The benchmark on the test split, its records, and the pages made from them."""
