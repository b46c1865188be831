"""Faces over the assistant: the command line, and later the browser page, HTTP and MCP."""
