"""Every picture with text is read back before it leaves; what cannot be read is drawn again or typeset by us."""
