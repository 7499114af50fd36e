"""What crmcore costs, as ratios to hand-written code that does the same: ``python -m benchmarks``."""
