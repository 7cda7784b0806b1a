"""The check of a folder of photos before it is sent: what would fail, and what would make a poor mesh."""
