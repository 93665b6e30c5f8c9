"""S7 and G4: whether the critic's loss tracks the quality of the samples."""
