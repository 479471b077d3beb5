"""A trained model at work: texts in, generations out, one by one or a whole column."""
