"""Fleets: S independent networks of one architecture, trained and evaluated as one stacked computation.

A fleet's weights are one matrix ``(S, P)``: row *s* holds every parameter of symbol *s*'s network. Whatever
concerns symbols (early stopping, gathering any mix of them to serve, shrinking towards a pooled model, saving)
is then an operation on rows, and the networks themselves are functions of ``(weights, inputs)``.
"""
