"""What a training will give before it is paid for: scaling laws fitted to measured runs, and budgets read
off them.
"""
