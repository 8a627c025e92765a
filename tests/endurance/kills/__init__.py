"""kill -9 at random moments: nothing finished is lost, nothing false is said, and it goes on after."""
