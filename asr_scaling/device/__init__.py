"""Where systems run: one module a kind of device."""
