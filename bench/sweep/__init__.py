"""Many runs: which are still to be made, where they are made, and how far they are."""
