"""How fast the library is, beside the official provider: `python -m tests.benchmarks`.

The rule: both sides do the same work. They load the same settings with the same selectors from one
emulator in a process of its own, are warmed up alike, and take turns within a round, so that noise
of the machine meets both. A ratio is made per round; the table shows medians over the rounds.
"""
