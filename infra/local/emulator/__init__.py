"""An emulator of the Gemini HTTP API for honest offline work: it writes from what is in the prompt and says what it is."""
