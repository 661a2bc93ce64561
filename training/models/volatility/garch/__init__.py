"""Maximum likelihood of GARCH models: Newton's method with exact derivatives, one symbol at a time.

``paths`` are log variances and their derivatives, ``likelihood`` is Student's t on top of them, ``newton`` maximises
under linear constraints, ``estimation`` chooses starts, constraints and scale.
"""
