"""From a suite file to the specifications of its runs. Trains nothing, writes nothing."""
