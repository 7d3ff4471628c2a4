"""Makes the core happen in time: threads, queues, deadlines and child processes. No Qt."""
