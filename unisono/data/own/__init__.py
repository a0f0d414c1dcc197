"""What people have (conversations, sound, pictures, texts) as token shards of their own."""
