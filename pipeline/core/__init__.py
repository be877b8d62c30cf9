"""Pure: values in, values out. No Django, socket, event loop, clock or dice."""
