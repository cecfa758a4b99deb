"""The bar of the legibility gate, all of it, with the reasons."""

# A slide is seen on a telephone at about 40 % of its pixels: 1080 become 432.
SMALL = 0.4

# At full size every word has to be right: one wrong letter in a body of 100 is an error rate of 0.01, and still a
# spelling mistake on a customer's screen. Its own slips are met by reading again, not by a tolerance: with 0.02,
# several of the pictures in bench/legibility that have one wrong letter would pass.
CER_FULL = 0.0
# At 40 % a letter may blur while the word can still be read: this share of the text, or one letter of a short one.
CER_SMALL = 0.05
CHARS_SMALL = 1

# WCAG 2.2, 1.4.3: 4.5:1, and 3:1 for text of 24 CSS pixels and more. At 40 % those are 60 pixels of a slide of 1080.
CONTRAST = 4.5
CONTRAST_LARGE = 3.0
LARGE_TEXT_PX = 60.0

# Size of type (its em) in a slide 1080 pixels wide: 27 become 11 at 40 %, about what telephones use for captions.
MIN_TEXT_PX = 27.0

# A text that nobody asked for counts when it is large enough to be taken for the slide's own and is there at both
# sizes: tesseract sees words in the patterns of a photograph, but seldom the same ones twice. From this share of equal
# letters on they are the same.
EXTRA_CONFIDENCE = 60.0
EXTRA_FEWEST_CHARS = 3
EXTRA_ALIKE = 0.6
# A word too many in a line of the text counts sooner: there are no patterns in between.
INTRUDER_CONFIDENCE = 40.0
