"""/v1/responses over HTTP and over a WebSocket."""
