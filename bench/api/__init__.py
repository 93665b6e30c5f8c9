"""lipbench from Python: what the command line does, with pandas, torch and matplotlib in the hands of the caller."""
