//! Forks: the child starts with the parent's records and never hangs on a lock that a thread held which it lacks.
