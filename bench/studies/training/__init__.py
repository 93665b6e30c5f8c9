"""The trained critics and generators that several studies share."""
