"""webrtc"""
from fastapi import APIRouter

router = APIRouter(prefix="/v1")


async def close_calls(app: object) -> None:
    """Ends all calls."""
