//! Where the server is and who we are: flags, then environment, then clouds.yaml, then defaults.
