"""The colours of all pictures. Imports nothing."""

# Okabe & Ito, Color Universal Design: distinguishable with every common colour blindness.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
)
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)  # without yellow, which vanishes on white
GREY = "#7f7f7f"
BROWN, TEAL = "#8c510a", "#01665e"  # beside all of CYCLE, where those are objectives
