"""What personal data and secrets look like in text: one `Recogniser` a kind, by what they are about."""
