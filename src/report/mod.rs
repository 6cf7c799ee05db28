//! What the user sees: events folded into a picture, and the only code that writes to the terminal.
