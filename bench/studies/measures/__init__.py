"""What several studies measure on networks and records. Trains nothing."""
