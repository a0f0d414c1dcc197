"""/v1/realtime: live voice over WebSocket and WebRTC."""
