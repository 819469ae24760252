"""Which system to use: rules, scenarios, evidence, and how to measure the winner again."""
