"""Direction models without a network: the class prior and logistic regression."""
