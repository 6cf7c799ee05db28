//! The one watcher: every wait in the process registers with it, and it asks the server once for all of them.
