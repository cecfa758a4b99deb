"""An emulator of the Gemini HTTP API for honest offline work: it writes from the prompt and says what it is."""
