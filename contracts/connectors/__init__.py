"""Where contracts meet files and key stores."""
