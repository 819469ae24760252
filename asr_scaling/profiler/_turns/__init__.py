"""What a cascade found beyond words, against the references: speech, speakers, marks."""
